/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * exclusions.h - devices whose connections never reach us: the chain `exclusions` of our table,
 * which each new connection goes through before it could be queued.
 *
 * The first rule that fits decides: an excluded device's connections pass, others are asked about.
 * A plain value, made by whoever knows the configuration; it goes over to the gate. */
#ifndef GATE_EXCLUSIONS_H
#define GATE_EXCLUSIONS_H

#include "core/flow.h"
#include "gate/nft.h"

#define EXCLUSIONS_CHAIN "exclusions"

enum exclusion_by { EXCLUSION_BY_MAC, EXCLUSION_BY_NETWORK, EXCLUSION_BY_INTERFACE };

struct exclusion {
    enum exclusion_by by;
    bool excluded; /* false: is asked about, whatever rules behind this one say */
    uint8_t mac[MAC_SIZE];
    struct address network; /* so many bits of it: */
    uint8_t prefix;
    char interface[IFNAMSIZ];
};

struct exclusions {
    bool all_others; /* that no rule fits are excluded */
    size_t count;
    struct exclusion rules[];
};

/* With room for so many rules, all of them zero, and none counted. Freed by free(). */
struct exclusions *exclusions_new(size_t limit) must_check;

bool exclusions_same(const struct exclusions *a, const struct exclusions *b);

/* Adds the rules to the chain, which is empty. */
void exclusions_add(struct nft *nft, const struct exclusions *exclusions);

#endif
