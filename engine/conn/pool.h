/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pool.h - what the connections of one worker share: their loop and timeouts, the policy and the
 * TLS contexts they speak by, memory, and the room that there is for them. One thread, but for the
 * counters. */
#ifndef CONN_POOL_H
#define CONN_POOL_H

#include "conn/mtls.h"
#include "conn/relay.h"
#include "conn/splice.h"
#include "conn/tally.h"
#include "core/bucket.h"
#include "core/counter.h"
#include "core/loop.h"
#include "event/capture_feed.h"
#include "gate/gate.h"
#include "gate/neighbour.h"
#include "policy/admission.h"
#include "tls/context.h"
#include "tls/hello.h"
#include "tls/leaf_cache.h"
#include "tls/signing.h"

struct conn;
LIST_HEAD(conn_list, conn);

struct pool_options {
    bool source_device; /* origins see the device's address */
    bool teach_kernel;  /* there is no queue: the gate learns from us */
    size_t conn_limit;  /* connections at the same time */
    struct leaf_cache *leaves;
    const struct leaf_maker *maker;
    int signing_channel;            /* to the signer; borrowed */
    const unsigned char *ca_digest; /* SIGNING_DIGEST_SIZE bytes */
    struct gate *gate;
    struct recorder_feed *feed;
    struct capture_feed *packets;
    struct engine_state *state;
};

/* Written by the worker's thread, read by any. */
struct pool_counters {
    struct counter accepted;    /* connections that arrived */
    struct counter intercepted; /* of which both handshakes succeeded */
    struct counter passed;      /* spliced */
    struct counter failed;      /* ended before either */
    struct counter refused;     /* turned away for lack of room */
    struct counter active;      /* now */
};

/* What TLS is spoken by: the policies that follow each other by edits at run time share it. */
struct pool_tls {
    unsigned references; /* plain: it is one thread's */
    struct tls_context context;
};

/* What connections are decided and spoken by. Each keeps what was in force when it arrived. */
struct pool_policy {
    unsigned references; /* likewise */
    struct policy_view *view;
    struct pool_tls *tls;
};

/* A walk through all connections, with pauses in which they may come and go. */
struct pool_walk {
    LIST_ENTRY(pool_walk) link;
    struct conn *next;
};

struct pool {
    struct pool_options options;
    struct pool_counters counters;
    struct tally tally;
    struct pool_policy *policy; /* in force for what arrives from now on */

    struct loop loop;
    struct timeout_class silence_time, hello_time, dial_time, handshake_time, signing_time;
    struct timeout_class verdict_time;
    struct timeout_class linger_time, breath_time;
    bool full;           /* something has run out */
    struct timer breath; /* until it is looked whether there is room again */

    struct watch signer;
    struct conn_list forging;  /* connections that wait for the signer */
    uint32_t forging_number;   /* of the last request */
    struct bucket forged[256]; /* by device: new certificates */
    uint32_t forged_seed;      /* random */

    struct mtls mtls;
    struct neighbours neighbours;
    struct conn_list conns;
    LIST_HEAD(pool_walks, pool_walk) walks; /* that are under way */
    struct slab conn_slab, buffer_slab;
    struct pipe_pool pipes;

    /* Scratch, for one call at a time. */
    uint8_t peeked[HELLO_WIRE_LIMIT];
    uint8_t message[HELLO_LIMIT];
    struct relay_space relay_space;
    uint8_t signing[SIGNING_MESSAGE_LIMIT];
};

/* False with errno. */
bool pool_init(struct pool *pool, const struct pool_options *options) must_check;
void pool_fini(struct pool *pool);

/* May be handed to another thread, once; from then on it is that thread's. NULL after the reason
 * was logged. */
struct pool_tls *pool_tls_new(const struct tls_settings *settings) must_check;
void pool_tls_unref(struct pool_tls *tls);

/* Takes both over. `tls` NULL: that of the policy in whose place it comes. May be handed on
 * likewise. */
struct pool_policy *pool_policy_new(struct policy_view *view, struct pool_tls *tls) must_check;
struct pool_policy *pool_policy_ref(struct pool_policy *policy);
void pool_policy_unref(struct pool_policy *policy);

/* Takes it over, and drops what was there before; connections may keep that. */
void pool_set_policy(struct pool *pool, struct pool_policy *policy);

/* A connection, zeroed but for its place in the pool; NULL if there is no memory. */
struct conn *pool_alloc_conn(struct pool *pool) must_check;
void pool_free_conn(struct pool *pool, struct conn *conn);

/* Starts at the youngest connection; those that come later are not met. */
void pool_walk_begin(struct pool *pool, struct pool_walk *walk);
struct conn *pool_walk_next(struct pool_walk *walk); /* NULL at the end */
void pool_walk_end(struct pool_walk *walk);

/* A descriptor of nothing in particular; -1 if there is none to be had. */
int pool_spare_descriptor(void);

/* Descriptors, memory or the limit have run out: the gate lets new connections pass until there is
 * room again, which is looked for every second. Without a queue, or where we fail closed, they are
 * refused. */
void pool_ran_out(struct pool *pool);

#endif
