/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/known.h"

#include "policy/device.h"

struct known *known_new(void)
{
    struct known *known = calloc(1, sizeof(*known));
    if (known == NULL)
        return NULL;
    known->devices = devices_new();
    known->learned = learned_new();
    known->names = names_new();
    if (known->names != NULL)
        known->dns = dns_watch_new(known->names);
    if (known->devices != NULL && known->learned != NULL && known->dns != NULL)
        return known;
    known_free(known);
    return NULL;
}

void known_free(struct known *known)
{
    if (known == NULL)
        return;
    devices_free(known->devices);
    learned_free(known->learned);
    dns_watch_free(known->dns);
    names_free(known->names);
    free(known);
}

void known_describe(struct known *known, struct flow *flow, struct arena *arena, uint64_t now)
{
    devices_describe(known->devices, flow, arena, now);
    names_find(known->names, flow, arena, now);
}

const char *known_name(struct known *known, const struct config *config,
                       const struct device_key *key, const struct address *address,
                       char name[static MDNS_NAME_SIZE])
{
    struct flow flow = {.device = *address, .has_mac = key->size == MAC_SIZE};
    if (flow.has_mac)
        memcpy(flow.mac, key->bytes, MAC_SIZE);
    const char *given = device_name(config, &flow);
    return given != NULL ? given : devices_find_name(known->devices, key, name);
}
