/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * device_rules.h - when the kernel's rules for one device and destination are no longer right.
 *
 * Such a rule rests on the names that the device has resolved to the address, and on the device's
 * own address being its own. What is kept here is by hash: it may say that a rule is to go which
 * might have stayed, never the other way round. The gate's thread. */
#ifndef GATE_DEVICE_RULES_H
#define GATE_DEVICE_RULES_H

#include "gate/decided.h"

#define DEVICE_RULES_BUCKETS 8192
#define DEVICE_RULES_OWNERS 1024
#define DEVICE_RULES_OWNERS_EACH 4

/* Whose addresses the kernel's rules are for, of those with the same hash. */
struct device_owners {
    struct device_owner {
        struct address address;
        struct device_key device;
    } items[DEVICE_RULES_OWNERS_EACH];
    uint8_t count;
    bool has_more; /* than there was room for */
};

/* All-zero: nothing is known. */
struct device_rules {
    uint64_t news;                          /* names that were new, so far: their version */
    uint64_t news_at[DEVICE_RULES_BUCKETS]; /* the last of them, by device and address */
    bool taught[DEVICE_RULES_BUCKETS];      /* the kernel has a rule for them */
    struct device_owners owners[DEVICE_RULES_OWNERS];
};

/* False if the decision rests on less than is known by now; otherwise it is noted that the kernel
 * is told. */
bool device_rules_add(struct device_rules *rules, const struct decided *decided) must_check;

/* The device has resolved another name to the address. True if the kernel may have a rule that did
 * not know of it. */
bool device_rules_news(struct device_rules *rules, const struct device_key *device,
                       const struct address *address) must_check;

/* A packet of the device's. True if the kernel may have a rule for its address that is another
 * device's: one whose address it was before. */
bool device_rules_see(struct device_rules *rules, const struct flow *flow) must_check;

/* The kernel has none of these rules any more. */
void device_rules_flushed(struct device_rules *rules);

#endif
