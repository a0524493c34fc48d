/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/pool.h"

#include "conn/conn.h"
#include "core/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Timeouts, in ms. */
#define SILENCE_TIME 300 /* then perhaps the server speaks first */
#define HELLO_TIME 10000 /* for a ClientHello to become whole */
#define DIAL_TIME 60000  /* for the origin to answer a SYN */
#define HANDSHAKE_TIME 30000
#define SIGNING_TIME 5000
#define VERDICT_TIME 1000 /* for a server to say that it wants a certificate after all */
#define LINGER_TIME 2000
#define BREATH_TIME 1000

#define SPARE_CONNS 256
#define SPARE_BUFFERS 64

static void init_timeouts(struct pool *pool)
{
    const struct {
        struct timeout_class *class;
        uint64_t length;
    } times[] = {
        {&pool->silence_time, SILENCE_TIME}, {&pool->hello_time, HELLO_TIME},
        {&pool->dial_time, DIAL_TIME},       {&pool->handshake_time, HANDSHAKE_TIME},
        {&pool->verdict_time, VERDICT_TIME}, {&pool->signing_time, SIGNING_TIME},
        {&pool->linger_time, LINGER_TIME},   {&pool->breath_time, BREATH_TIME},
    };
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        timeout_class_init(times[i].class, &pool->loop.timeouts, times[i].length);
}

bool pool_init(struct pool *pool, const struct pool_options *options)
{
    pool->options = *options;
    LIST_INIT(&pool->conns);
    LIST_INIT(&pool->walks);
    LIST_INIT(&pool->forging);
    if (getrandom(&pool->forged_seed, sizeof(pool->forged_seed), 0) < 0)
        return false;
    slab_init(&pool->conn_slab, sizeof(struct conn), SPARE_CONNS);
    slab_init(&pool->buffer_slab, RELAY_BUFFER_SIZE, SPARE_BUFFERS);
    if (!loop_init(&pool->loop))
        return false;
    init_timeouts(pool);
    return neighbours_open(&pool->neighbours);
}

void pool_fini(struct pool *pool)
{
    timer_stop(&pool->breath);
    neighbours_close(&pool->neighbours);
    pipe_pool_fini(&pool->pipes);
    slab_fini(&pool->conn_slab);
    slab_fini(&pool->buffer_slab);
    pool_policy_unref(pool->policy);
    loop_fini(&pool->loop);
}

struct pool_tls *pool_tls_new(const struct tls_settings *settings)
{
    struct pool_tls *tls = calloc(1, sizeof(*tls));
    CHECK(tls != NULL);
    tls->references = 1;
    if (tls_context_init(&tls->context, settings))
        return tls;
    free(tls);
    return NULL;
}

void pool_tls_unref(struct pool_tls *tls)
{
    if (tls == NULL || --tls->references > 0)
        return;
    tls_context_fini(&tls->context);
    free(tls);
}

struct pool_policy *pool_policy_new(struct policy_view *view, struct pool_tls *tls)
{
    struct pool_policy *policy = malloc(sizeof(*policy));
    CHECK(policy != NULL);
    *policy = (struct pool_policy){1, view, tls};
    return policy;
}

struct pool_policy *pool_policy_ref(struct pool_policy *policy)
{
    policy->references++;
    return policy;
}

void pool_policy_unref(struct pool_policy *policy)
{
    if (policy == NULL || --policy->references > 0)
        return;
    policy_view_free(policy->view);
    pool_tls_unref(policy->tls);
    free(policy);
}

void pool_set_policy(struct pool *pool, struct pool_policy *policy)
{
    const struct pool_policy *old = pool->policy;
    if (policy->tls == NULL) {
        policy->tls = old->tls;
        policy->tls->references++;
    }
    if (old != NULL)
        policy_view_follow(policy->view, old->view);
    pool_policy_unref(pool->policy);
    pool->policy = policy;
}

struct conn *pool_alloc_conn(struct pool *pool)
{
    struct conn *conn = slab_alloc(&pool->conn_slab);
    if (conn == NULL)
        return NULL;
    memset(conn, 0, sizeof(*conn));
    conn->pool = pool;
    LIST_INSERT_HEAD(&pool->conns, conn, link);
    counter_add(&pool->counters.active, 1);
    return conn;
}

void pool_walk_begin(struct pool *pool, struct pool_walk *walk)
{
    walk->next = LIST_FIRST(&pool->conns);
    LIST_INSERT_HEAD(&pool->walks, walk, link);
}

struct conn *pool_walk_next(struct pool_walk *walk)
{
    struct conn *conn = walk->next;
    if (conn != NULL)
        walk->next = LIST_NEXT(conn, link);
    return conn;
}

void pool_walk_end(struct pool_walk *walk)
{
    LIST_REMOVE(walk, link);
}

void pool_free_conn(struct pool *pool, struct conn *conn)
{
    struct pool_walk *walk;
    LIST_FOREACH (walk, &pool->walks, link)
        if (walk->next == conn)
            walk->next = LIST_NEXT(conn, link);
    LIST_REMOVE(conn, link);
    slab_free(&pool->conn_slab, conn);
    counter_add(&pool->counters.active, (uint64_t)-1);
}

/* ---- room ---- */

int pool_spare_descriptor(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* For some more connections, and with the descriptors for one. */
static bool has_room(const struct pool *pool)
{
    int first = pool_spare_descriptor(), second = pool_spare_descriptor();
    bool has_descriptors = first >= 0 && second >= 0;
    if (first >= 0)
        close(first);
    if (second >= 0)
        close(second);
    return has_descriptors &&
           counter_read(&pool->counters.active) * 10 < pool->options.conn_limit * 9;
}

static void breath_over(struct timer *timer)
{
    struct pool *pool = container_of(timer, struct pool, breath);
    if (!has_room(pool)) {
        timer_start(timer, &pool->breath_time, pool->loop.now, breath_over);
        return;
    }
    pool->full = false;
    atomic_fetch_sub(&pool->options.state->full_workers, 1);
    log_info("there is room for new connections again");
}

void pool_ran_out(struct pool *pool)
{
    if (pool->full)
        return;
    pool->full = true;
    atomic_fetch_add(&pool->options.state->full_workers, 1);
    timer_start(&pool->breath, &pool->breath_time, pool->loop.now, breath_over);
    log_warning("no room for new connections (%llu are open): they %s until there is",
                (unsigned long long)counter_read(&pool->counters.active),
                pool->options.state->fail_closed || pool->options.teach_kernel
                    ? "are refused"
                    : "pass uninspected");
}
