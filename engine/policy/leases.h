/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * leases.h - the names that devices have told a DHCP server, by MAC and by IP address.
 *
 * Filled by one thread; then it changes no more, and any thread may look names up. */
#ifndef POLICY_LEASES_H
#define POLICY_LEASES_H

#include "policy/lease_file.h"

/* Leases that are kept; what comes beyond is left out. */
#define LEASES_LIMIT 16384

struct leases;

/* NULL if there is no memory. */
struct leases *leases_new(void) must_check;
void leases_free(struct leases *leases);

/* Takes the place of what was known of its address. One without a name is not kept. */
void leases_add(struct leases *leases, const struct lease *lease);

size_t leases_count(const struct leases *leases);

/* What the device with this MAC address calls itself; NULL if unknown. */
const char *leases_name_of_mac(const struct leases *leases, const uint8_t mac[static MAC_SIZE]);

/* What the device calls itself that has leased this address; NULL if unknown, or if that is known
 * to be another one than the one with `mac` (or NULL). */
const char *leases_name_of_address(const struct leases *leases, const struct address *address,
                                   const uint8_t *mac);

#endif
