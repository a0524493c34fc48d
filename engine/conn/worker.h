/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * worker.h - one thread that carries connections, one a core.
 *
 * It has everything to itself: its loop, its share of the listening port, its TLS contexts, its
 * memory. A connection never leaves its worker, and a worker never blocks. Functions are for the
 * control thread, unless they say otherwise. */
#ifndef CONN_WORKER_H
#define CONN_WORKER_H

#include "conn/conn.h"
#include "core/counter.h"
#include "core/mailbox.h"
#include "gate/gate.h"
#include "gate/neighbour.h"
#include "policy/admission.h"
#include "tls/context.h"
#include "tls/hello.h"
#include "tls/leaf_cache.h"

/* What a worker decides and speaks by. */
struct worker_policy {
    struct policy_view *view;
    struct tls_context tls;
};

struct worker_options {
    uint16_t listen_port;
    bool source_device; /* origins see the device's address */
    bool teach_kernel;  /* there is no queue: the gate learns from us */
    size_t conn_limit;  /* connections at the same time */
    struct leaf_cache *leaves;
    struct gate *gate;
    struct recorder_feed *feed;
    struct engine_state *state;
};

/* Written by the worker's thread, read by any. */
struct worker_counters {
    struct counter accepted;    /* connections that arrived */
    struct counter intercepted; /* of which both handshakes succeeded */
    struct counter passed;      /* spliced */
    struct counter failed;      /* ended before either */
    struct counter refused;     /* turned away for lack of room */
    struct counter active;      /* now */
};

struct worker {
    struct worker_options options;
    struct worker_policy policy;
    struct worker_counters counters;
    struct loop loop;
    struct mailbox mailbox;
    pthread_t thread;
    bool running;

    int listeners[2]; /* IPv4, IPv6; -1: not there */
    struct watch listener_watches[2];
    int spare_fd; /* to be closed when descriptors run out, so that one can be turned away */
    bool full;
    struct timer breath; /* until it is looked whether there is room again */

    struct neighbours neighbours;
    struct conn_list conns;
    struct slab conn_slab, buffer_slab;
    struct pipe_pool pipes;
    struct timeout_class silence_time, hello_time, dial_time, handshake_time, linger_time;
    struct timeout_class breath_time;

    /* Scratch, for one call at a time. */
    uint8_t peeked[HELLO_WIRE_LIMIT];
    uint8_t message[HELLO_LIMIT];
    unsigned char relayed[RELAY_BUFFER_SIZE];
};

/* Opens the listening sockets, and takes over the policy if all goes well. NULL after the reason
 * was logged. */
struct worker *worker_open(const struct worker_options *options,
                           const struct worker_policy *policy) must_check;

/* Starts the thread. */
bool worker_start(struct worker *worker) must_check;

/* A new policy, which the worker takes over: for connections that arrive from now on. Any thread.
 */
void worker_reload(struct worker *worker, const struct worker_policy *policy);

/* Calls `pong(context)` from the worker's thread: it is alive. Any thread. */
void worker_ping(struct worker *worker, void (*pong)(void *context), void *context);

/* Ends the thread and all its connections, and frees the worker. */
void worker_close(struct worker *worker);

/* ---- for connections, in the worker's thread ---- */

/* Something ran out: no new connections for a moment. */
void worker_is_full(struct worker *worker);
void worker_forget(struct worker *worker, struct conn *conn);

#endif
