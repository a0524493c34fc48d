/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * known.h - what is known of the devices: it changes all the time, and outlives every policy.
 *
 * The engine's, shared by all threads that decide: each part has a lock of its own. */
#ifndef POLICY_KNOWN_H
#define POLICY_KNOWN_H

#include "core/arena.h"
#include "core/flow.h"
#include "policy/config.h"
#include "policy/devices.h"
#include "policy/dns_watch.h"
#include "policy/learned.h"
#include "policy/names.h"

#include <stdatomic.h>

struct known {
    struct devices *devices; /* who they are */
    struct names *names;     /* what they were told by DNS */
    struct dns_watch *dns;   /* who listens to that; the gate's thread only */
    struct learned *learned; /* where our certificate is refused */
    atomic_bool watches_dns; /* the gate does: what a device resolves comes to be known */
};

/* NULL if there is no memory. */
struct known *known_new(void) must_check;
void known_free(struct known *known);

/* Tells of the flow what is known of its device: to be called before it is decided. What it points
 * to lives in the arena. `now` as clock_ms() has it. */
void known_describe(struct known *known, struct flow *flow, struct arena *arena, uint64_t now);

/* What a device is called, by the operator or by itself; NULL if nobody says. In `name`, or the
 * configuration's. */
const char *known_name(struct known *known, const struct config *config,
                       const struct device_key *key, const struct address *address,
                       char name[static MDNS_NAME_SIZE]);

#endif
