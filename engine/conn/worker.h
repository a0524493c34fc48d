/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * worker.h - one thread that carries connections, one a core.
 *
 * It has everything to itself: its pool, and its share of the listening port. A connection never
 * leaves its worker, and a worker never blocks. Functions are for the control thread, unless they
 * say otherwise. */
#ifndef CONN_WORKER_H
#define CONN_WORKER_H

#include "conn/pool.h"
#include "core/mailbox.h"

#include <pthread.h>

struct worker {
    struct pool pool;
    uint16_t listen_port;
    struct mailbox mailbox;
    pthread_t thread;
    bool running;
    int listeners[2]; /* IPv4, IPv6; -1: not there */
    struct watch listener_watches[2];
    int spare_fd; /* to be closed when descriptors run out, so that one can be turned away */
};

/* Opens the listening sockets, and takes over the policy if all goes well. NULL after the reason
 * was logged. */
struct worker *worker_open(uint16_t listen_port, const struct pool_options *options,
                           struct pool_policy *policy) must_check;

/* Starts the thread. */
bool worker_start(struct worker *worker) must_check;

/* A new policy, which the worker takes over: for connections that arrive from now on. Any thread.
 */
void worker_reload(struct worker *worker, struct pool_policy *policy);

/* Calls `pong(context)` from the worker's thread: it is alive. Any thread. */
void worker_ping(struct worker *worker, void (*pong)(void *context), void *context);

/* Ends the thread and all its connections, and frees the worker. */
void worker_close(struct worker *worker);

#endif
