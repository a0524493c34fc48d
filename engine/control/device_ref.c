/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/device_ref.h"

#include <string.h>

static const struct device_config *called(const struct device_config *device, const char *text)
{
    while (device != NULL && strcmp(device->name, text) != 0)
        device = device->next;
    return device;
}

/* The section that is for this address, or this network, and for nothing beside it. */
static const struct device_config *known_by(const struct device_config *device,
                                            const struct device_config *wanted)
{
    for (; device != NULL; device = device->next) {
        if (wanted->has_mac && device->has_mac && memcmp(wanted->mac, device->mac, MAC_SIZE) == 0)
            return device;
        if (wanted->has_address && device->has_address && wanted->prefix == device->prefix &&
            wanted->address.family == device->address.family &&
            memcmp(&wanted->address.ip, &device->address.ip, address_ip_size(&wanted->address)) ==
                0)
            return device;
    }
    return NULL;
}

bool device_ref_find(const struct policy *policy, const char *text,
                     char name[static SECTION_NAME_SIZE])
{
    const struct config *config = policy_config(policy);
    struct device_config wanted = {0};
    const struct device_config *device = amend_section(config, text);
    if (device == NULL)
        device = called(config->devices, text);
    if (device == NULL)
        device = called(config->overlays, text);
    const bool is_address = device == NULL && amend_identify(&wanted, text);
    if (is_address)
        device = known_by(config->devices, &wanted);
    if (is_address && device == NULL)
        device = known_by(config->overlays, &wanted);
    if (device != NULL)
        amend_section_name(device, name);
    else if (is_address)
        amend_device_text(&wanted, name);
    else
        snprintf(name, SECTION_NAME_SIZE, "%s", text);
    return device != NULL || is_address;
}
