/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mdns.h - the name that a device tells of itself by multicast DNS (RFC 6762).
 *
 * A pure function: packets come from whoever is on the LAN. */
#ifndef POLICY_MDNS_H
#define POLICY_MDNS_H

#include "core/address.h"
#include "policy/device_name.h"

/* No packet is larger (RFC 6762, section 17). */
#define MDNS_PACKET_LIMIT 9000

#define MDNS_NAME_SIZE (DEVICE_NAME_SIZE + sizeof(".local"))

/* Reads the name out of an announcement (or any other response) that came from `source`: one record
 * in it says that NAME.local has this very address, or that the address is NAME.local's. So a
 * device can only name itself. False if there is no such record. */
bool mdns_read(const uint8_t *bytes, size_t length, const struct address *source,
               char name[static MDNS_NAME_SIZE]) must_check;

#endif
