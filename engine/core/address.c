/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An IPv4 address in IPv6's clothes is an IPv4 address. */
static void set_ipv6(struct address *address, const struct in6_addr *ip)
{
    if (IN6_IS_ADDR_V4MAPPED(ip)) {
        address->family = AF_INET;
        memcpy(&address->ip.v4, &ip->s6_addr[12], sizeof(address->ip.v4));
    } else {
        address->family = AF_INET6;
        address->ip.v6 = *ip;
    }
}

bool address_from_sockaddr(struct address *address, const struct sockaddr_storage *socket_address)
{
    *address = (struct address){.family = socket_address->ss_family};
    if (socket_address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)socket_address;
        address->port = ntohs(in->sin_port);
        address->ip.v4 = in->sin_addr;
        return true;
    }
    if (socket_address->ss_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)socket_address;
    address->port = ntohs(in6->sin6_port);
    set_ipv6(address, &in6->sin6_addr);
    return true;
}

socklen_t address_to_sockaddr(const struct address *address,
                              struct sockaddr_storage *socket_address)
{
    memset(socket_address, 0, sizeof(*socket_address));
    if (address->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)socket_address;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        in->sin_addr = address->ip.v4;
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)socket_address;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address->port);
    in6->sin6_addr = address->ip.v6;
    return sizeof(*in6);
}

const char *address_ip_text(const struct address *address, char text[static INET6_ADDRSTRLEN])
{
    if (inet_ntop(address->family, &address->ip, text, INET6_ADDRSTRLEN) == NULL)
        snprintf(text, INET6_ADDRSTRLEN, "-");
    return text;
}

const char *address_text(const struct address *address, char text[static ADDRESS_TEXT_SIZE])
{
    char ip[INET6_ADDRSTRLEN];
    address_ip_text(address, ip);
    snprintf(text, ADDRESS_TEXT_SIZE, address->family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
             (unsigned)address->port);
    return text;
}

bool port_parse(uint16_t *port, const char *text)
{
    unsigned value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > UINT16_MAX)
            return false;
    }
    *port = (uint16_t)value;
    return true;
}

bool address_ip_parse(struct address *address, const char *text)
{
    struct address parsed = {.family = AF_INET};
    struct in6_addr ipv6;
    if (inet_pton(AF_INET, text, &parsed.ip) != 1) {
        if (inet_pton(AF_INET6, text, &ipv6) != 1)
            return false;
        set_ipv6(&parsed, &ipv6);
    }
    *address = parsed;
    return true;
}

bool address_parse(struct address *address, const char *text)
{
    struct address parsed = {.family = AF_INET};
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !port_parse(&parsed.port, colon + 1))
        return false;

    const char *start = text;
    const char *end = colon;
    bool bracketed = *text == '[';
    if (bracketed) {
        start++;
        end--;
        if (end < start || *end != ']')
            return false;
    }
    char ip[INET6_ADDRSTRLEN];
    size_t length = (size_t)(end - start);
    if (length >= sizeof(ip))
        return false;
    memcpy(ip, start, length);
    ip[length] = '\0';

    struct in6_addr ipv6;
    if (bracketed || inet_pton(AF_INET, ip, &parsed.ip) != 1) {
        if (inet_pton(AF_INET6, ip, &ipv6) != 1)
            return false;
        set_ipv6(&parsed, &ipv6);
    }
    *address = parsed;
    return true;
}

size_t address_ip_size(const struct address *address)
{
    return address->family == AF_INET ? sizeof(address->ip.v4) : sizeof(address->ip.v6);
}

bool address_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(&a->ip, &b->ip, address_ip_size(a)) == 0;
}
