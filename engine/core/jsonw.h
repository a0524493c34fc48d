/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * jsonw.h - writes JSON (RFC 8259) into a buffer, front to back, without a tree.
 *
 * Commas and quotes are taken care of; the caller opens and closes in the right order. In an array
 * and at the top the key is NULL. Text may be any bytes: what is not UTF-8 becomes U+FFFD. The
 * buffer is the caller's, or grows; what does not fit sets `overflow`, and the text is then of no
 * use. */
#ifndef CORE_JSONW_H
#define CORE_JSONW_H

#include "core/text.h"

struct jsonw {
    char *text; /* NUL-terminated by jsonw_text() */
    size_t length, size;
    bool growing; /* `text` is ours */
    bool overflow;
    bool comma; /* the next value wants one in front */
};

void jsonw_init(struct jsonw *json, char *buffer, size_t size);

/* Writes into memory that grows, and that jsonw_fini() frees. */
void jsonw_init_growing(struct jsonw *json);
void jsonw_fini(struct jsonw *json);

/* The text so far, NUL-terminated; NULL if it did not fit. */
const char *jsonw_text(struct jsonw *json);

void jsonw_object(struct jsonw *json, const char *key);
void jsonw_object_end(struct jsonw *json);
void jsonw_array(struct jsonw *json, const char *key);
void jsonw_array_end(struct jsonw *json);

/* A NULL text writes nothing at all: an unknown fact is left out. */
void jsonw_string(struct jsonw *json, const char *key, const char *text);
void jsonw_bytes(struct jsonw *json, const char *key, const void *text, size_t length);
void jsonw_uint(struct jsonw *json, const char *key, uint64_t number);
void jsonw_int(struct jsonw *json, const char *key, int64_t number);
void jsonw_bool(struct jsonw *json, const char *key, bool value);

/* A text that is not known writes nothing at all. */
void jsonw_text_value(struct jsonw *json, const char *key, struct text text);

/* Any bytes: what is not printable ASCII as a dot; and in base64 (RFC 4648, section 4). */
void jsonw_printable(struct jsonw *json, const char *key, struct text text);
void jsonw_base64(struct jsonw *json, const char *key, struct text text);

/* Members of an object, `"key":value` with commas between, that are JSON already. */
void jsonw_members(struct jsonw *json, const char *text);

/* A value that is JSON already. */
void jsonw_raw(struct jsonw *json, const char *key, const char *text);

#endif
