/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/worker.h"

#include "core/log.h"
#include "gate/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Timeouts, in ms. */
#define SILENCE_TIME 300 /* then perhaps the server speaks first */
#define HELLO_TIME 10000 /* for a ClientHello to become whole */
#define DIAL_TIME 60000  /* for the origin to answer a SYN */
#define HANDSHAKE_TIME 30000
#define LINGER_TIME 2000
#define BREATH_TIME 1000

#define ACCEPTS_A_TURN 64
#define SPARE_CONNS 256
#define SPARE_BUFFERS 64

/* ---- room ---- */

static int open_anything(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Room for some more connections, and the descriptors for one. */
static bool has_room(const struct worker *worker)
{
    int first = open_anything(), second = open_anything();
    bool has_descriptors = first >= 0 && second >= 0;
    if (first >= 0)
        close(first);
    if (second >= 0)
        close(second);
    return has_descriptors &&
           counter_read(&worker->counters.active) * 10 < worker->options.conn_limit * 9;
}

static void breath_over(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, breath);
    if (!has_room(worker)) {
        timer_start(timer, &worker->breath_time, worker->loop.now, breath_over);
        return;
    }
    worker->full = false;
    atomic_fetch_sub(&worker->options.state->full_workers, 1);
    log_info("there is room for new connections again");
}

void worker_is_full(struct worker *worker)
{
    if (worker->full)
        return;
    worker->full = true;
    atomic_fetch_add(&worker->options.state->full_workers, 1);
    timer_start(&worker->breath, &worker->breath_time, worker->loop.now, breath_over);
    log_warning("no room for new connections (%llu are open): they %s until there is",
                (unsigned long long)counter_read(&worker->counters.active),
                worker->options.state->fail_closed ? "are refused" : "pass uninspected");
}

void worker_forget(struct worker *worker, struct conn *conn)
{
    LIST_REMOVE(conn, link);
    slab_free(&worker->conn_slab, conn);
    counter_add(&worker->counters.active, (uint64_t)-1);
}

/* ---- arrivals ---- */

static void turn_away(struct worker *worker, int fd)
{
    struct endpoint endpoint;
    endpoint_init(&endpoint, fd);
    endpoint_close(&endpoint, true);
    counter_add(&worker->counters.refused, 1);
}

/* Out of descriptors: one is kept back, so that an arrival can be told no instead of waiting. */
static void turn_away_next(struct worker *worker, int listener)
{
    struct address device, origin;
    worker_is_full(worker);
    if (worker->spare_fd >= 0)
        close(worker->spare_fd);
    int fd = listener_accept(listener, &device, &origin);
    if (fd >= 0)
        turn_away(worker, fd);
    worker->spare_fd = open_anything();
}

/* Somebody has connected to the listening port itself: dialling that would be dialling ourselves.
 */
static bool is_for_us(const struct worker *worker, const struct address *origin)
{
    return origin->port == worker->options.listen_port && listener_address_is_ours(origin);
}

/* False if there is nothing more to be had for now. */
static bool accept_one(struct worker *worker, int listener)
{
    struct address device, origin;
    int fd = listener_accept(listener, &device, &origin);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            turn_away_next(worker, listener);
            return true;
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    counter_add(&worker->counters.accepted, 1);
    if (counter_read(&worker->counters.active) >= worker->options.conn_limit) {
        worker_is_full(worker);
        turn_away(worker, fd);
    } else if (is_for_us(worker, &origin)) {
        turn_away(worker, fd);
    } else {
        conn_start(worker, fd, &device, &origin);
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
    struct worker_policy policy;
};

static void drop_policy(struct worker_policy *policy)
{
    policy_view_unref(policy->view);
    tls_context_fini(&policy->tls);
}

static void deliver_reload(struct message *message, void *receiver)
{
    struct worker *worker = receiver;
    struct reload_message *reload = container_of(message, struct reload_message, message);
    drop_policy(&worker->policy);
    worker->policy = reload->policy;
    free(reload);
}

void worker_reload(struct worker *worker, const struct worker_policy *policy)
{
    struct reload_message *reload = malloc(sizeof(*reload));
    CHECK(reload != NULL);
    *reload = (struct reload_message){{.deliver = deliver_reload}, *policy};
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
    worker->listeners[index] = listener_open(family, worker->options.listen_port);
    if (worker->listeners[index] < 0)
        return false;
    return loop_add(&worker->loop, &worker->listener_watches[index], worker->listeners[index],
                    EPOLLIN, ready);
}

static bool open_listeners(struct worker *worker)
{
    const unsigned port = worker->options.listen_port;
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

static void init_timeouts(struct worker *worker)
{
    const struct {
        struct timeout_class *class;
        uint64_t length;
    } times[] = {
        {&worker->silence_time, SILENCE_TIME}, {&worker->hello_time, HELLO_TIME},
        {&worker->dial_time, DIAL_TIME},       {&worker->handshake_time, HANDSHAKE_TIME},
        {&worker->linger_time, LINGER_TIME},   {&worker->breath_time, BREATH_TIME},
    };
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        timeout_class_init(times[i].class, &worker->loop.timeouts, times[i].length);
}

struct worker *worker_open(const struct worker_options *options, const struct worker_policy *policy)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    CHECK(worker != NULL);
    worker->options = *options;
    worker->listeners[0] = worker->listeners[1] = -1;
    worker->listener_watches[0].fd = worker->listener_watches[1].fd = -1;
    worker->spare_fd = open_anything();
    LIST_INIT(&worker->conns);
    slab_init(&worker->conn_slab, sizeof(struct conn), SPARE_CONNS);
    slab_init(&worker->buffer_slab, RELAY_BUFFER_SIZE, SPARE_BUFFERS);
    if (!loop_init(&worker->loop) || !mailbox_init(&worker->mailbox, &worker->loop, worker) ||
        !neighbours_open(&worker->neighbours)) {
        log_error("a worker could not be set up: %m");
        worker_close(worker);
        return NULL;
    }
    init_timeouts(worker);
    if (!open_listeners(worker)) {
        worker_close(worker);
        return NULL;
    }
    worker->policy = *policy;
    return worker;
}

static void *run(void *context)
{
    struct worker *worker = context;
    pthread_setname_np(pthread_self(), "worker");
    log_redirect(recorder_log_sink, worker->options.feed);
    loop_run(&worker->loop);
    struct conn *conn;
    while ((conn = LIST_FIRST(&worker->conns)) != NULL)
        conn_abort(conn, ENDING_SHUTDOWN);
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
        mailbox_call(&worker->mailbox, loop_stop, &worker->loop);
        pthread_join(worker->thread, NULL);
    }
    if (worker->mailbox.receiver != NULL)
        mailbox_fini(&worker->mailbox);
    for (size_t i = 0; i < ARRAY_SIZE(worker->listeners); i++) {
        loop_remove(&worker->loop, &worker->listener_watches[i]);
        if (worker->listeners[i] >= 0)
            close(worker->listeners[i]);
    }
    if (worker->spare_fd >= 0)
        close(worker->spare_fd);
    timer_stop(&worker->breath);
    neighbours_close(&worker->neighbours);
    pipe_pool_fini(&worker->pipes);
    slab_fini(&worker->conn_slab);
    slab_fini(&worker->buffer_slab);
    drop_policy(&worker->policy);
    loop_fini(&worker->loop);
    free(worker);
}
