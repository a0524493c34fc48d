/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * packets.h - a connection to make packets of, and what a packet says. cmocka.h must be included
 * before. */
#ifndef TESTS_EVENT_PACKETS_H
#define TESTS_EVENT_PACKETS_H

#include "event/capture_feed.h"

#include <string.h>

/* Its addresses, its MAC address, and a record of it. */
struct subject {
    struct flow flow;
    struct record record;
};

static inline struct address address_of(const char *text)
{
    struct address address;
    if (!address_parse(&address, text))
        fail_msg("%s is no address", text);
    return address;
}

static inline void make_subject(struct subject *subject, const char *device, const char *origin)
{
    *subject = (struct subject){
        .flow = {.protocol = IPPROTO_TCP, .has_mac = true, .mac = {2, 0, 0x5e, 0x10, 0, 1}}};
    subject->flow.device = address_of(device);
    subject->flow.origin = address_of(origin);
    subject->flow.sni = subject->record.sni = "origin.test";
    subject->flow.opened = true;
    subject->record.flow = &subject->flow;
    subject->record.flow_id = 0x1234567890123;
    subject->record.app_proto = "tls";
    subject->record.client.alert_in = subject->record.client.alert_out = RECORD_NO_ALERT;
    subject->record.upstream.alert_in = subject->record.upstream.alert_out = RECORD_NO_ALERT;
}

static inline uint32_t number_at(const unsigned char *bytes, size_t size)
{
    uint32_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* RFC 1071, two bytes at a time. */
static inline uint32_t sum_of(const unsigned char *bytes, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

#endif
