/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/forging.h"

#include "conn/notes.h"
#include "conn/passing.h"
#include "core/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* New certificates for one device, a second and at once, by one worker: a browser with many tabs
 * gets what it needs. */
#define DEVICE_RATE 1
#define DEVICE_BURST 200

static void go_on(struct conn *conn, bool cached)
{
    notes_leaf(conn, conn->leaf, cached);
    conn_enter(conn, CONN_DEVICE);
}

static void fail(struct conn *conn)
{
    conn_refuse(conn, ENDING_FORGE_FAILED, SSL_AD_INTERNAL_ERROR);
}

/* The device's ClientHello still lies in its socket, so the origin can have it after all; but not
 * what comes after STARTTLS. */
static void too_many(struct conn *conn)
{
    if (conn->pool->options.state->fail_closed || conn->record.starttls) {
        conn_refuse(conn, ENDING_FORGE_LIMIT, SSL_AD_INTERNAL_ERROR);
        return;
    }
    conn_drop_origin(conn);
    passing_as(conn, REASON_OVERLOAD);
}

/* ---- a leaf that is not in the cache ---- */

#define PREFIX_SIZE 8 /* of an IPv6 network, in which a device takes addresses as it likes */

static uint32_t hash(uint32_t start, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        start = (start ^ bytes[i]) * 16777619u; /* FNV-1a */
    return start;
}

/* Devices that share a bucket share its rate; which do is not to be foreseen. */
static struct bucket *bucket_of(struct pool *pool, const struct flow *flow)
{
    const struct address *device = &flow->device;
    size_t size = device->family == AF_INET6 ? PREFIX_SIZE : address_ip_size(device);
    uint32_t number = flow->has_mac ? hash(pool->forged_seed, flow->mac, MAC_SIZE)
                                    : hash(pool->forged_seed, (const uint8_t *)&device->ip, size);
    return &pool->forged[number % ARRAY_SIZE(pool->forged)];
}

static void make_leaf(struct conn *conn, const struct leaf_request *request)
{
    struct pool *pool = conn->pool;
    if (!bucket_take(bucket_of(pool, &conn->flow), pool->loop.now, DEVICE_RATE, DEVICE_BURST)) {
        too_many(conn);
        return;
    }
    conn->leaf = leaf_make(pool->options.maker, request);
    if (conn->leaf == NULL) {
        fail(conn);
        return;
    }
    if (conn->leaf->draft) {
        conn_enter(conn, CONN_FORGE);
        return;
    }
    leaf_cache_keep(pool->options.leaves, &conn->leaf_key, conn->leaf);
    go_on(conn, false);
}

/* Never in the place of one that the device would not have trusted. */
static bool shows_own(const struct conn *conn)
{
    return conn->rules.certificate != NULL &&
           (conn->verify.count == 0 || conn->rules.upstream == UPSTREAM_IGNORE);
}

void forging_begin(struct conn *conn, const struct leaf_request *request)
{
    if (shows_own(conn)) {
        conn->leaf = leaf_ref(conn->rules.certificate->leaf);
        conn->record.forged_override = true;
        conn->by_our_ca = false;
        go_on(conn, false);
        return;
    }
    if (!leaf_cache_key(request, &conn->leaf_key)) {
        fail(conn);
        return;
    }
    conn->leaf = leaf_cache_find(conn->pool->options.leaves, &conn->leaf_key);
    if (conn->leaf != NULL)
        go_on(conn, true);
    else
        make_leaf(conn, request);
}

/* ---- the signer ---- */

/* Another connection that waits for the same leaf; NULL if there is none. A page's first six
 * connections to a host come at once. */
static struct conn *find_other(struct pool *pool, const struct leaf_cache_key *key)
{
    struct conn *other;
    LIST_FOREACH (other, &pool->forging, forging_link)
        if (memcmp(&other->leaf_key, key, sizeof(*key)) == 0)
            return other;
    return NULL;
}

static bool is_asked_for(struct pool *pool, const struct leaf_cache_key *key)
{
    const struct conn *other;
    LIST_FOREACH (other, &pool->forging, forging_link)
        if (other->forging_number != 0 && memcmp(&other->leaf_key, key, sizeof(*key)) == 0)
            return true;
    return false;
}

static bool ask_signer(struct conn *conn)
{
    struct pool *pool = conn->pool;
    if (++pool->forging_number == 0)
        pool->forging_number = 1; /* 0 is nobody's */
    conn->forging_number = pool->forging_number;
    size_t length = signing_request(pool->signing, conn->forging_number, pool->options.ca_digest,
                                    conn->leaf->certificate);
    if (length == 0)
        errno = EMSGSIZE; /* as the socket would say */
    return length > 0 &&
           send(pool->signer.fd, pool->signing, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void enter_forge(struct conn *conn)
{
    conn_timeout(conn, &conn->pool->signing_time);
    conn_want(conn, EPOLLRDHUP, 0);
    conn->forge_start = clock_ms();
    bool asked = is_asked_for(conn->pool, &conn->leaf_key);
    conn->forging_number = 0;
    LIST_INSERT_HEAD(&conn->pool->forging, conn, forging_link);
    if (asked || ask_signer(conn))
        return;
    if (errno == EMSGSIZE) {
        log_warning("a certificate is too large for the signer");
        fail(conn);
    } else {
        too_many(conn); /* for a signer that is busy, or not there */
    }
}

/* A signer that was killed with our request in its hands answers no more: others who wait for the
 * same ask anew. */
static void forge_expired(struct conn *conn)
{
    struct pool *pool = conn->pool;
    const struct leaf_cache_key key = conn->leaf_key;
    conn->forging_number = 0;
    fail(conn);
    struct conn *other = find_other(pool, &key);
    if (other != NULL)
        (void)!ask_signer(other);
}

/* The answer to a request of ours may be waited for by others still. */
static void leave_forge(struct conn *conn)
{
    LIST_REMOVE(conn, forging_link);
    struct conn *other = find_other(conn->pool, &conn->leaf_key);
    if (other != NULL && conn->forging_number != 0)
        other->forging_number = conn->forging_number;
}

static void forge_device_gone(struct conn *conn, uint32_t events)
{
    (void)events;
    conn_end(conn, ENDING_DEVICE_GONE, false);
}

/* Whatever the origin has to say waits for the relay. */
static void forge_origin_ready(struct conn *conn, uint32_t events)
{
    (void)conn, (void)events;
}

static void finish(struct conn *conn, const struct signing_answer *answer)
{
    if (answer->status == SIGNING_DONE &&
        leaf_finish(conn->leaf, answer->content, answer->length)) {
        histogram_add(&conn->pool->tally.forging, clock_ms() - conn->forge_start);
        leaf_cache_keep(conn->pool->options.leaves, &conn->leaf_key, conn->leaf);
        go_on(conn, false);
    } else if (answer->status == SIGNING_BUSY) {
        too_many(conn);
    } else {
        fail(conn);
    }
}

/* An answer is for the one who asked, and for all who wait for the same. */
static void hear_answer(struct pool *pool, const struct signing_answer *answer)
{
    struct conn *conn;
    LIST_FOREACH (conn, &pool->forging, forging_link)
        if (conn->forging_number == answer->number)
            break;
    if (conn == NULL)
        return; /* nobody waits for it any more */
    if (answer->status != SIGNING_DONE)
        log_warning("the signer refuses a certificate: %.*s", (int)answer->length,
                    (const char *)answer->content);
    const struct leaf_cache_key key = conn->leaf_key;
    while ((conn = find_other(pool, &key)) != NULL)
        finish(conn, answer);
}

static void signer_ready(struct watch *watch, uint32_t events)
{
    struct pool *pool = container_of(watch, struct pool, signer);
    struct signing_answer answer;
    (void)events;
    ssize_t length = recv(watch->fd, pool->signing, sizeof(pool->signing), 0);
    if (length > 0 && signing_read_answer(&answer, pool->signing, (size_t)length)) {
        hear_answer(pool, &answer);
    } else if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
        log_error(
            "the signer is gone for good: what needs a new certificate is not intercepted until "
            "a restart");
        loop_remove(&pool->loop, watch);
    }
}

bool forging_start(struct pool *pool)
{
    return loop_add(&pool->loop, &pool->signer, pool->options.signing_channel, EPOLLIN,
                    signer_ready);
}

const struct conn_stage forging_sign = {.name = "forge",
                                        .enter = enter_forge,
                                        .leave = leave_forge,
                                        .device_ready = forge_device_gone,
                                        .origin_ready = forge_origin_ready,
                                        .expired = forge_expired};
