/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * jsonw.h - writes JSON (RFC 8259) into a buffer, front to back, without a tree.
 *
 * Commas and quotes are taken care of; the caller opens and closes in the right order. In an array
 * and at the top the key is NULL; else it is a name of the program's own, in which nothing needs an
 * escape. Text may be any bytes: what is not UTF-8 becomes U+FFFD. The buffer is the caller's, or
 * grows; what does not fit sets `overflow`, and the text is then of no use. */
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

/* ---- room, and a key in it: inline, since the compiler knows most keys ---- */

/* Makes it, or sees that nothing fits any more once something did not. */
bool jsonw_make_room(struct jsonw *json, size_t length);

/* Where so many bytes are to be written; NULL: they do not fit. Room for the NUL is always kept. */
static inline char *jsonw_reserve(struct jsonw *json, size_t length)
{
    if (json->size - json->length <= length && !jsonw_make_room(json, length))
        return NULL;
    char *at = json->text + json->length;
    json->length += length;
    return at;
}

/* Where so many bytes of a value are to be written, behind a comma if one is due, and the key. */
static inline char *jsonw_key(struct jsonw *json, const char *key, size_t length)
{
    size_t key_length = key != NULL ? strlen(key) : 0;
    char *to = jsonw_reserve(json, json->comma + (key != NULL ? key_length + 3 : 0) + length);
    if (to == NULL)
        return NULL;
    *to = ',';
    to += json->comma;
    json->comma = true;
    if (key == NULL)
        return to;
    *to++ = '"';
    memcpy(to, key, key_length);
    to += key_length;
    *to++ = '"';
    *to++ = ':';
    return to;
}

/* ---- what is written ---- */

static inline void jsonw_open(struct jsonw *json, const char *key, char bracket)
{
    char *to = jsonw_key(json, key, 1);
    if (to != NULL)
        *to = bracket;
    json->comma = false;
}

static inline void jsonw_close(struct jsonw *json, char bracket)
{
    char *to = jsonw_reserve(json, 1);
    if (to != NULL)
        *to = bracket;
    json->comma = true;
}

static inline void jsonw_object(struct jsonw *json, const char *key)
{
    jsonw_open(json, key, '{');
}

static inline void jsonw_object_end(struct jsonw *json)
{
    jsonw_close(json, '}');
}

static inline void jsonw_array(struct jsonw *json, const char *key)
{
    jsonw_open(json, key, '[');
}

static inline void jsonw_array_end(struct jsonw *json)
{
    jsonw_close(json, ']');
}

static inline void jsonw_value(struct jsonw *json, const char *key, const char *text, size_t length)
{
    char *to = jsonw_key(json, key, length);
    if (to != NULL)
        memcpy(to, text, length);
}

/* Quotes it where room is reserved, and more if it needs escapes. */
void jsonw_quoted(struct jsonw *json, char *to, const void *text, size_t length);

static inline void jsonw_bytes(struct jsonw *json, const char *key, const void *text, size_t length)
{
    char *to = jsonw_key(json, key, length + 2);
    if (to != NULL)
        jsonw_quoted(json, to, text, length);
}

/* A NULL text writes nothing at all: an unknown fact is left out. */
static inline void jsonw_string(struct jsonw *json, const char *key, const char *text)
{
    if (text != NULL)
        jsonw_bytes(json, key, text, strlen(text));
}

/* So does a text that is not there. */
static inline void jsonw_text_value(struct jsonw *json, const char *key, struct text text)
{
    if (text.at != NULL)
        jsonw_bytes(json, key, text.at, text.length);
}

void jsonw_uint(struct jsonw *json, const char *key, uint64_t number);
void jsonw_int(struct jsonw *json, const char *key, int64_t number);

static inline void jsonw_bool(struct jsonw *json, const char *key, bool value)
{
    jsonw_value(json, key, value ? "true" : "false", value ? 4 : 5);
}

/* A value that is JSON already. */
static inline void jsonw_raw(struct jsonw *json, const char *key, const char *text)
{
    jsonw_value(json, key, text, strlen(text));
}

/* Members of an object, `"key":value` with commas between, that are JSON already. */
static inline void jsonw_members(struct jsonw *json, struct text text)
{
    jsonw_value(json, NULL, text.at, text.length);
}

/* Any bytes: what is not printable ASCII as a dot; and in base64 (RFC 4648, section 4). */
void jsonw_printable(struct jsonw *json, const char *key, struct text text);
void jsonw_base64(struct jsonw *json, const char *key, struct text text);

#endif
