/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dns_queue.h"

#include <string.h>

/* Packets a turn of the loop, and its time, in ms: the SYNs in the other queue wait meanwhile. */
#define READS_A_TURN 16
#define TIME_A_TURN 3

/* Which way a message goes, and whom it is told to. */
struct direction {
    const struct dns_listener *listener;
    const struct flow *flow;
    bool is_query;
};

static void tell(void *context, const uint8_t *bytes, size_t length)
{
    const struct direction *direction = context;
    const struct dns_listener *listener = direction->listener;
    if (direction->is_query)
        listener->query(listener->context, direction->flow, bytes, length);
    else
        listener->answer(listener->context, direction->flow, bytes, length);
}

/* Answers come from the resolver: seen from the device it is the other way round. */
static struct flow turned(const struct flow *flow)
{
    struct flow turned = *flow;
    turned.device = flow->origin;
    turned.origin = flow->device;
    return turned;
}

static void read_packet(struct dns_queue *dns, const struct queued_packet *packet)
{
    struct flow flow = {0};
    struct packet_segment segment;
    if (!packet_parse(&flow, packet->bytes, packet->length))
        return;
    if (packet->mac != NULL) {
        memcpy(flow.mac, packet->mac, MAC_SIZE);
        flow.has_mac = true;
    }
    if_indextoname(packet->in_ifindex, flow.interface);
    const bool is_query = flow.origin.port == DNS_PORT;
    const struct flow by_device = is_query ? flow : turned(&flow);
    struct direction direction = {&dns->listener, &by_device, is_query};
    if (flow.protocol == IPPROTO_UDP) {
        struct reader payload = packet_payload(packet->bytes, packet->length);
        tell(&direction, payload.at, payload.left);
    } else if (packet_segment(&segment, packet->bytes, packet->length)) {
        dns_streams_feed(&dns->streams, &flow, &segment, tell, &direction);
    }
}

static void answer_packet(struct queue *queue, const struct queued_packet *packet)
{
    struct dns_queue *dns = container_of(queue, struct dns_queue, queue);
    read_packet(dns, packet);
    queue_accept(queue, packet->id, packet->mark);
}

static void queue_ready(struct watch *watch, uint32_t events)
{
    struct dns_queue *dns = container_of(watch, struct dns_queue, watch);
    const uint64_t end = clock_ms() + TIME_A_TURN;
    size_t left = READS_A_TURN;
    (void)events;
    while (left > 0 && clock_ms() < end && queue_read(&dns->queue, 1))
        left--;
}

bool dns_queue_open(struct dns_queue *dns, struct loop *loop, uint16_t queue,
                    const struct dns_listener *listener)
{
    dns->listener = *listener;
    return queue_open(&dns->queue, queue, QUEUE_COPY_ALL, true, answer_packet) &&
           loop_add(loop, &dns->watch, queue_fd(&dns->queue), EPOLLIN, queue_ready);
}

void dns_queue_close(struct dns_queue *dns, struct loop *loop)
{
    loop_remove(loop, &dns->watch);
    queue_close(&dns->queue);
    dns_streams_fini(&dns->streams);
}
