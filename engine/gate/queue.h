/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * queue.h - one NFQUEUE: first packets of new connections come out of the kernel here, and wait for
 * a verdict. One thread.
 *
 * When the queue is full, the kernel lets packets through, uncounted, or drops them (`fail_open`
 * below). */
#ifndef GATE_QUEUE_H
#define GATE_QUEUE_H

#include "gate/netlink.h"

/* Packets that may wait for a verdict. */
#define QUEUE_LENGTH 8192

/* A packet that waits. */
struct queued_packet {
    uint32_t id;
    uint32_t mark; /* of the packet, to be kept but for our bits */
    uint32_t in_ifindex;
    const uint8_t *mac;   /* the sender's Ethernet address, 6 bytes; NULL if there is none */
    const uint8_t *bytes; /* from the IP header on, cut */
    size_t length;
};

struct queue {
    struct netlink netlink;
    uint16_t number;
    uint32_t copy_range; /* so much of a packet is seen */
    /* Must call queue_accept() or queue_drop() for the packet, now or later. */
    void (*packet)(struct queue *queue, const struct queued_packet *packet);
};

/* Most packets are wanted as they come over Ethernet, so that extension headers cannot hide what
 * they are; and of QUIC datagrams that came joined, the first two at least. A SYN is short, and
 * costs no more. Others are wanted as a whole, also those that the kernel has joined. */
#define QUEUE_COPY_USUAL 4096
#define QUEUE_COPY_ALL 65535

/* `fail_open`: what does not fit into the queue passes. False with errno: EPERM if another process
 * has this queue. */
bool queue_open(struct queue *queue, uint16_t number, uint32_t copy_range, bool fail_open,
                void (*packet)(struct queue *queue, const struct queued_packet *packet)) must_check;
void queue_close(struct queue *queue);
int queue_fd(const struct queue *queue);

/* Hands the packets that are there to `packet`, up to `limit`. True if there may be more. */
bool queue_read(struct queue *queue, size_t limit);

/* Lets the packet go on to the next chain, with this mark. */
void queue_accept(struct queue *queue, uint32_t id, uint32_t mark);
void queue_drop(struct queue *queue, uint32_t id);

#endif
