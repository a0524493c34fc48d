/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * beginnings.h - how QUIC connections begin: the first datagrams, which wait in the queue until
 * enough of them is there to decide, and what was decided, for those that come after.
 *
 * The kernel knows a flow once a packet of it has gone on, and one that is refused never does. What
 * comes behind it comes to the queue, too, and often tells nothing by itself: it is answered like
 * the first. A device may begin several connections from one port: each is one of its own here.
 * The gate's thread only. */
#ifndef GATE_BEGINNINGS_H
#define GATE_BEGINNINGS_H

#include "core/arena.h"
#include "core/flow.h"
#include "core/loop.h"
#include "core/reader.h"

/* Datagrams that wait for one another, for so long, and connections of which some do. */
#define BEGINNINGS_DATAGRAMS 4
#define BEGINNINGS_WAIT_MS 100
#define BEGINNINGS_WAITING 64

/* Those that are known, and for how long: as long as the kernel knows a flow without an answer. */
#define BEGINNINGS_LIMIT 1024
#define BEGINNINGS_KEPT_MS 30000

/* Packets in the queue, to be answered together. */
struct waiting_packets {
    struct {
        uint32_t id, mark; /* its mark without our bits */
    } items[BEGINNINGS_DATAGRAMS];
    size_t count;
};

struct beginning {
    struct flow flow;
    struct waiting_packets packets;
    void *reading;      /* the judge's own; lives, with what the flow points to, */
    struct arena arena; /* in here */
    bool decided;
    uint32_t answer; /* the bits of the mark that it got */

    struct timer timer; /* while it waits; the rest is the table's own */
    uint64_t until;     /* ms: is known */
};

struct beginnings {
    struct beginnings_table *table;
    struct loop *loop;
    struct timeout_class waiting_time;
    size_t waiting;
    /* One has waited long enough: it is to be decided. */
    void (*expired)(struct beginnings *beginnings, struct beginning *beginning);
};

/* False if there is no memory. The loop is borrowed. */
bool beginnings_init(struct beginnings *beginnings, struct loop *loop,
                     void (*expired)(struct beginnings *beginnings,
                                     struct beginning *beginning)) must_check;
/* All-zero, too. Packets that wait are not answered. */
void beginnings_fini(struct beginnings *beginnings);

/* What is known of the flow's connection with this identifier (packet_quic_id()), which may be
 * nothing yet; the oldest that are decided are forgotten for it. NULL if there is no memory. */
struct beginning *beginnings_get(struct beginnings *beginnings, const struct flow *flow,
                                 struct reader id);

/* Lets it wait for its next datagram. False if it has waited for enough of them, or if too many
 * others wait. */
bool beginnings_wait(struct beginnings *beginnings, struct beginning *beginning) must_check;

/* It waits no more, and its later datagrams get this answer. What is in its arena goes over to
 * `arena`. */
void beginnings_decide(struct beginnings *beginnings, struct beginning *beginning, uint32_t answer,
                       struct arena *arena);

/* The policy has changed: what was decided counts no more. */
void beginnings_forget(struct beginnings *beginnings);

#endif
