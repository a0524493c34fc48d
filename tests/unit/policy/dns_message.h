/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_message.h - makes DNS messages for tests, without compression unless a pointer is put.
 * cmocka.h must be included before. */
#ifndef TESTS_POLICY_DNS_MESSAGE_H
#define TESTS_POLICY_DNS_MESSAGE_H

#include "core/address.h"

#include <string.h>

enum { DNS_A = 1, DNS_CNAME = 5, DNS_TXT = 16, DNS_AAAA = 28, DNS_SVCB = 64, DNS_HTTPS = 65 };
enum { DNS_QUERY = 0x0100, DNS_ANSWER = 0x8180, DNS_CUT = 0x0200 };
#define DNS_NUMBER 0x1234
/* Points at the name in the question. */
#define DNS_ASKED 0xc00c

struct dns_bytes {
    uint8_t at[65536];
    size_t length;
};

static inline void put(struct dns_bytes *bytes, const void *data, size_t length)
{
    assert_true(bytes->length + length <= sizeof(bytes->at));
    memcpy(bytes->at + bytes->length, data, length);
    bytes->length += length;
}

static inline void put_number(struct dns_bytes *bytes, uint32_t number, size_t size)
{
    for (size_t i = size; i > 0; i--)
        put(bytes, &(uint8_t){(uint8_t)(number >> 8 * (i - 1))}, 1);
}

/* "a.test" as labels; "" is the root. */
static inline void put_name(struct dns_bytes *bytes, const char *name)
{
    while (*name != '\0') {
        const size_t length = strcspn(name, ".");
        put_number(bytes, (uint32_t)length, 1);
        put(bytes, name, length);
        name += length + (name[length] == '.');
    }
    put_number(bytes, 0, 1);
}

/* The head of a message with one question; records() says how many follow. */
static inline void start(struct dns_bytes *bytes, uint32_t flags, const char *name, uint32_t type)
{
    bytes->length = 0;
    put_number(bytes, DNS_NUMBER, 2);
    put_number(bytes, flags, 2);
    put_number(bytes, 1, 2);
    put_number(bytes, 0, 4);
    put_number(bytes, 0, 2);
    put_name(bytes, name);
    put_number(bytes, type, 2);
    put_number(bytes, 1, 2);
}

/* Counts another record: in the answer, or in the additional section. */
static inline void count_record(struct dns_bytes *bytes, bool is_additional)
{
    uint8_t *count = bytes->at + (is_additional ? 10 : 6);
    count[1]++;
    count[0] = (uint8_t)(count[0] + (count[1] == 0));
}

/* In the answer; the owner NULL: the name that was asked for. */
static inline void put_record(struct dns_bytes *bytes, const char *owner, uint32_t type,
                              uint32_t ttl, const void *data, size_t length)
{
    count_record(bytes, false);
    if (owner == NULL)
        put_number(bytes, DNS_ASKED, 2);
    else
        put_name(bytes, owner);
    put_number(bytes, type, 2);
    put_number(bytes, 1, 2);
    put_number(bytes, ttl, 4);
    put_number(bytes, (uint32_t)length, 2);
    put(bytes, data, length);
}

static inline void put_address(struct dns_bytes *bytes, const char *owner, const char *text,
                               uint32_t ttl)
{
    struct address address;
    assert_true(address_ip_parse(&address, text));
    put_record(bytes, owner, address.family == AF_INET ? DNS_A : DNS_AAAA, ttl, &address.ip,
               address_ip_size(&address));
}

static inline void put_alias(struct dns_bytes *bytes, const char *owner, const char *target,
                             uint32_t ttl)
{
    static struct dns_bytes data;
    data.length = 0;
    put_name(&data, target);
    put_record(bytes, owner, DNS_CNAME, ttl, data.at, data.length);
}

#endif
