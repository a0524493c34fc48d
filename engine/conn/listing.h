/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * listing.h - a worker's connections, for those who look and those who change their mind. The
 * worker's thread. */
#ifndef CONN_LISTING_H
#define CONN_LISTING_H

#include "conn/pool.h"
#include "event/flow_list.h"

/* Adds those that are open, the youngest first; no more than there is room for are looked at. */
void listing_fill(struct pool *pool, struct flow_list *list);

struct listing_cuts {
    uint64_t intercepted, passed;
};

/* Ends those that the policy in force decides otherwise, as the device's first bytes have told who
 * they are: intercepted ones that would pass, and passed ones that would be intercepted. One that
 * passes for what it is (no TLS, say) goes on. Adds to the counts. Takes some steps of the walk;
 * false if that was the end of it. */
bool listing_cut(struct pool *pool, struct pool_walk *walk, struct listing_cuts *cuts);

#endif
