/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * text.h - bytes that lie somewhere else: borrowed, with a length, and no NUL behind. */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* All-zero is a text that is not there, which is not the same as an empty one. */
struct text {
    const char *at;
    size_t length;
};

static inline struct text text_from(const void *bytes, size_t length)
{
    return (struct text){.at = bytes, .length = length};
}

static inline bool text_is(struct text text, const char *other)
{
    return text.length == strlen(other) && memcmp(text.at, other, text.length) == 0;
}

/* As names of HTTP headers are compared: ASCII letters in any case. Most differ in their length or
 * their first letter. */
static inline bool text_equals_nocase(struct text text, struct text other)
{
    return text.length == other.length &&
           (text.length == 0 || (((text.at[0] ^ other.at[0]) & ~0x20) == 0 &&
                                 strncasecmp(text.at, other.at, text.length) == 0));
}

static inline bool text_is_nocase(struct text text, const char *other)
{
    return text_equals_nocase(text, text_from(other, strlen(other)));
}

static inline bool text_starts_nocase(struct text text, const char *start)
{
    size_t length = strlen(start);
    return text.length >= length && strncasecmp(text.at, start, length) == 0;
}

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that two hexadecimal digits stand for; -1 if they are none. */
static inline int hex_pair(const char *digits)
{
    int high = hex_digit(digits[0]), low = high < 0 ? -1 : hex_digit(digits[1]);
    return low < 0 ? -1 : high << 4 | low;
}

#endif
