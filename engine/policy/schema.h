/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * schema.h - the table of all configuration keys, and how a value becomes data. */
#ifndef POLICY_SCHEMA_H
#define POLICY_SCHEMA_H

#include "policy/config.h"

/* A value on its way into the configuration. */
struct value {
    const char *text;
    struct place place;
    unsigned column;
    struct config *config;
    struct report *report;
};

struct schema_key {
    const char *section; /* "device" stands for every [device NAME], "destination" likewise */
    const char *name;
    const char *fallback; /* what holds where the key is not given; NULL: nothing */
    bool repeats;         /* each use adds; otherwise a second use is an error */
    /* Stores the value in `field`. NULL, or what is wrong, as the end of a sentence. */
    const char *(*parse)(const struct value *value, void *field);
    size_t offset; /* of the field in struct config, device_config or destination_config */
};

extern const struct schema_key schema[];
extern const size_t schema_size;

/* NULL if there is no such key. */
const struct schema_key *schema_find(const char *section, const char *name);

/* True if any key belongs to this section. */
bool schema_has_section(const char *section);

/* A time such as "10m" or "7d", in seconds. NULL, or what is wrong. */
const char *schema_duration(const char *text, uint32_t *seconds);

/* True if there is one such section a NAME. */
bool schema_is_named(const char *section);

#endif
