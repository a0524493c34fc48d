/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * decided.h - destinations that the kernel decides by itself, because we told it to.
 *
 * Four sets in our table: the destinations whose connections pass, and those whose QUIC is refused,
 * for each family. An element is a kernel rule for one address and port; it expires by itself, and
 * the sets are bounded. They are sets, not verdict maps: an element with a jump in a map makes the
 * kernel validate the whole table again for each one that is added (13 ms at 60,000 elements,
 * against 10 us for a set).
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
};
#define DECIDED_SETS 4
extern const struct decided_set decided_sets[DECIDED_SETS];

/* A comment on an element is cut to what nft(8) shows. */
#define DECIDED_COMMENT_SIZE 120

struct decided {
    struct address device; /* whose connections; family 0: everybody's. The port does not count. */
    struct address origin;
    uint8_t protocol;
    enum verdict verdict; /* TAKE is for UDP: it is what refuses QUIC */
    char comment[DECIDED_COMMENT_SIZE];
};

/* Adds them all, or none. False with errno: ENFILE if a set is full. */
bool decided_add(struct netlink *netlink, const struct decided *items, size_t count) must_check;

/* Forgets everything, atomically. */
bool decided_flush(struct netlink *netlink) must_check;

/* The same as part of a transaction. */
void decided_flush_in(struct nft *nft);

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
