/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The comments in here are the rules as nft(8) prints them. */
#include "gate/exclusions.h"

#include "gate/nft_rule.h"

struct exclusions *exclusions_new(size_t limit)
{
    struct exclusions *exclusions =
        calloc(1, sizeof(*exclusions) + limit * sizeof(struct exclusion));
    CHECK(exclusions != NULL);
    return exclusions;
}

static bool same_rule(const struct exclusion *a, const struct exclusion *b)
{
    return a->by == b->by && a->excluded == b->excluded && memcmp(a->mac, b->mac, MAC_SIZE) == 0 &&
           a->prefix == b->prefix && address_same_ip(&a->network, &b->network) &&
           strcmp(a->interface, b->interface) == 0;
}

bool exclusions_same(const struct exclusions *a, const struct exclusions *b)
{
    if (a->count != b->count || a->all_others != b->all_others)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_rule(&a->rules[i], &b->rules[i]))
            return false;
    return true;
}

static void add_rule(struct nft *nft, const struct exclusion *rule)
{
    nft_rule(nft, EXCLUSIONS_CHAIN);
    switch (rule->by) {
    case EXCLUSION_BY_MAC: /* ether saddr MAC */
        nft_source_mac(nft, rule->mac);
        break;
    case EXCLUSION_BY_NETWORK: /* ip saddr NETWORK/PREFIX, or ip6 */
        nft_source_in_network(nft, &rule->network, rule->prefix);
        break;
    case EXCLUSION_BY_INTERFACE: /* iifname "NAME" */
        nft_interface_is(nft, rule->interface);
        break;
    }
    if (rule->excluded)
        nft_goto(nft, "pass");
    else
        nft_return(nft);
    nft_rule_end(nft, EXCLUSIONS_CHAIN);
}

void exclusions_add(struct nft *nft, const struct exclusions *exclusions)
{
    for (size_t i = 0; i < exclusions->count; i++)
        add_rule(nft, &exclusions->rules[i]);
    if (!exclusions->all_others)
        return;
    /* goto pass */
    nft_rule(nft, EXCLUSIONS_CHAIN);
    nft_goto(nft, "pass");
    nft_rule_end(nft, EXCLUSIONS_CHAIN);
}
