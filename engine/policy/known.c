/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/known.h"

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
