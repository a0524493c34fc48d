/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns.h - what a DNS message (RFC 1035) tells of names and addresses.
 *
 * A pure function of untrusted bytes; ldns takes them apart (tap/dns_packet.h). */
#ifndef POLICY_DNS_H
#define POLICY_DNS_H

#include "core/address.h"

#define DNS_NAME_SIZE 254
#define DNS_ADDRESSES 64
/* Aliases that are followed (CNAME, and HTTPS and SVCB records that lead elsewhere: RFC 9460). */
#define DNS_ALIASES 16

struct dns_address {
    struct address address; /* without a port */
    uint32_t ttl;           /* seconds: the shortest on the way there */
};

struct dns_message {
    uint16_t id;
    bool is_answer;
    char name[DNS_NAME_SIZE]; /* that was asked for: lower case, without the last dot */
    uint16_t type;
    /* Where the name is, by an answer: A and AAAA records, and the hints of HTTPS and SVCB records,
     * of the name itself and of what it is an alias of. */
    struct dns_address addresses[DNS_ADDRESSES];
    size_t address_count;
};

/* False if it is no query or answer about one host name. An answer that is cut short (TC), or an
 * error, has no addresses. */
bool dns_read(struct dns_message *message, const uint8_t *bytes, size_t length) must_check;

#endif
