/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * neighbour.h - where a device is, and its MAC address, from the kernel's tables. One thread. */
#ifndef GATE_NEIGHBOUR_H
#define GATE_NEIGHBOUR_H

#include "core/flow.h"
#include "gate/netlink.h"

/* Answers are kept for half a minute: a device opens many connections. */
#define NEIGHBOURS_KEPT 256

struct neighbour {
    struct address device; /* family 0: empty */
    uint64_t until;        /* ms, on the caller's clock */
    bool has_mac;
    uint8_t mac[MAC_SIZE];
    char interface[IFNAMSIZ];
};

struct neighbours {
    struct netlink netlink;
    struct neighbour kept[NEIGHBOURS_KEPT];
};

bool neighbours_open(struct neighbours *neighbours) must_check;
void neighbours_close(struct neighbours *neighbours);

/* Fills interface, has_mac and mac of the flow for its device, as far as the kernel knows them.
 * What is not kept takes two short questions, some microseconds. */
void neighbours_find(struct neighbours *neighbours, struct flow *flow, uint64_t now);

/* The MAC address of who is at this address, behind the interface with this index, as far as the
 * kernel knows. */
bool neighbour_mac(struct netlink *netlink, const struct address *address, uint32_t index,
                   uint8_t mac[static MAC_SIZE]) must_check;

/* Calls `each` for everyone with a MAC address in the kernel's tables: device, mac and interface of
 * the flow are filled, and the kernel has last heard of it so many ms ago. Link-local addresses are
 * left out. False with errno. */
bool neighbours_list(struct netlink *netlink,
                     void (*each)(const struct flow *seen, uint64_t ago_ms, void *context),
                     void *context) must_check;

#endif
