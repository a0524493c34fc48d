/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * decided.h - destinations that the kernel decides by itself, because we told it to.
 *
 * Sets in our table, for each family: the destinations whose connections pass, those whose QUIC is
 * refused, and those whose connections pass for one device. An element is a kernel rule for one
 * address and port (and device); it expires by itself, and the sets are bounded. They are sets, not
 * verdict maps: an element with a jump in a map makes the kernel validate the whole table again for
 * each one that is added (13 ms at 60,000 elements, against 10 us for a set).
 *
 * One thread at a time: the one that holds the netlink socket. */
#ifndef GATE_DECIDED_H
#define GATE_DECIDED_H

#include "core/flow.h"
#include "gate/netlink.h"
#include "gate/nft.h"

struct decided_set {
    const char *name;
    enum nft_key key;
    enum verdict verdict;
    sa_family_t family;
    bool by_device;
};
#define DECIDED_SETS 6
extern const struct decided_set decided_sets[DECIDED_SETS];

/* A comment on an element is cut to what nft(8) shows. */
#define DECIDED_COMMENT_SIZE 120

struct decided {
    /* Whose connections; family 0: everybody's. Of one device's the rest tells what is known of its
     * names, and for how many seconds (0: for as long as others). */
    struct address device; /* the port does not count */
    struct device_key device_key;
    uint64_t names_version;
    uint32_t timeout;
    struct address origin;
    uint8_t protocol;
    enum verdict verdict; /* TAKE is for UDP: it is what refuses QUIC */
    char comment[DECIDED_COMMENT_SIZE];
};

/* Makes it hold for the flow's device only, for at most so many seconds, and no longer than the
 * names are known that it rests on. `now` as clock_ms() has it. */
void decided_for_device(struct decided *decided, const struct flow *flow, uint32_t timeout,
                        uint64_t now);

/* Which sets have room; all-zero at first. A full one is left alone for a while: to refuse an
 * element the kernel waits for all processors (synchronize_rcu(), 8 ms), and new connections would
 * wait with us. */
struct decided_room {
    uint64_t full_until[DECIDED_SETS]; /* as clock_ms() has it */
    bool told[DECIDED_SETS];           /* that it is full: once is enough */
};
#define DECIDED_FULL_MS 10000

/* The sets are empty, or those for single devices. */
void decided_room_reset(struct decided_room *room, bool devices_only);

/* Decisions that are added in one transaction, at most: the next SYN may have to wait for it. */
#define DECIDED_LIMIT 12

/* Adds them, but for those whose set is full: how many, or 0 with errno, then none. `now` as
 * clock_ms() has it. */
size_t decided_add(struct netlink *netlink, struct decided_room *room, const struct decided *items,
                   size_t count, uint64_t now) must_check;

/* One element, as the kernel tells it. */
struct decided_entry {
    struct decided decided;
    uint64_t timeout_ms, expires_ms; /* of its whole life, and what is left of it */
    uint64_t packets, bytes;         /* that devices sent to the destination */
};

/* Calls `each` for every destination that passes. Needs no ownership: any socket will do.
 * `default_timeout` (seconds) is the sets'. */
bool decided_list(struct netlink *netlink, uint32_t default_timeout,
                  void (*each)(const struct decided_entry *entry, void *context),
                  void *context) must_check;

#endif
