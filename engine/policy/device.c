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

static bool is_device(const struct device_config *device, const struct flow *flow)
{
    if (device->has_mac && flow->has_mac && memcmp(device->mac, flow->mac, MAC_SIZE) == 0)
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
