/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * packet.h - from the bytes of a packet to who talks to whom.
 *
 * A pure function of untrusted bytes. */
#ifndef GATE_PACKET_H
#define GATE_PACKET_H

#include "core/flow.h"
#include "core/reader.h"

/* Reads IPv4 (RFC 791) or IPv6 (RFC 8200, with its extension headers) and the start of TCP or UDP:
 * sets device, origin and protocol. False if the packet is cut short before the ports, is a later
 * fragment, or is neither TCP nor UDP; then the flow is not to be used. */
bool packet_parse(struct flow *flow, const uint8_t *bytes, size_t length) must_check;

/* What UDP carries in such a packet, as far as it is there; nothing if it is not UDP. */
struct reader packet_payload(const uint8_t *bytes, size_t length);

/* A TCP segment (RFC 9293, 3.1), as far as it is there. */
struct packet_segment {
    uint32_t sequence; /* of the first byte of the payload */
    bool starts, ends; /* SYN; FIN or RST */
    struct reader payload;
};

/* False if the packet is no TCP, or cut short in its header. */
bool packet_segment(struct packet_segment *segment, const uint8_t *bytes, size_t length) must_check;

/* What tells QUIC connections apart that share both ends: the identifier of the one that is spoken
 * to, as the first datagrams of all versions have it (RFC 8999), cut to 20 bytes; else nothing. */
#define PACKET_QUIC_ID_LIMIT 20
struct reader packet_quic_id(struct reader payload);

#endif
