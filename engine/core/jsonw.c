/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/jsonw.h"

#include <inttypes.h>
#include <string.h>

void jsonw_init(struct jsonw *json, char *buffer, size_t size)
{
    *json = (struct jsonw){.text = buffer, .size = size};
}

const char *jsonw_text(struct jsonw *json)
{
    if (json->overflow || json->text == NULL)
        return NULL;
    json->text[json->length] = '\0';
    return json->text;
}

void jsonw_init_growing(struct jsonw *json)
{
    *json = (struct jsonw){.growing = true};
}

void jsonw_fini(struct jsonw *json)
{
    if (json->growing)
        free(json->text);
    json->text = NULL;
}

static bool grow(struct jsonw *json, size_t length)
{
    size_t size = json->size > 0 ? json->size : 4096;
    while (size - json->length <= length)
        size *= 2;
    char *text = realloc(json->text, size);
    if (text == NULL)
        return false;
    json->text = text;
    json->size = size;
    return true;
}

/* Room for the NUL is always kept. */
static void put(struct jsonw *json, const char *bytes, size_t length)
{
    if (!json->overflow && json->size - json->length <= length)
        json->overflow = !json->growing || !grow(json, length);
    if (json->overflow)
        return;
    memcpy(json->text + json->length, bytes, length);
    json->length += length;
}

/* The length of the well-formed UTF-8 sequence (RFC 3629) at `at`, or 0. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first, last, second_first, second_last;
        unsigned char length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    if (at[0] < 0x80)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (left < forms[i].length || at[1] < forms[i].second_first || at[1] > forms[i].second_last)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static void put_escaped(struct jsonw *json, unsigned char c)
{
    static const char shorthand[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (const char *pair = shorthand; *pair != '\0'; pair += 2) {
        if (c == (unsigned char)pair[0]) {
            put(json, (char[]){'\\', pair[1]}, 2);
            return;
        }
    }
    char text[8];
    put(json, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
}

static void put_quoted(struct jsonw *json, const void *text, size_t length)
{
    const unsigned char *at = text;
    put(json, "\"", 1);
    while (length > 0) {
        size_t step = utf8_length(at, length);
        if (step == 0) {
            put(json, "\xef\xbf\xbd", 3);
            step = 1;
        } else if (*at < 0x20 || *at == '"' || *at == '\\' || *at == 0x7f) {
            put_escaped(json, *at);
        } else {
            put(json, (const char *)at, step);
        }
        at += step;
        length -= step;
    }
    put(json, "\"", 1);
}

static void put_key(struct jsonw *json, const char *key)
{
    if (json->comma)
        put(json, ",", 1);
    json->comma = true;
    if (key != NULL) {
        put_quoted(json, key, strlen(key));
        put(json, ":", 1);
    }
}

static void open_with(struct jsonw *json, const char *key, const char *bracket)
{
    put_key(json, key);
    put(json, bracket, 1);
    json->comma = false;
}

static void close_with(struct jsonw *json, const char *bracket)
{
    put(json, bracket, 1);
    json->comma = true;
}

void jsonw_object(struct jsonw *json, const char *key)
{
    open_with(json, key, "{");
}

void jsonw_object_end(struct jsonw *json)
{
    close_with(json, "}");
}

void jsonw_array(struct jsonw *json, const char *key)
{
    open_with(json, key, "[");
}

void jsonw_array_end(struct jsonw *json)
{
    close_with(json, "]");
}

void jsonw_bytes(struct jsonw *json, const char *key, const void *text, size_t length)
{
    put_key(json, key);
    put_quoted(json, text, length);
}

void jsonw_string(struct jsonw *json, const char *key, const char *text)
{
    if (text != NULL)
        jsonw_bytes(json, key, text, strlen(text));
}

void jsonw_uint(struct jsonw *json, const char *key, uint64_t number)
{
    char text[24];
    put_key(json, key);
    put(json, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, number));
}

void jsonw_int(struct jsonw *json, const char *key, int64_t number)
{
    char text[24];
    put_key(json, key);
    put(json, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

void jsonw_bool(struct jsonw *json, const char *key, bool value)
{
    put_key(json, key);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

void jsonw_raw(struct jsonw *json, const char *key, const char *text)
{
    put_key(json, key);
    put(json, text, strlen(text));
}
