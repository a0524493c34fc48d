/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_packet.h - takes DNS messages (RFC 1035) apart, by ldns, for all that read them. Pure
 * functions of untrusted bytes. */
#ifndef TAP_DNS_PACKET_H
#define TAP_DNS_PACKET_H

#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* A longer message is not read. Addresses are not told at such length, and packets wait while it is
 * read: names that are made of pointers to pointers take a time that grows with the square of the
 * length, 0.6 ms at this one, 9 ms at four times as much (measured). */
#define DNS_MESSAGE_LIMIT ((size_t)4 << 10)

struct ldns_struct_pkt; /* ldns/ldns.h */
struct ldns_struct_rr;

/* NULL if it is no message, or too long. The caller's, with ldns_pkt_free(). */
struct ldns_struct_pkt *dns_packet_read(const uint8_t *bytes, size_t length) must_check;

/* Writes the record's data as it stands on the wire, without compression. Returns its length; 0 if
 * it does not fit. */
size_t dns_packet_data(const struct ldns_struct_rr *record, uint8_t *out, size_t size);

#endif
