/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/device.h"

#include <string.h>

static bool is_in_network(const struct address *network, uint8_t prefix,
                          const struct address *address)
{
    const uint8_t *a = (const uint8_t *)&network->ip, *b = (const uint8_t *)&address->ip;
    const size_t whole = prefix / 8;
    const uint8_t mask = (uint8_t)(0xff00 >> prefix % 8);
    return network->family == address->family && memcmp(a, b, whole) == 0 &&
           (mask == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

static bool has_mac(const struct device_config *device, const struct flow *flow)
{
    return device->has_mac && flow->has_mac && memcmp(device->mac, flow->mac, MAC_SIZE) == 0;
}

static bool is_device(const struct device_config *device, const struct flow *flow)
{
    if (has_mac(device, flow))
        return true;
    if (device->has_address && is_in_network(&device->address, device->prefix, &flow->device))
        return true;
    return device->interface != NULL && strcmp(device->interface, flow->interface) == 0;
}

static const struct device_config *find(const struct device_config *device, const struct flow *flow,
                                        size_t *index)
{
    for (; device != NULL && !is_device(device, flow); device = device->next)
        ++*index;
    return device;
}

const struct device_config *device_find(const struct config *config, const struct flow *flow,
                                        size_t *index)
{
    *index = 0;
    return find(config->devices, flow, index);
}

const struct device_config *device_next_overlay(const struct config *config,
                                                const struct device_config *device,
                                                const struct flow *flow, size_t *index)
{
    if (device == NULL)
        return find(config->overlays, flow, index);
    ++*index;
    return find(device->next, flow, index);
}

bool device_is_intercepted(const struct config *config, const struct flow *flow)
{
    size_t index = 0;
    const struct device_config *device = NULL;
    do
        device = device_next_overlay(config, device, flow, &index);
    while (device != NULL && device->inherits);
    if (device == NULL)
        device = device_find(config, flow, &index);
    return device != NULL ? device->intercept : !config->network.listed_devices;
}

enum quic device_quic(const struct config *config, const struct flow *flow)
{
    size_t index = 0;
    const struct device_config *device = NULL;
    do
        device = device_next_overlay(config, device, flow, &index);
    while (device != NULL && device->quic == QUIC_UNSET);
    if (device == NULL)
        device = device_find(config, flow, &index);
    return device != NULL && device->quic != QUIC_UNSET ? device->quic : config->network.quic;
}

static const char *find_name(const struct device_config *device, const struct flow *flow)
{
    for (; device != NULL; device = device->next)
        if (has_mac(device, flow) ||
            (device->has_address && device->prefix == address_ip_size(&device->address) * 8 &&
             address_same_ip(&device->address, &flow->device)))
            return device->name;
    return NULL;
}

const char *device_name(const struct config *config, const struct flow *flow)
{
    const char *name = find_name(config->overlays, flow);
    return name != NULL ? name : find_name(config->devices, flow);
}

/* A section's rules stand together: as in device_find(), any of them will do. */
static void exclude_device(struct exclusions *exclusions, const struct device_config *device)
{
    struct exclusion rule = {.excluded = !device->intercept};
    if (device->has_mac) {
        rule.by = EXCLUSION_BY_MAC;
        memcpy(rule.mac, device->mac, MAC_SIZE);
        exclusions->rules[exclusions->count++] = rule;
    }
    if (device->has_address) {
        rule.by = EXCLUSION_BY_NETWORK;
        rule.network = device->address;
        rule.prefix = device->prefix;
        exclusions->rules[exclusions->count++] = rule;
    }
    if (device->interface != NULL) {
        rule.by = EXCLUSION_BY_INTERFACE;
        snprintf(rule.interface, IFNAMSIZ, "%s", device->interface);
        exclusions->rules[exclusions->count++] = rule;
    }
}

struct exclusions *device_exclusions(const struct config *config)
{
    const struct device_config *device;
    size_t limit = 0;
    for (device = config->overlays; device != NULL; device = device->next)
        limit += 3;
    for (device = config->devices; device != NULL; device = device->next)
        limit += 3;
    struct exclusions *exclusions = exclusions_new(limit);
    for (device = config->overlays; device != NULL; device = device->next)
        if (!device->inherits)
            exclude_device(exclusions, device);
    for (device = config->devices; device != NULL; device = device->next)
        exclude_device(exclusions, device);
    exclusions->all_others = config->network.listed_devices;
    return exclusions;
}
