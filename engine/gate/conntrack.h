/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conntrack.h - what the kernel knows of the connections that it lets pass by itself: connection
 * tracking counts them, and tells when one is over (libnetfilter_conntrack).
 *
 * They are known by their ct mark (nft/interceptd.nft). The kernel looks at it, so what is taken,
 * or is none of ours, never comes here. One thread. */
#ifndef GATE_CONNTRACK_H
#define GATE_CONNTRACK_H

#include "core/flow.h"
#include "gate/netlink.h"
#include "gate/ruleset.h"

/* One connection, as the kernel tells it. */
struct conntrack_entry {
    struct address device, origin; /* as its first packet had them, before any translation (NAT) */
    uint8_t protocol;
    uint16_t zone;     /* 0, unless somebody divides connection tracking */
    bool cut;          /* it is refused since conntrack_cut() */
    bool closed;       /* TCP: both sides have ended it */
    const char *state; /* in conntrack's words: "established"; UDP: "replied", "unreplied" */
    uint64_t start;    /* ns since 1970; 0: unknown */
    uint64_t last;     /* of an entry that is over: its last packet, likewise */
    bool counted;      /* these are known: of IP packets, headers included */
    uint64_t packets_to_server, packets_to_client;
    uint64_t bytes_to_server, bytes_to_client;
};

struct conntrack {
    struct marks marks;
    struct netlink requests;
    struct netlink events; /* of entries that are over; its socket is NULL while nobody listens */
    uint32_t timeouts[16]; /* by what an entry was last: seconds until the kernel forgets it */
    void (*over)(void *context, const struct conntrack_entry *entry);
    void *context;
};

/* Asks the kernel for connection tracking, which loads it where it is a module. False with errno if
 * it has none, or we may not ask. */
bool conntrack_open(struct conntrack *conntrack, const struct marks *marks) must_check;
void conntrack_close(struct conntrack *conntrack);

/* From now on `over(context, entry)` is told of each connection that passed and is over; NULL:
 * nobody is, and it costs nothing. False with errno. */
bool conntrack_listen(struct conntrack *conntrack,
                      void (*over)(void *context, const struct conntrack_entry *entry),
                      void *context) must_check;
int conntrack_fd(const struct conntrack *conntrack); /* readable when there is news; -1 */

/* Tells of `limit` of them at most. False if there are no more for now. */
bool conntrack_read(struct conntrack *conntrack, size_t limit);

/* How many were never told since conntrack_listen(), because we read too slowly. */
uint32_t conntrack_lost(const struct conntrack *conntrack);

/* Calls `each` for every connection that passes now. False with errno. */
bool conntrack_list(struct conntrack *conntrack,
                    void (*each)(void *context, const struct conntrack_entry *entry),
                    void *context) must_check;

/* From now on it is refused: whatever the device sends is answered with a reset, or with an ICMP
 * error. False with errno: ENOENT if it is over meanwhile. */
bool conntrack_cut(struct conntrack *conntrack, const struct conntrack_entry *entry) must_check;

#endif
