/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * interfaces.h - the interfaces without a default route, and what changes in the box's network:
 * interfaces, routes and policy rules come and go on a router. One thread. */
#ifndef GATE_INTERFACES_H
#define GATE_INTERFACES_H

#include "gate/netlink.h"

#include <net/if.h>

#define INTERFACES_LIMIT 256

struct interfaces {
    size_t count;
    size_t left_out; /* that are beyond the limit */
    char names[INTERFACES_LIMIT][IFNAMSIZ];
};

/* Loopback is never one of them. False with errno. */
bool interfaces_find_lan(struct interfaces *lan) must_check;

/* A socket that is told of links, routes and policy rules that come and go. */
bool interfaces_watch(struct netlink *netlink) must_check;

/* What it was told. */
struct network_changes {
    bool interfaces; /* the answer above may be another */
    bool routing;    /* a policy rule or a local route was removed */
};
struct network_changes interfaces_read(struct netlink *netlink);

#endif
