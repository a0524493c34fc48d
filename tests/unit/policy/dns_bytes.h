/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_bytes.h - DNS messages for tests, byte by byte (RFC 1035, section 4). cmocka.h must be
 * included before. */
#ifndef TESTS_DNS_BYTES_H
#define TESTS_DNS_BYTES_H

#include "core/macros.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define DNS_A 1
#define DNS_CNAME 5
#define DNS_AAAA 28
#define DNS_HTTPS 65

struct dns_bytes {
    uint8_t at[70000];
    size_t length;
};

static inline void put_u16(struct dns_bytes *bytes, unsigned value)
{
    bytes->at[bytes->length++] = (uint8_t)(value >> 8);
    bytes->at[bytes->length++] = (uint8_t)value;
}

static inline void put_bytes(struct dns_bytes *bytes, const void *from, size_t length)
{
    memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

/* "a.test"; "" is the root. */
static inline void put_name(struct dns_bytes *bytes, const char *name)
{
    while (*name != '\0') {
        const size_t length = strcspn(name, ".");
        bytes->at[bytes->length++] = (uint8_t)length;
        put_bytes(bytes, name, length);
        name += length + (name[length] == '.');
    }
    bytes->at[bytes->length++] = 0;
}

/* The header, with no records yet, and the question. */
static inline void put_message(struct dns_bytes *bytes, unsigned id, unsigned flags,
                               const char *name, unsigned type)
{
    bytes->length = 0;
    put_u16(bytes, id);
    put_u16(bytes, flags);
    put_u16(bytes, 1);
    put_u16(bytes, 0);
    put_u16(bytes, 0);
    put_u16(bytes, 0);
    put_name(bytes, name);
    put_u16(bytes, type);
    put_u16(bytes, 1);
}

#define DNS_QUERY 0x0100
#define DNS_ANSWER 0x8180

/* A record of the answer section; its data is what is put before dns_end_record(). */
static inline size_t begin_record(struct dns_bytes *bytes, const char *owner, unsigned type,
                                  uint32_t ttl)
{
    bytes->at[7]++;
    put_name(bytes, owner);
    put_u16(bytes, type);
    put_u16(bytes, 1);
    put_u16(bytes, ttl >> 16);
    put_u16(bytes, ttl & 0xffff);
    put_u16(bytes, 0);
    return bytes->length;
}

static inline void end_record(struct dns_bytes *bytes, size_t start)
{
    const size_t length = bytes->length - start;
    bytes->at[start - 2] = (uint8_t)(length >> 8);
    bytes->at[start - 1] = (uint8_t)length;
}

static inline void put_alias(struct dns_bytes *bytes, const char *owner, const char *target,
                             uint32_t ttl)
{
    size_t start = begin_record(bytes, owner, DNS_CNAME, ttl);
    put_name(bytes, target);
    end_record(bytes, start);
}

static inline void put_ip(struct dns_bytes *bytes, const char *ip)
{
    uint8_t binary[16];
    const int family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(family, ip, binary), 1);
    put_bytes(bytes, binary, family == AF_INET ? 4 : 16);
}

static inline void put_address(struct dns_bytes *bytes, const char *owner, const char *ip,
                               uint32_t ttl)
{
    size_t start = begin_record(bytes, owner, strchr(ip, ':') != NULL ? DNS_AAAA : DNS_A, ttl);
    put_ip(bytes, ip);
    end_record(bytes, start);
}

#endif
