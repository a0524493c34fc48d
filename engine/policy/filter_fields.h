/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * filter_fields.h - what the operators of a filter look at in an event. Pure functions. */
#ifndef POLICY_FILTER_FIELDS_H
#define POLICY_FILTER_FIELDS_H

#include "core/text.h"

#include <jansson.h>

/* Looks at a text, which may be any bytes; there is a NUL behind it. */
typedef bool filter_found(struct text text, void *context);

/* One operator: it has either function. */
struct filter_field {
    const char *name; /* without the tilde; "" is a regular expression by itself */
    /* Calls `found` for each text that it is about, until that is true; true if it ever was. */
    bool (*texts)(const json_t *event, filter_found *found, void *context);
    bool (*holds)(const json_t *event);
    bool dotall; /* it is about many lines: a dot is found at their ends, too */
    bool later;  /* it is about what no connection has when it begins */
};

/* NULL if there is no such operator. */
const struct filter_field *filter_field_find(const char *name);

/* True if it is about an HTTP response with this status. */
bool filter_has_status(const json_t *event, json_int_t status);

#endif
