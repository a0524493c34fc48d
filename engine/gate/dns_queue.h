/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_queue.h - the DNS messages between the devices and their resolvers: each waits in a queue of
 * its own until it was read, so that whoever acts on an answer finds us knowing it.
 *
 * What cannot be read goes on as it came; nothing is ever changed or dropped. The gate's thread. */
#ifndef GATE_DNS_QUEUE_H
#define GATE_DNS_QUEUE_H

#include "core/loop.h"
#include "gate/dns_stream.h"
#include "gate/queue.h"

#define DNS_PORT 53

/* Who listens. In a flow of a message `device` is the device, and `origin` the resolver. */
struct dns_listener {
    void (*query)(void *context, const struct flow *flow, const uint8_t *bytes, size_t length);
    void (*answer)(void *context, const struct flow *flow, const uint8_t *bytes, size_t length);
    void *context;
};

struct dns_queue {
    struct queue queue;
    struct watch watch;
    struct dns_listener listener;
    struct dns_streams streams;
};

/* Opens the queue, and reads it in the loop. False with errno. Packets are answered fail-open. */
bool dns_queue_open(struct dns_queue *dns, struct loop *loop, uint16_t queue,
                    const struct dns_listener *listener) must_check;

/* Also where it was not opened, if it is all-zero but for watch.fd, which is -1. */
void dns_queue_close(struct dns_queue *dns, struct loop *loop);

#endif
