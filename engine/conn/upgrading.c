/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/upgrading.h"

#include "conn/conn.h"
#include "conn/dial.h"
#include "conn/notes.h"
#include "conn/passing.h"

#include <sys/socket.h>

/* Edge-triggered: what has to wait for its turn stays in the socket. */
#define WATCH_EVENTS (EPOLLIN | EPOLLRDHUP | (uint32_t)EPOLLET)
#define END_EVENTS ((uint32_t)(EPOLLRDHUP | EPOLLHUP | EPOLLERR))

/* Nobody who means well has sent more than that out of turn. */
#define DROPS_LIMIT 16

bool upgrading_begin(struct conn *conn, const uint8_t *bytes, size_t length, bool by_device)
{
    struct upgrade *upgrade = &conn->through.upgrade;
    *upgrade = (struct upgrade){0};
    if (conn->record.starttls || !starttls_init(&upgrade->reader, bytes, length, by_device))
        return false;
    conn_enter(conn, CONN_STARTTLS);
    return true;
}

static ssize_t peek(struct conn *conn, const struct conn_side *side)
{
    return recv(side->endpoint.fd, conn->pool->relay_space.scratch,
                sizeof(conn->pool->relay_space.scratch), MSG_PEEK);
}

static void drop_waiting(struct conn *conn, const struct conn_side *side)
{
    struct pool *pool = conn->pool;
    for (int i = 0; i < DROPS_LIMIT; i++)
        if (recv(side->endpoint.fd, pool->peeked, sizeof(pool->peeked), 0) <= 0)
            return;
}

static size_t take(struct conn *conn, bool by_device, size_t length)
{
    struct starttls *reader = &conn->through.upgrade.reader;
    if (by_device)
        return starttls_by_device(reader, conn->pool->relay_space.scratch, length);
    size_t taken = starttls_by_origin(reader, conn->pool->relay_space.scratch, length);
    /* Before the device hears that TLS begins, it has nothing to say in TLS. */
    if (reader->turn == STARTTLS_BEGINS)
        drop_waiting(conn, &conn->device);
    return taken;
}

/* One direction: takes what may go on, unless that was done before, and moves it. True if anything
 * was moved. */
static bool move(struct conn *conn, bool by_device)
{
    struct conn_side *from = by_device ? &conn->device : &conn->origin;
    struct conn_side *to = by_device ? &conn->origin : &conn->device;
    struct upgrade *upgrade = &conn->through.upgrade;
    size_t *taken = by_device ? &upgrade->up : &upgrade->down;
    ssize_t length = peek(conn, from);
    if (length <= 0)
        return false;
    if (*taken == 0)
        *taken = take(conn, by_device, (size_t)length);
    if (*taken == 0 || upgrade->reader.turn == STARTTLS_OVER)
        return false;
    length = send(to->endpoint.fd, conn->pool->relay_space.scratch, *taken, MSG_NOSIGNAL);
    if (length <= 0)
        return false;
    *taken -= (size_t)length;
    upgrade->waits = false;
    return recv(from->endpoint.fd, conn->pool->relay_space.scratch, (size_t)length, 0) == length;
}

/* Both have agreed, and both have been told. */
static void begin_tls(struct conn *conn)
{
    drop_waiting(conn, &conn->origin);
    notes_starttls(conn, &conn->through.upgrade.reader);
    conn_enter(conn, CONN_HELLO);
}

/* A device that has asked for TLS may begin it at what we do not take for a yes. Nobody would have
 * verified that session, and an origin could bring it about at will. */
static void let_go(struct conn *conn)
{
    notes_starttls(conn, &conn->through.upgrade.reader);
    if (conn->through.upgrade.reader.asked) {
        conn_refuse(conn, ENDING_STARTTLS_FAILED, NO_ALERT);
        return;
    }
    passing_as(conn, REASON_NOT_TLS);
}

static void follow(struct conn *conn, uint32_t events)
{
    struct upgrade *upgrade = &conn->through.upgrade;
    const enum starttls_turn *turn = &upgrade->reader.turn;
    bool moved = true;
    while (moved && *turn != STARTTLS_OVER && *turn != STARTTLS_BEGINS) {
        moved = move(conn, true);
        /* No answer counts that came before the command was sent. */
        if (upgrade->up == 0 && *turn != STARTTLS_OVER)
            moved = move(conn, false) || moved;
    }
    if (*turn == STARTTLS_BEGINS && (upgrade->down == 0 || move(conn, false)) && upgrade->down == 0)
        begin_tls(conn);
    else if (*turn == STARTTLS_OVER || (events & END_EVENTS) != 0)
        let_go(conn);
    else
        conn_want(conn, WATCH_EVENTS | (upgrade->down > 0 ? (uint32_t)EPOLLOUT : 0),
                  WATCH_EVENTS | (upgrade->up > 0 ? (uint32_t)EPOLLOUT : 0));
}

static void start_following(struct conn *conn)
{
    conn->followed = true;
    conn_timeout(conn, &conn->pool->hello_time);
    follow(conn, 0);
}

static void enter_starttls(struct conn *conn)
{
    if (conn->origin_connected)
        start_following(conn);
    else if (dial_origin(conn))
        conn_want(conn, 0, EPOLLOUT);
}

static void starttls_device_ready(struct conn *conn, uint32_t events)
{
    if (conn->origin_connected)
        follow(conn, events);
    else
        dial_device_gone(conn, events);
}

static void starttls_origin_ready(struct conn *conn, uint32_t events)
{
    if (conn->origin_connected)
        follow(conn, events);
    else if (dial_origin_done(conn))
        start_following(conn);
}

/* Whoever has spoken out of turn may know better than we whose turn it is. But what stands behind
 * the request for TLS waits for the answer. */
static void starttls_expired(struct conn *conn)
{
    struct upgrade *upgrade = &conn->through.upgrade;
    if (!conn->origin_connected) {
        dial_expired(conn);
        return;
    }
    bool waited = upgrade->waits;
    upgrade->waits = upgrade->reader.turn != STARTTLS_ASKED &&
                     (peek(conn, &conn->device) > 0 || peek(conn, &conn->origin) > 0);
    if (waited && upgrade->waits)
        let_go(conn);
    else
        conn_timeout(conn, &conn->pool->hello_time);
}

const struct conn_stage upgrading_starttls = {.name = "starttls",
                                              .enter = enter_starttls,
                                              .device_ready = starttls_device_ready,
                                              .origin_ready = starttls_origin_ready,
                                              .expired = starttls_expired};
