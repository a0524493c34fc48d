/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * interfaces.h - which interfaces the devices are on: all without a default route.
 *
 * Interfaces and routes come and go on a router, so this is asked again when the kernel tells of a
 * change. One thread. */
#ifndef GATE_INTERFACES_H
#define GATE_INTERFACES_H

#include "gate/netlink.h"

#include <net/if.h>

#define INTERFACES_LIMIT 64

struct interfaces {
    size_t count;
    char names[INTERFACES_LIMIT][IFNAMSIZ];
};

/* Loopback is never one of them. False with errno. */
bool interfaces_find_lan(struct interfaces *lan) must_check;

/* A socket that is told of links and routes that come and go. */
bool interfaces_watch(struct netlink *netlink) must_check;

/* Reads what the socket was told. True if it may have changed the answer. */
bool interfaces_changed(struct netlink *netlink);

#endif
