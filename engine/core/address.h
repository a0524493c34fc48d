/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * address.h - an IP address and a port, of either family, as a plain value. */
#ifndef CORE_ADDRESS_H
#define CORE_ADDRESS_H

#include "core/macros.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Longest "address:port" text: a bracketed IPv6 address, a colon, five digits, NUL. */
#define ADDRESS_TEXT_SIZE (INET6_ADDRSTRLEN + 8)

struct address {
    sa_family_t family; /* AF_INET or AF_INET6; 0 is "none" */
    uint16_t port;      /* host byte order */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } ip;
};

/* False for any family but the two. IPv4-mapped IPv6 addresses become IPv4. */
bool address_from_sockaddr(struct address *address, const struct sockaddr_storage *socket_address);

/* Returns the length of the filled part. */
socklen_t address_to_sockaddr(const struct address *address,
                              struct sockaddr_storage *socket_address);

/* The address as text without its port (IPv6 as RFC 5952 says). Returns `text`. */
const char *address_ip_text(const struct address *address, char text[static INET6_ADDRSTRLEN]);

/* "192.0.2.1:443" or "[2001:db8::1]:443". Returns `text`. */
const char *address_text(const struct address *address, char text[static ADDRESS_TEXT_SIZE]);

/* Reads "192.0.2.1:443", "[2001:db8::1]:443" and mitmproxy's "2001:db8::1:443" (the last colon is
 * the port's). False, and nothing written, if it is none of them. */
bool address_parse(struct address *address, const char *text) must_check;

/* Reads an address alone, without brackets. False, and nothing written, if it is none. */
bool address_ip_parse(struct address *address, const char *text) must_check;

/* Reads a port in decimal, 0 to 65535, and nothing behind it. */
bool port_parse(uint16_t *port, const char *text) must_check;

/* The number of bytes of the address proper: 4 or 16. They start at &address->ip. */
size_t address_ip_size(const struct address *address);

/* Equality of the IP addresses; ports are not looked at. */
bool address_same_ip(const struct address *a, const struct address *b);

#endif
