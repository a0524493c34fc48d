/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vendors.h - who makes devices with which MAC addresses: the IEEE's list of 24-bit prefixes
 * (MA-L), as the package ieee-data and others have it (oui.txt).
 *
 * A sorted table of prefixes, and each vendor's name once: 32,500 prefixes of 18,700 vendors take
 * 0.7 MB, and 20 ms to be read. It never changes once it is made; any thread may look in it. */
#ifndef POLICY_VENDORS_H
#define POLICY_VENDORS_H

#include "core/flow.h"

#define VENDOR_NAME_SIZE 64

struct vendors;

/* Reads the text of oui.txt, of which the lines "28-CD-C1   (hex)  NAME" count. Control characters
 * become blanks, and what is too long is cut. NULL if there is no memory. */
struct vendors *vendors_parse(const char *text, size_t length) must_check;
void vendors_free(struct vendors *vendors);

size_t vendors_count(const struct vendors *vendors);  /* of prefixes */
size_t vendors_memory(const struct vendors *vendors); /* bytes */

/* Whose address this is; NULL if unknown, as for those that devices make up themselves. */
const char *vendors_find(const struct vendors *vendors, const uint8_t mac[static MAC_SIZE]);

#endif
