/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * capture_feed.h - the way from a thread that relays to the one that makes packets: a ring of
 * limited size, so that the first never waits.
 *
 * What does not fit is lost and counted, and is told with what comes next. For the end of each
 * connection there is always room. While nobody wants packets nothing is put there. */
#ifndef EVENT_CAPTURE_FEED_H
#define EVENT_CAPTURE_FEED_H

#include "core/counter.h"
#include "core/ring.h"
#include "event/packet_sinks.h"
#include "event/record.h"

#define CAPTURE_RING_SIZE ((size_t)8 << 20)

/* How the thread that makes packets is woken. */
struct capture_alarm {
    int news; /* eventfd: there is something in a ring */
    atomic_bool asleep;
};

struct capture_feed {
    const atomic_uint *wanted;   /* how many want packets */
    struct capture_alarm *alarm; /* borrowed, both */
    struct ring ring;
    size_t open; /* connections that have not ended */
    struct counter lost_bytes, lost_flows;
};

/* One connection: made by the feed's thread, and freed by the one that makes packets, to which all
 * but the first three belongs. */
struct capture_flow {
    struct capture_feed *feed;
    uint64_t lost[2];     /* bytes that found no room lately: to the device, to the origin */
    atomic_bool unwanted; /* nobody wants its bytes: set by the other thread, and looked at here */
    struct captured captured;
    char interface[IFNAMSIZ]; /* where the device is */
    uint64_t seed;            /* of its numbers */
};

/* `ring_size` is a power of two. */
void capture_feed_init(struct capture_feed *feed, const atomic_uint *wanted,
                       struct capture_alarm *alarm, size_t ring_size);

/* Nothing may be left in it. */
void capture_feed_fini(struct capture_feed *feed);

/* ---- the feed's thread ---- */

/* True if somebody wants packets: for callers that would have to find out first. */
bool capture_wants(const struct capture_feed *feed);

/* A connection begins to be relayed. NULL if there is no room for it, which is counted. */
struct capture_flow *capture_begin(struct capture_feed *feed,
                                   const struct record *record) must_check;

/* What it has moved in one direction, `up` from the device; and the end of that direction. */
void capture_data(struct capture_flow *flow, bool up, const unsigned char *bytes, size_t length);
void capture_half_end(struct capture_flow *flow, bool up);

/* The connection has ended: by FIN on both sides, or reset by one. The flow is gone with it. */
enum capture_ending { CAPTURE_CLOSED, CAPTURE_RESET_BY_DEVICE, CAPTURE_RESET_BY_ORIGIN };
void capture_end(struct capture_flow *flow, enum capture_ending ending);

/* ---- the other one ---- */

enum capture_note_kind { CAPTURE_BEGIN, CAPTURE_DATA, CAPTURE_HALF_END, CAPTURE_END };

struct capture_note {
    enum capture_note_kind kind;
    bool up;
    struct capture_flow *flow;
    uint64_t time;    /* ns since 1970 */
    uint64_t lost[2]; /* bytes before it that found no room */
    enum capture_ending ending;
    const unsigned char *bytes; /* of DATA: valid until capture_feed_taken() */
    size_t length;
};

/* The oldest note. False if there is none. */
bool capture_feed_next(struct capture_feed *feed, struct capture_note *note) must_check;
void capture_feed_taken(struct capture_feed *feed);

/* What is of use at the beginning only. */
void capture_flow_forget(struct capture_flow *flow);
void capture_flow_free(struct capture_flow *flow);

#endif
