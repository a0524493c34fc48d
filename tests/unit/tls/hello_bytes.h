/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hello_bytes.h - ClientHellos byte by byte, right and wrong. cmocka.h must be included before. */
#ifndef TESTS_TLS_HELLO_BYTES_H
#define TESTS_TLS_HELLO_BYTES_H

#include "tls/hello.h"

#include <string.h>

struct bytes {
    size_t length;
    uint8_t at[3 * HELLO_LIMIT];
};

static inline void put(struct bytes *bytes, const void *more, size_t length)
{
    assert_true(length <= sizeof(bytes->at) - bytes->length);
    memcpy(bytes->at + bytes->length, more, length);
    bytes->length += length;
}

/* A number of `size` bytes. */
static inline void put_number(struct bytes *bytes, size_t number, size_t size)
{
    for (; size > 0; size--)
        put(bytes, &(uint8_t){(uint8_t)(number >> 8 * (size - 1))}, 1);
}

static inline void put_zeros(struct bytes *bytes, size_t count)
{
    assert_true(count <= sizeof(bytes->at) - bytes->length);
    memset(bytes->at + bytes->length, 0, count);
    bytes->length += count;
}

/* Where a vector's length is to be written once it is known. */
static inline size_t begin_vector(struct bytes *bytes, size_t size)
{
    put_zeros(bytes, size);
    return bytes->length;
}

static inline void end_vector(struct bytes *bytes, size_t start, size_t size)
{
    size_t length = bytes->length - start;
    for (size_t i = 0; i < size; i++)
        bytes->at[start - 1 - i] = (uint8_t)(length >> 8 * i);
}

static inline void put_extension(struct bytes *bytes, uint16_t type, const void *content,
                                 size_t length)
{
    put_number(bytes, type, 2);
    put_number(bytes, length, 2);
    put(bytes, content, length);
}

/* A list of 2-byte values behind its length of `size` bytes. */
static inline void put_list_extension(struct bytes *bytes, uint16_t type, size_t size,
                                      const uint16_t *values, size_t count)
{
    put_number(bytes, type, 2);
    put_number(bytes, size + 2 * count, 2);
    put_number(bytes, 2 * count, size);
    for (size_t i = 0; i < count; i++)
        put_number(bytes, values[i], 2);
}

static inline void put_name_extension(struct bytes *bytes, const void *name, size_t length)
{
    put_number(bytes, EXTENSION_SERVER_NAME, 2);
    put_number(bytes, length + 5, 2);
    put_number(bytes, length + 3, 2);
    put_number(bytes, 0, 1);
    put_number(bytes, length, 2);
    put(bytes, name, length);
}

/* Protocol names as they are on the wire: "\2h2". */
static inline void put_alpn_extension(struct bytes *bytes, const char *protocols)
{
    size_t length = strlen(protocols);
    put_number(bytes, EXTENSION_ALPN, 2);
    put_number(bytes, length + 2, 2);
    put_number(bytes, length, 2);
    put(bytes, protocols, length);
}

/* A ClientHello message; without `extensions` it ends behind the compression methods. */
static inline void put_hello(struct bytes *bytes, uint16_t version, const uint16_t *ciphers,
                             size_t cipher_count, const struct bytes *extensions)
{
    static const char random[] = "the random number of this client";
    put_number(bytes, 1, 1);
    size_t body = begin_vector(bytes, 3);
    put_number(bytes, version, 2);
    put(bytes, random, 32);
    put_number(bytes, 4, 1);
    put(bytes, "sess", 4);
    put_number(bytes, 2 * cipher_count, 2);
    for (size_t i = 0; i < cipher_count; i++)
        put_number(bytes, ciphers[i], 2);
    put_number(bytes, 1, 1);
    put_number(bytes, 0, 1);
    if (extensions != NULL) {
        put_number(bytes, extensions->length, 2);
        put(bytes, extensions->at, extensions->length);
    }
    end_vector(bytes, body, 3);
}

static inline void put_record(struct bytes *bytes, uint8_t type, const void *content, size_t length)
{
    put_number(bytes, type, 1);
    put_number(bytes, 0x0301, 2);
    put_number(bytes, length, 2);
    put(bytes, content, length);
}

/* The message in handshake records of at most `size` bytes each. */
static inline void put_records(struct bytes *bytes, const struct bytes *message, size_t size)
{
    for (size_t at = 0; at < message->length; at += size) {
        size_t left = message->length - at;
        put_record(bytes, 22, message->at + at, left < size ? left : size);
    }
}

#endif
