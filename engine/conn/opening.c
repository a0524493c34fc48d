/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/opening.h"

#include "conn/dial.h"
#include "conn/notes.h"
#include "conn/passing.h"
#include "conn/upgrading.h"
#include "event/eve.h"
#include "tap/host.h"

#include <errno.h>
#include <sys/socket.h>

/* A longer header passes without its host being known. */
#define HOST_REQUEST_LIMIT ((size_t)16 << 10)

/* epoll(7) then tells of them once so many are there: a ClientHello in a thousand pieces costs two
 * wake-ups. */
static void await_count(struct conn *conn, size_t count)
{
    int mark = (int)count;
    (void)setsockopt(conn->device.endpoint.fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
}

static void await_any(struct conn *conn)
{
    if (conn->hello_begun) /* or it is still so */
        await_count(conn, 1);
}

/* Then the time is the origin's, whatever the device has begun to say. */
static bool is_dialling(const struct conn *conn)
{
    return conn->state == CONN_SILENT && !conn->origin_connected;
}

static void pass_as_not_tls(struct conn *conn)
{
    await_any(conn);
    passing_as(conn, REASON_NOT_TLS);
}

/* There is nothing to intercept in plain HTTP, but rules may know its host. */
static void pass_plain(struct conn *conn)
{
    struct decision decision = {.verdict = VERDICT_TAKE};
    if (conn->flow.host != NULL) {
        conn->flow.opened = true;
        decision = policy_decide(conn->policy->view, &conn->flow);
    }
    if (decision.verdict == VERDICT_PASS)
        passing_begin(conn, &decision);
    else
        passing_as(conn, REASON_NOT_TLS);
}

/* Bytes that are no TLS: perhaps the start of a dialogue that leads to it. */
static void go_on_without_tls(struct conn *conn, const uint8_t *bytes, size_t length,
                              bool by_device)
{
    await_any(conn);
    notes_protocol(conn, bytes, length, by_device);
    if (!upgrading_begin(conn, bytes, length, by_device))
        pass_plain(conn);
}

/* True if more of a plain HTTP request is to come, with the host in it that rules ask for. */
static bool is_host_awaited(struct conn *conn, const uint8_t *bytes, size_t length)
{
    char host[HOST_SIZE];
    if (!policy_wants_host(conn->policy->view))
        return false;
    switch (host_read(host, bytes, length)) {
    case HOST_FOUND:
        conn->flow.host = arena_strdup(&conn->arena, host);
        return false;
    case HOST_MORE:
        return length < HOST_REQUEST_LIMIT;
    case HOST_NONE:
        return false;
    }
    return false;
}

/* The device has begun to speak, and has `need` bytes to say before it is known what. */
static void await_bytes(struct conn *conn, size_t need)
{
    await_count(conn, need);
    if (!conn->hello_begun && !is_dialling(conn))
        conn_timeout(conn, &conn->pool->hello_time);
    conn->hello_begun = true;
}

/* Edge-triggered: what we have looked at stays in the socket, and there are bytes that the kernel
 * counts and never shows (TCP's urgent ones). Only what is new wakes us. */
#define DEVICE_EVENTS (EPOLLIN | EPOLLRDHUP | (uint32_t)EPOLLET)

/* What a device may not speak is no use of the origin's, either; but for old devices no origin has
 * to be old. */
static int lowest_for_origin(const struct conn *conn)
{
    if (conn->rules.legacy_server == ANSWER_YES)
        return TLS1_VERSION;
    return conn->rules.min_version > TLS1_2_VERSION ? conn->rules.min_version : TLS1_2_VERSION;
}

static void decide_by_hello(struct conn *conn, const struct hello *hello)
{
    notes_hello(conn, hello);
    struct decision decision = policy_decide(conn->policy->view, &conn->flow);
    if (decision.verdict == VERDICT_PASS) {
        passing_begin(conn, &decision);
        return;
    }
    conn->rules = policy_tls(conn->policy->view, &conn->flow);
    /* Who is to be verified is verified each time. */
    if (conn->rules.client.mode == CLIENT_SPLICE && conn->rules.upstream != UPSTREAM_VERIFY &&
        mtls_knows(&conn->pool->mtls, &conn->flow, conn->pool->loop.now)) {
        passing_as(conn, REASON_MTLS);
        return;
    }
    policy_hint(conn->policy->view, &conn->flow);
    notes_decision(conn, &decision, "intercept");
    eve_write(conn->pool->options.feed, EVE_INTERCEPT, &conn->record);
    if (conn->offered_version < conn->rules.min_version)
        conn_refuse(conn, ENDING_DEVICE_MISMATCH, SSL_AD_PROTOCOL_VERSION);
    else if (!offer_make(&conn->offer, hello, lowest_for_origin(conn),
                         conn->policy->tls->context.origin, &conn->arena))
        conn_refuse(conn, ENDING_NO_COMMON_CIPHER, SSL_AD_HANDSHAKE_FAILURE);
    else
        conn_enter(conn, CONN_DIAL);
}

static void look_at_device(struct conn *conn, uint32_t events)
{
    struct pool *pool = conn->pool;
    struct hello hello;
    ssize_t length = recv(conn->device.endpoint.fd, pool->peeked, sizeof(pool->peeked), MSG_PEEK);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
        conn_end(conn, ENDING_DEVICE_GONE, length != 0);
        return;
    }
    if (length < 0)
        return;
    const bool is_all = (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    enum hello_result result = hello_parse(&hello, pool->peeked, (size_t)length, pool->message);
    if (result == HELLO_MORE && !is_all) {
        await_bytes(conn, hello.need);
        return;
    }
    if (result == HELLO_COMPLETE) {
        await_any(conn);
        decide_by_hello(conn, &hello);
        return;
    }
    if (is_host_awaited(conn, pool->peeked, (size_t)length) && !is_all)
        await_bytes(conn, (size_t)length + 1);
    else
        go_on_without_tls(conn, pool->peeked, (size_t)length, true);
}

/* After STARTTLS it is the device's turn, and silence means nothing. */
static void enter_hello(struct conn *conn)
{
    struct pool *pool = conn->pool;
    bool upgraded = conn->record.starttls;
    conn_timeout(conn, upgraded ? &pool->hello_time : &pool->silence_time);
    conn_want(conn, DEVICE_EVENTS, upgraded ? EPOLLRDHUP : 0);
}

/* After STARTTLS only: the origin has left instead. */
static void hello_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    conn_refuse(conn, ENDING_STARTTLS_FAILED, NO_ALERT);
}

/* Time is up for a ClientHello that never became whole, or for anything at all. What came while we
 * were busy with others has come in time. */
static void hello_expired(struct conn *conn)
{
    char byte;
    if (conn->record.starttls)
        conn_refuse(conn, ENDING_STARTTLS_FAILED, NO_ALERT);
    else if (conn->hello_begun)
        pass_as_not_tls(conn);
    else if (recv(conn->device.endpoint.fd, &byte, 1, MSG_PEEK) > 0)
        look_at_device(conn, 0);
    else
        conn_enter(conn, CONN_SILENT);
}

static void enter_silent(struct conn *conn)
{
    if (dial_origin(conn))
        conn_want(conn, DEVICE_EVENTS, EPOLLOUT);
}

static void silent_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    uint8_t first[64];
    if (!conn->origin_connected) {
        if (!dial_origin_done(conn))
            return;
        if (conn->hello_begun)
            conn_timeout(conn, &conn->pool->hello_time);
        else
            timer_stop(&conn->timer);
        conn_want(conn, DEVICE_EVENTS, EPOLLIN);
        return;
    }
    ssize_t length = recv(conn->origin.endpoint.fd, first, sizeof(first), MSG_PEEK);
    if (length > 0)
        go_on_without_tls(conn, first, (size_t)length, false);
    else
        pass_as_not_tls(conn);
}

static void silent_expired(struct conn *conn)
{
    if (!conn->origin_connected) {
        conn_end(conn, ENDING_ORIGIN_TIMEOUT, true);
        return;
    }
    pass_as_not_tls(conn);
}

const struct conn_stage opening_hello = {.name = "hello",
                                         .enter = enter_hello,
                                         .device_ready = look_at_device,
                                         .origin_ready = hello_origin_ready,
                                         .expired = hello_expired};

const struct conn_stage opening_silent = {.name = "silent",
                                          .enter = enter_silent,
                                          .device_ready = look_at_device,
                                          .origin_ready = silent_origin_ready,
                                          .expired = silent_expired};
