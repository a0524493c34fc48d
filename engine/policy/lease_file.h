/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lease_file.h - reads the files in which DHCP servers keep their leases.
 *
 * Which server's a file is, its contents tell. What devices have told the server stands in them:
 * nothing is trusted. A pure function. */
#ifndef POLICY_LEASE_FILE_H
#define POLICY_LEASE_FILE_H

#include "core/flow.h"

enum lease_format {
    LEASES_UNKNOWN,
    LEASES_DNSMASQ, /* a lease a line; IPv4 and IPv6 */
    LEASES_ISC,     /* dhcpd.leases(5): statements, the last of an address counts */
    LEASES_ODHCPD,  /* its state file, or the hosts file that it makes of it */
    LEASES_KEA,     /* memfile: CSV with a header, the last line of an address counts */
};

/* What a file says of an address; it may say more later. */
struct lease {
    struct address address;
    bool has_mac;
    uint8_t mac[MAC_SIZE];
    const char *name;   /* in the text; as the device wrote it, any bytes */
    size_t name_length; /* 0: the device has no name, or its lease is over */
};

/* Calls `each` for every lease, in the order of the file. What cannot be read is left out. UNKNOWN
 * if the text has the form of none of them, as an empty one has. */
enum lease_format lease_file_read(const char *text, size_t length,
                                  void (*each)(void *context, const struct lease *lease),
                                  void *context);

#endif
