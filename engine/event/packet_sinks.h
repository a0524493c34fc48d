/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * packet_sinks.h - who wants the packets of which connections.
 *
 * A sink is a file, a client of the live feed, or an interface. It decides when a connection begins
 * whether it wants that one, and then gets all of its packets: whoever comes later gets whole
 * connections from then on, and no halves. The capturing thread's, but for `count`. */
#ifndef EVENT_PACKET_SINKS_H
#define EVENT_PACKET_SINKS_H

#include "event/tcp_stream.h"

#include <stdatomic.h>
#include <sys/queue.h>

#define PACKET_SINKS_LIMIT 32

/* One connection. Its owner's; what it points to, too. */
struct captured {
    struct tcp_stream stream;
    char *comment; /* goes with each packet: whose it is */
    char *event;   /* what is known of it, as an object of the records */
    size_t comment_length, event_length;
    struct packet_sinks *set;
    uint32_t sinks; /* that want it: a bit a slot */
    LIST_ENTRY(captured) link;
};

struct packet_sink {
    const struct packet_sink_kind *kind;
    bool over; /* it takes no more: to be set by its own functions */
    uint64_t flows, packets, lost;
};

struct packet_sink_kind {
    /* NULL: it wants all. */
    bool (*wants)(struct packet_sink *sink, const struct captured *captured);
    /* Takes a packet, or counts it as lost. Never waits for a peer. */
    void (*put)(struct packet_sink *sink, const struct captured *captured,
                const struct frame *frame);
    void (*flush)(struct packet_sink *sink);   /* no more for now; or NULL */
    void (*removed)(struct packet_sink *sink); /* after it was over: may free it; or NULL */
};

struct packet_sinks {
    struct packet_sink *slots[PACKET_SINKS_LIMIT];
    atomic_uint count;
    LIST_HEAD(captured_list, captured) flows; /* that are open */
};

void packet_sinks_init(struct packet_sinks *set);

/* False if there is no slot left. */
bool packet_sinks_add(struct packet_sinks *set, struct packet_sink *sink) must_check;

/* It gets nothing more. Not from within its own functions: they set `over`. */
void packet_sinks_remove(struct packet_sinks *set, struct packet_sink *sink);

/* The connection begins: asks who wants it, and makes its first packets. From now on
 * `captured->sinks` tells whether anybody still does. */
void packet_sinks_begin(struct packet_sinks *set, struct captured *captured, uint64_t time);
void packet_sinks_end(struct captured *captured);

/* Flushes all, and removes those that are over. */
void packet_sinks_flush(struct packet_sinks *set);

#endif
