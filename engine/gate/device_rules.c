/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/device_rules.h"

#include <string.h>

/* FNV-1a. Nobody gains anything by a collision: a rule is asked about once more. */
static uint32_t hash(uint32_t value, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++)
        value = (value ^ at[i]) * 16777619u;
    return value;
}

static size_t bucket_of_address(uint32_t value, const struct address *address)
{
    return hash(value, &address->ip, address_ip_size(address)) % DEVICE_RULES_BUCKETS;
}

static size_t bucket_of(const struct device_key *device, const struct address *address)
{
    return bucket_of_address(hash(2166136261u, device->bytes, device->size), address);
}

bool device_rules_add(struct device_rules *rules, const struct decided *decided)
{
    const size_t bucket = bucket_of(&decided->device_key, &decided->origin);
    if (decided->names_version < rules->news_at[bucket])
        return false;
    rules->taught[bucket] = true;
    return true;
}

bool device_rules_news(struct device_rules *rules, const struct device_key *device,
                       const struct address *address)
{
    const size_t bucket = bucket_of(device, address);
    rules->news_at[bucket] = ++rules->news;
    return rules->taught[bucket];
}

bool device_rules_see(struct device_rules *rules, const struct flow *flow)
{
    if (!flow->has_mac)
        return false;
    struct device_owner *owner = &rules->owners[bucket_of_address(2166136261u, &flow->device)];
    const bool is_known = address_same_ip(&owner->address, &flow->device);
    const bool is_other = is_known && memcmp(owner->mac, flow->mac, MAC_SIZE) != 0;
    owner->address = flow->device;
    memcpy(owner->mac, flow->mac, MAC_SIZE);
    return is_other;
}

void device_rules_flushed(struct device_rules *rules)
{
    memset(rules->taught, 0, sizeof(rules->taught));
}
