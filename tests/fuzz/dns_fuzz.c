/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "policy/dns.h"
#include "tap/dns_packet.h"

#include <string.h>

static void check_name(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const size_t length = strlen(name);
    must_hold(length > 0 && length < DNS_NAME_SIZE);
    for (const char *label = name;;) {
        const size_t size = strspn(label, plain);
        must_hold(size > 0 && size <= 63);
        label += size;
        if (*label == '\0')
            return;
        must_hold(*label++ == '.');
    }
}

/* All that is told stands in the message. */
static void check_addresses(const struct dns_message *message, const uint8_t *bytes, size_t length)
{
    must_hold(message->address_count <= DNS_ADDRESSES);
    for (size_t i = 0; i < message->address_count; i++) {
        const struct address *address = &message->addresses[i].address;
        must_hold(address->family == AF_INET || address->family == AF_INET6);
        must_hold(address->port == 0 && message->addresses[i].ttl <= 7 * 24 * 3600);
        must_hold(memmem(bytes, length, &address->ip, address_ip_size(address)) != NULL);
        for (size_t j = 0; j < i; j++)
            must_hold(!address_same_ip(address, &message->addresses[j].address));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct dns_message message;
    if (!dns_read(&message, bytes, length))
        return 0;
    must_hold(length > 12 && length <= DNS_MESSAGE_LIMIT);
    must_hold(message.id == (uint16_t)(bytes[0] << 8 | bytes[1]));
    must_hold(message.is_answer == ((bytes[2] & 0x80) != 0));
    check_name(message.name);
    check_addresses(&message, bytes, length);
    /* Queries, answers that are cut short, and errors tell no addresses. */
    if (!message.is_answer || (bytes[2] & 2) != 0 || (bytes[3] & 15) != 0)
        must_hold(message.address_count == 0);
    return 0;
}
