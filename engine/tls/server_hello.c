/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/server_hello.h"

#include <string.h>

#define HANDSHAKE_SERVER_HELLO 2
#define RANDOM_SIZE 32

/* The SHA-256 of "HelloRetryRequest", in the random's place. */
static const uint8_t retry_random[RANDOM_SIZE] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static bool are_whole(struct reader extensions)
{
    while (extensions.left > 0 && !extensions.failed) {
        (void)read_u16(&extensions);
        (void)read_vector(&extensions, 2);
    }
    return !extensions.failed;
}

bool server_hello_parse(struct server_hello *hello, const void *message, size_t length)
{
    struct reader reader = reader_of(message, length);
    bool is_server_hello = read_u8(&reader) == HANDSHAKE_SERVER_HELLO;
    struct reader body = read_vector(&reader, 3);
    hello->legacy_version = read_u16(&body);
    struct reader random = read_part(&body, RANDOM_SIZE);
    (void)read_vector(&body, 1); /* session */
    hello->cipher = read_u16(&body);
    (void)read_u8(&body); /* compression */
    hello->extensions = (struct reader){0};
    if (body.left > 0) /* before TLS 1.2 there may be none, not even their length */
        hello->extensions = read_vector(&body, 2);
    return is_server_hello && !body.failed && are_whole(hello->extensions) &&
           memcmp(random.at, retry_random, RANDOM_SIZE) != 0;
}
