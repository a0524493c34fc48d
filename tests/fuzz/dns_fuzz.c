/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/dns.h"

#include <string.h>

/* A name is one, addresses are of a family, and reading twice gives the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct dns_message message, again;
    memset(&message, 0, sizeof(message));
    memset(&again, 0, sizeof(again));
    if (!dns_read(&message, bytes, length))
        return 0;
    must_hold(length <= DNS_MESSAGE_LIMIT);
    must_hold(strlen(message.name) > 0 && strlen(message.name) < DNS_NAME_SIZE);
    must_hold(strspn(message.name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") ==
              strlen(message.name));
    must_hold(message.address_count <= DNS_ADDRESSES);
    must_hold(message.is_answer || message.address_count == 0);
    for (size_t i = 0; i < message.address_count; i++)
        must_hold(message.addresses[i].address.family == AF_INET ||
                  message.addresses[i].address.family == AF_INET6);
    must_hold(dns_read(&again, bytes, length));
    must_hold(again.address_count == message.address_count && again.id == message.id);
    must_hold(strcmp(again.name, message.name) == 0);
    return 0;
}
