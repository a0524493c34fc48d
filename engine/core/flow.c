/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/flow.h"

static const char *write_device(const struct flow *flow, const char *before, const char *address,
                                char text[static DEVICE_TEXT_SIZE])
{
    const char *name = flow->device_name;
    snprintf(text, DEVICE_TEXT_SIZE, name != NULL ? "%s%s (%s)" : "%s%s", before, address, name);
    return text;
}

const char *flow_device_text(const struct flow *flow, char text[static DEVICE_TEXT_SIZE])
{
    char address[ADDRESS_TEXT_SIZE];
    return write_device(flow, "", address_text(&flow->device, address), text);
}

const char *flow_device_ip_text(const struct flow *flow, char text[static DEVICE_TEXT_SIZE])
{
    char address[INET6_ADDRSTRLEN];
    return write_device(flow, "", address_ip_text(&flow->device, address), text);
}

const char *flow_for_device_text(const struct flow *flow, char text[static DEVICE_TEXT_SIZE])
{
    char address[ADDRESS_TEXT_SIZE];
    text[0] = '\0';
    return flow->device_name != NULL
               ? write_device(flow, " for ", address_text(&flow->device, address), text)
               : text;
}
