/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/worker.h"

#include "conn/arrival.h"
#include "conn/conn.h"
#include "conn/dial.h"
#include "conn/forging.h"
#include "core/log.h"
#include "core/thread.h"
#include "gate/listener.h"

#include <errno.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64

/* ---- arrivals ---- */

static void turn_away(struct worker *worker, int fd)
{
    struct endpoint endpoint;
    endpoint_init(&endpoint, fd);
    endpoint_close(&endpoint, true);
    counter_add(&worker->pool.counters.refused, 1);
}

/* Out of descriptors: one is kept back, so that an arrival can be told no instead of waiting. */
static void turn_away_next(struct worker *worker, int listener)
{
    struct address device, origin;
    pool_ran_out(&worker->pool);
    if (worker->spare_fd >= 0)
        close(worker->spare_fd);
    int fd = listener_accept(listener, &device, &origin);
    if (fd >= 0)
        turn_away(worker, fd);
    worker->spare_fd = pool_spare_descriptor();
}

/* Somebody has connected to the listening port itself: dialling that would be dialling ourselves.
 */
static bool is_for_us(const struct worker *worker, const struct address *origin)
{
    return origin->port == worker->listen_port && listener_address_is_ours(origin);
}

/* False if there is nothing more to be had for now. */
static bool accept_one(struct worker *worker, int listener)
{
    struct pool *pool = &worker->pool;
    struct address device, origin;
    int fd = listener_accept(listener, &device, &origin);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            turn_away_next(worker, listener);
            return true;
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    counter_add(&pool->counters.accepted, 1);
    if (counter_read(&pool->counters.active) >= pool->options.conn_limit) {
        pool_ran_out(pool);
        turn_away(worker, fd);
    } else if (is_for_us(worker, &origin)) {
        turn_away(worker, fd);
    } else {
        arrival_start(pool, fd, &device, &origin);
    }
    return true;
}

static void listener_ready(struct worker *worker, const struct watch *watch)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++)
        if (!accept_one(worker, watch->fd))
            return;
}

static void listener_ready_ipv4(struct watch *watch, uint32_t events)
{
    (void)events;
    listener_ready(container_of(watch, struct worker, listener_watches[0]), watch);
}

static void listener_ready_ipv6(struct watch *watch, uint32_t events)
{
    (void)events;
    listener_ready(container_of(watch, struct worker, listener_watches[1]), watch);
}

/* ---- messages ---- */

struct reload_message {
    struct message message;
    struct pool_policy *policy;
};

static void deliver_reload(struct message *message, void *receiver)
{
    struct worker *worker = receiver;
    struct reload_message *reload = container_of(message, struct reload_message, message);
    pool_set_policy(&worker->pool, reload->policy);
    free(reload);
}

void worker_reload(struct worker *worker, struct pool_policy *policy)
{
    struct reload_message *reload = malloc(sizeof(*reload));
    CHECK(reload != NULL);
    *reload = (struct reload_message){{.deliver = deliver_reload}, policy};
    mailbox_post(&worker->mailbox, &reload->message);
}

void worker_ping(struct worker *worker, void (*pong)(void *context), void *context)
{
    mailbox_call(&worker->mailbox, pong, context);
}

/* ---- opening and closing ---- */

static bool open_listener(struct worker *worker, size_t index, sa_family_t family,
                          void (*ready)(struct watch *watch, uint32_t events))
{
    worker->listeners[index] = listener_open(family, worker->listen_port);
    if (worker->listeners[index] < 0)
        return false;
    dial_tune(worker->listeners[index]); /* what is accepted has the same */
    return loop_add(&worker->pool.loop, &worker->listener_watches[index], worker->listeners[index],
                    EPOLLIN, ready);
}

static bool open_listeners(struct worker *worker)
{
    const unsigned port = worker->listen_port;
    if (!open_listener(worker, 0, AF_INET, listener_ready_ipv4)) {
        if (errno == EADDRINUSE)
            log_error("port %u is taken by another program: choose another one (listen-port = "
                      "NUMBER in [network])",
                      port);
        else
            log_error("port %u cannot be listened on: %m", port);
        return false;
    }
    /* A kernel without IPv6 has no IPv6 to intercept. */
    if (!open_listener(worker, 1, AF_INET6, listener_ready_ipv6) && errno != EAFNOSUPPORT) {
        log_error("port %u cannot be listened on over IPv6: %m", port);
        return false;
    }
    return true;
}

struct worker *worker_open(uint16_t listen_port, const struct pool_options *options,
                           struct pool_policy *policy)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    CHECK(worker != NULL);
    worker->listen_port = listen_port;
    worker->listeners[0] = worker->listeners[1] = -1;
    worker->listener_watches[0].fd = worker->listener_watches[1].fd = -1;
    worker->pool.signer.fd = -1;
    worker->spare_fd = pool_spare_descriptor();
    if (!pool_init(&worker->pool, options) || !forging_start(&worker->pool) ||
        !mailbox_init(&worker->mailbox, &worker->pool.loop, worker)) {
        log_error("a worker could not be set up: %m");
        worker_close(worker);
        return NULL;
    }
    if (!open_listeners(worker)) {
        worker_close(worker);
        return NULL;
    }
    pool_set_policy(&worker->pool, policy);
    return worker;
}

static void *run(void *context)
{
    struct worker *worker = context;
    struct conn *conn;
    thread_begin("worker");
    log_redirect(recorder_log_sink, worker->pool.options.feed);
    loop_run(&worker->pool.loop);
    while ((conn = LIST_FIRST(&worker->pool.conns)) != NULL)
        conn_end(conn, ENDING_SHUTDOWN, true);
    return NULL;
}

bool worker_start(struct worker *worker)
{
    worker->running = pthread_create(&worker->thread, NULL, run, worker) == 0;
    if (!worker->running)
        log_error("a worker's thread could not be started");
    return worker->running;
}

void worker_close(struct worker *worker)
{
    if (worker->running) {
        mailbox_call(&worker->mailbox, loop_stop, &worker->pool.loop);
        pthread_join(worker->thread, NULL);
    }
    if (worker->mailbox.receiver != NULL)
        mailbox_fini(&worker->mailbox);
    for (size_t i = 0; i < ARRAY_SIZE(worker->listeners); i++) {
        loop_remove(&worker->pool.loop, &worker->listener_watches[i]);
        if (worker->listeners[i] >= 0)
            close(worker->listeners[i]);
    }
    if (worker->spare_fd >= 0)
        close(worker->spare_fd);
    pool_fini(&worker->pool);
    free(worker);
}
