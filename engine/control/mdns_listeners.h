/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mdns_listeners.h - hears what devices say of themselves by multicast DNS (RFC 6762), on each of
 * their interfaces, and never says a word.
 *
 * Beside whoever else listens on this box (avahi, systemd-resolved): the sockets are bound to the
 * groups' addresses, so nothing that is for those comes here. The control thread's. */
#ifndef CONTROL_MDNS_LISTENERS_H
#define CONTROL_MDNS_LISTENERS_H

#include "core/bucket.h"
#include "core/loop.h"
#include "gate/interfaces.h"
#include "policy/devices.h"

/* Two descriptors each. */
#define MDNS_INTERFACES_LIMIT 32

struct mdns_listener {
    struct mdns_listeners *all;
    char interface[IFNAMSIZ];
    uint32_t index;          /* 0: not in use */
    struct watch ipv4, ipv6; /* -1 where there is no such socket (yet) */
    struct bucket packets;   /* that are looked at: whoever floods is not heard */
};

struct mdns_listeners {
    struct loop *loop;
    struct devices *devices; /* to be told; borrowed */
    struct netlink netlink;  /* to ask for MAC addresses */
    bool taken_told;         /* that somebody keeps the port to himself */
    struct mdns_listener items[MDNS_INTERFACES_LIMIT];
    uint8_t packet[MDNS_PACKET_LIMIT];
};

/* Listens nowhere yet. False with errno. */
bool mdns_listeners_init(struct mdns_listeners *listeners, struct loop *loop,
                         struct devices *devices) must_check;
void mdns_listeners_fini(struct mdns_listeners *listeners);

/* Listens on these interfaces from now on, as far as they are ready for it; to be called again and
 * again. NULL: on none. */
void mdns_listeners_follow(struct mdns_listeners *listeners, const struct interfaces *lan);

#endif
