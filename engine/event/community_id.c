/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/community_id.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define VERSION_PREFIX "1:"
#define PREFIX_LENGTH (sizeof(VERSION_PREFIX) - 1)

/* Seed, two addresses, protocol, padding, two ports. */
#define MESSAGE_LIMIT (2 + 2 * sizeof(struct in6_addr) + 2 + 2 * sizeof(uint16_t))

/* By their bytes on the wire, the addresses before the ports. */
static bool is_first(const struct address *a, const struct address *b)
{
    int order = memcmp(&a->ip, &b->ip, address_ip_size(a));
    return order < 0 || (order == 0 && a->port < b->port);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t length)
{
    memcpy(at, bytes, length);
    return at + length;
}

static uint8_t *put_port(uint8_t *at, uint16_t port)
{
    *at++ = (uint8_t)(port >> 8);
    *at++ = (uint8_t)port;
    return at;
}

const char *community_id(uint8_t protocol, const struct address *from, const struct address *to,
                         char text[static COMMUNITY_ID_SIZE])
{
    const struct address *low = is_first(to, from) ? to : from, *high = low == to ? from : to;
    uint8_t message[MESSAGE_LIMIT] = {0}, *at = message + 2;
    unsigned char digest[SHA_DIGEST_LENGTH];
    text[0] = '\0';
    if (from->family != to->family)
        return text;
    at = put(at, &low->ip, address_ip_size(low));
    at = put(at, &high->ip, address_ip_size(high));
    *at++ = protocol;
    *at++ = 0;
    at = put_port(put_port(at, low->port), high->port);
    CHECK(SHA1(message, (size_t)(at - message), digest) != NULL);
    memcpy(text, VERSION_PREFIX, PREFIX_LENGTH);
    EVP_EncodeBlock((unsigned char *)text + PREFIX_LENGTH, digest, sizeof(digest));
    return text;
}
