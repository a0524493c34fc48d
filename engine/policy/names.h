/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * names.h - what devices were told by DNS: which names are at which addresses, for each device.
 *
 * Bounded: where there is no room, what was told longest ago goes, and it stays known that there
 * was more. The engine's, shared by all threads that decide; every function may be called from any
 * of them. Times are those of clock_ms(). */
#ifndef POLICY_NAMES_H
#define POLICY_NAMES_H

#include "core/arena.h"
#include "core/flow.h"

/* Pairs of a device and an address that are kept in all and of one device, so that none that has
 * itself told too much pushes out the others'; and names of each. About 150 bytes a pair and the
 * length of its names: below 20 MB in all. */
#define NAMES_LIMIT 65536
#define NAMES_DEVICE_LIMIT 16384
#define NAMES_EACH 8

/* Devices use an address for longer than DNS lets them: an app keeps it while it runs. So a name is
 * remembered for its TTL and this time, in seconds. */
#define NAMES_GRACE 3600

struct names;

/* NULL if there is no memory. */
struct names *names_new(void) must_check;
void names_free(struct names *names);

/* The device was told that `name` (lower case, no dot at its end) is at the address, for `ttl`
 * seconds. True if that is news: it did not know this name there. */
bool names_add(struct names *names, const struct device_key *device, const struct address *address,
               const char *name, uint32_t ttl, uint64_t now);

/* Sets the names of the flow, until when they are known, and whether they are all; copied into the
 * arena. */
void names_find(struct names *names, struct flow *flow, struct arena *arena, uint64_t now);

#endif
