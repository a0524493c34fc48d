/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * packet.h - from the bytes of a packet to who talks to whom.
 *
 * A pure function of untrusted bytes. */
#ifndef GATE_PACKET_H
#define GATE_PACKET_H

#include "core/flow.h"

/* Reads IPv4 (RFC 791) or IPv6 (RFC 8200, with its extension headers) and the start of TCP or UDP:
 * sets device, origin and protocol. False if the packet is cut short before the ports, is a later
 * fragment, or is neither TCP nor UDP; then the flow is not to be used. */
bool packet_parse(struct flow *flow, const uint8_t *bytes, size_t length) must_check;

#endif
