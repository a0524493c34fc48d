/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/device_rules.h"

#include <string.h>

#define HASH_START 2166136261u

/* FNV-1a. Nobody gains anything by a collision: a rule is asked about once more. */
static uint32_t hash(uint32_t value, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++)
        value = (value ^ at[i]) * 16777619u;
    return value;
}

static uint32_t hash_address(uint32_t value, const struct address *address)
{
    return hash(value, &address->ip, address_ip_size(address));
}

static size_t bucket_of(const struct device_key *device, const struct address *address)
{
    return hash_address(hash(HASH_START, device->bytes, device->size), address) %
           DEVICE_RULES_BUCKETS;
}

/* ---- whose addresses the rules are for ---- */

static struct device_owners *owners_of(struct device_rules *rules, const struct address *address)
{
    return &rules->owners[hash_address(HASH_START, address) % DEVICE_RULES_OWNERS];
}

static struct device_owner *find_owner(struct device_owners *owners, const struct address *address)
{
    for (size_t i = 0; i < owners->count; i++)
        if (address_same_ip(&owners->items[i].address, address))
            return &owners->items[i];
    return NULL;
}

static void note_owner(struct device_rules *rules, const struct decided *decided)
{
    struct device_owners *owners = owners_of(rules, &decided->device);
    struct device_owner *owner = find_owner(owners, &decided->device);
    if (owner == NULL && owners->count == DEVICE_RULES_OWNERS_EACH) {
        owners->has_more = true;
        return;
    }
    if (owner == NULL)
        owner = &owners->items[owners->count++];
    *owner = (struct device_owner){decided->device, decided->device_key};
}

bool device_rules_see(struct device_rules *rules, const struct flow *flow)
{
    struct device_owners *owners = owners_of(rules, &flow->device);
    const struct device_owner *owner = find_owner(owners, &flow->device);
    const struct device_key device = flow_device_key(flow);
    if (owner == NULL)
        return owners->has_more;
    return memcmp(&owner->device, &device, sizeof(device)) != 0;
}

/* ---- what they rest on ---- */

bool device_rules_add(struct device_rules *rules, const struct decided *decided)
{
    const size_t bucket = bucket_of(&decided->device_key, &decided->origin);
    if (decided->names_version < rules->news_at[bucket])
        return false;
    rules->taught[bucket] = true;
    note_owner(rules, decided);
    return true;
}

bool device_rules_news(struct device_rules *rules, const struct device_key *device,
                       const struct address *address)
{
    const size_t bucket = bucket_of(device, address);
    rules->news_at[bucket] = ++rules->news;
    return rules->taught[bucket];
}

void device_rules_flushed(struct device_rules *rules)
{
    memset(rules->taught, 0, sizeof(rules->taught));
    memset(rules->owners, 0, sizeof(rules->owners));
}
