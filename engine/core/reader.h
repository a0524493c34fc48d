/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reader.h - reads untrusted bytes front to back, never past their end.
 *
 * A read that does not fit yields zeros and sets `failed`, which stays set: a parser may read a
 * whole structure and ask once. Numbers are in network byte order. */
#ifndef CORE_READER_H
#define CORE_READER_H

#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct reader reader_of(const void *bytes, size_t length)
{
    return (struct reader){.at = bytes, .left = length};
}

/* The next `count` bytes, as a reader of their own. */
static inline struct reader read_part(struct reader *reader, size_t count)
{
    if (reader->failed || count > reader->left) {
        reader->failed = true;
        reader->left = 0;
        return (struct reader){.failed = true};
    }
    struct reader part = {.at = reader->at, .left = count};
    reader->at += count;
    reader->left -= count;
    return part;
}

static inline uint32_t read_number(struct reader *reader, size_t size)
{
    struct reader part = read_part(reader, size);
    uint32_t number = 0;
    for (size_t i = 0; i < part.left; i++)
        number = number << 8 | part.at[i];
    return number;
}

static inline uint8_t read_u8(struct reader *reader)
{
    return (uint8_t)read_number(reader, 1);
}

static inline uint16_t read_u16(struct reader *reader)
{
    return (uint16_t)read_number(reader, 2);
}

/* A vector (RFC 8446, section 3.4): its length in `size` bytes, then that many bytes. */
static inline struct reader read_vector(struct reader *reader, size_t size)
{
    uint32_t length = read_number(reader, size);
    return read_part(reader, length);
}

#endif
