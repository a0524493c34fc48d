/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * devices.h - the devices that were seen, and what is known of each: addresses, name, vendor.
 *
 * A device is known by its MAC address or, where there is none, by its IP address. Bounded: the
 * device that was not seen for the longest gives way. Shared by all threads, any of which may call
 * any function: each holds one lock for a look-up or two; only what comes every few seconds at most
 * goes through the whole table. */
#ifndef POLICY_DEVICES_H
#define POLICY_DEVICES_H

#include "core/arena.h"
#include "core/flow.h"
#include "policy/leases.h"
#include "policy/mdns.h"
#include "policy/vendors.h"

/* A device with a name and all its addresses takes 1.3 KB. */
#define DEVICES_LIMIT 2048
/* Of one device; those that were not seen for the longest give way. */
#define DEVICE_ADDRESSES_LIMIT 8

struct devices;

struct devices *devices_new(void) must_check;
void devices_free(struct devices *devices);

/* Notes that the flow's device is there, at this address, and tells the flow what is known of it;
 * that lives in the arena. A flow without a device stays as it is. `now` as clock_ms() has it. */
void devices_describe(struct devices *devices, struct flow *flow, struct arena *arena,
                      uint64_t now);

/* Adds to a flow that says one of them what is known of the device's MAC address, IP address and
 * interface. */
void devices_complete(struct devices *devices, struct flow *flow);

/* Counts a connection of the flow's device, when its first decision has fallen. */
void devices_count(struct devices *devices, const struct flow *flow, enum verdict verdict);

/* The kernel has seen a device, with a MAC address, at this time: what never asks us (since it is
 * excluded, say) is there, too. */
void devices_notice(struct devices *devices, const struct flow *seen, uint64_t when);

/* A device has told its name by multicast DNS. One that is not known yet gets it when it is, if
 * that is soon. */
void devices_set_name(struct devices *devices, const struct flow *from, const char *name);

/* The name that a device tells, or a DHCP server; it is not noted as seen. NULL if there is none.
 */
const char *devices_find_name(struct devices *devices, const struct device_key *key,
                              char name[static MDNS_NAME_SIZE]);

/* What DHCP servers know, and the list of vendors, from now on. Both go over, and may be NULL. */
void devices_set_leases(struct devices *devices, struct leases *leases);
void devices_set_vendors(struct devices *devices, struct vendors *vendors);

enum name_source { NAMED_BY_NOBODY, NAMED_BY_MDNS, NAMED_BY_LEASE };

struct device_facts {
    bool has_mac;
    uint8_t mac[MAC_SIZE];
    struct address addresses[DEVICE_ADDRESSES_LIMIT]; /* the last seen first */
    size_t address_count;
    char interface[IFNAMSIZ];
    char name[MDNS_NAME_SIZE];
    enum name_source name_source;
    char vendor[VENDOR_NAME_SIZE];
    time_t first_seen;      /* by the clock on the wall */
    uint64_t last_seen;     /* as clock_ms() has it */
    uint64_t taken, passed; /* connections that we were asked about */
};

/* All devices, to be freed by the caller; NULL if there is no memory. */
struct device_facts *devices_list(struct devices *devices, size_t *count) must_check;

#endif
