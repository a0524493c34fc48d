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

bool jsonw_make_room(struct jsonw *json, size_t length)
{
    if (!json->overflow && json->growing && grow(json, length))
        return true;
    json->overflow = true;
    json->size = json->length;
    return false;
}

static void put(struct jsonw *json, const char *bytes, size_t length)
{
    char *to = jsonw_reserve(json, length);
    if (to != NULL)
        memcpy(to, bytes, length);
}

static inline void put_char(struct jsonw *json, char c)
{
    char *to = jsonw_reserve(json, 1);
    if (to != NULL)
        *to = c;
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

/* Eight bytes at once: the highest bit of each tells, in what comes out, whether it needs a second
 * look. It may be set too often, behind one that does, and never too rarely. */
static inline uint64_t suspects(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quotes = word ^ (ones * '"'), slashes = word ^ (ones * '\\');
    uint64_t controls = word - ones * 0x20, deletes = word ^ (ones * 0x7f);
    return (word | controls | (quotes - ones) | (slashes - ones) | (deletes - ones)) & ones << 7;
}

static inline uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Less than eight bytes, but at least one, as a word: some of them more than once. */
static inline uint64_t short_word(const unsigned char *at, size_t length)
{
    uint32_t first, last;
    if (length < sizeof(first))
        return (uint64_t)at[0] << 56 | (uint64_t)at[length / 2] << 48 |
               (uint64_t)at[length - 1] << 40 | UINT64_C(0x2020202020);
    memcpy(&first, at, sizeof(first));
    memcpy(&last, at + length - sizeof(last), sizeof(last));
    return (uint64_t)first << 32 | last;
}

/* Less than eight bytes; what is in the middle may be written twice. */
static inline void copy_short(char *to, const unsigned char *at, size_t length)
{
    uint32_t first, last;
    if (length >= sizeof(first)) {
        memcpy(&first, at, sizeof(first));
        memcpy(&last, at + length - sizeof(last), sizeof(last));
        memcpy(to, &first, sizeof(first));
        memcpy(to + length - sizeof(last), &last, sizeof(last));
    } else if (length > 0) {
        to[0] = (char)at[0];
        to[length / 2] = (char)at[length / 2];
        to[length - 1] = (char)at[length - 1];
    }
}

static inline bool copy_plain_word(char *to, const unsigned char *from)
{
    uint64_t word = word_at(from);
    memcpy(to, &word, sizeof(word));
    return suspects(word) == 0;
}

/* False if a character does not stand for itself; most text has none such. What is left behind the
 * last whole word is looked at together with some that were before. */
static inline bool copy_plain(char *to, const unsigned char *from, size_t length)
{
    if (length < 8) {
        copy_short(to, from, length);
        return length == 0 || suspects(short_word(from, length)) == 0;
    }
    for (size_t i = 0; i + 8 < length; i += 8)
        if (!copy_plain_word(to + i, from + i))
            return false;
    return copy_plain_word(to + length - 8, from + length - 8);
}

/* How many characters stand for themselves before the first that does not. */
static size_t plain_length(const unsigned char *at, size_t left)
{
    size_t length = 0;
    while (left - length >= 8 && suspects(word_at(at + length)) == 0)
        length += 8;
    while (length < left && at[length] >= 0x20 && at[length] < 0x7f && at[length] != '"' &&
           at[length] != '\\')
        length++;
    return length;
}

static void put_careful(struct jsonw *json, const unsigned char *at, size_t length)
{
    put_char(json, '"');
    while (length > 0) {
        size_t plain = plain_length(at, length);
        put(json, (const char *)at, plain);
        at += plain;
        length -= plain;
        if (length == 0)
            break;
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
    put_char(json, '"');
}

void jsonw_quoted(struct jsonw *json, char *to, const void *text, size_t length)
{
    to[0] = to[length + 1] = '"';
    if (copy_plain(to + 1, text, length))
        return;
    json->length = (size_t)(to - json->text);
    put_careful(json, text, length);
}

void jsonw_uint(struct jsonw *json, const char *key, uint64_t number)
{
    char text[20], *at = text + sizeof(text);
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    jsonw_value(json, key, at, (size_t)(text + sizeof(text) - at));
}

void jsonw_int(struct jsonw *json, const char *key, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, number);
    jsonw_raw(json, key, text);
}

void jsonw_printable(struct jsonw *json, const char *key, struct text text)
{
    jsonw_raw(json, key, "\"");
    while (text.length > 0) {
        size_t plain = plain_length((const unsigned char *)text.at, text.length);
        put(json, text.at, plain);
        text = text_from(text.at + plain, text.length - plain);
        if (text.length == 0)
            break;
        if (*text.at == '"' || *text.at == '\\')
            put_escaped(json, (unsigned char)*text.at);
        else
            put_char(json, '.');
        text = text_from(text.at + 1, text.length - 1);
    }
    put_char(json, '"');
}

void jsonw_base64(struct jsonw *json, const char *key, struct text text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)text.at;
    jsonw_raw(json, key, "\"");
    for (size_t left = text.length, count; left > 0; left -= count, at += count) {
        count = left < 3 ? left : 3;
        unsigned bits = (unsigned)at[0] << 16 | (left > 1 ? (unsigned)at[1] << 8 : 0) |
                        (left > 2 ? (unsigned)at[2] : 0);
        const char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                               left > 1 ? digits[bits >> 6 & 63] : '=',
                               left > 2 ? digits[bits & 63] : '='};
        put(json, group, sizeof(group));
    }
    put_char(json, '"');
}
