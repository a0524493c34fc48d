/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/plain.h"

#include "conn/capturing.h"
#include "conn/telling.h"

bool plain_is_read(struct conn *conn)
{
    conn->rules = policy_tls(conn->policy->view, &conn->flow);
    return telling_is_wanted(conn) || capture_wants(conn->pool->options.packets);
}

static void step(struct conn *conn, bool device_news, bool origin_news)
{
    struct relay *relay = &conn->through.relay;
    switch (relay_run(relay, device_news, origin_news)) {
    case RELAY_AGAIN:
        loop_again(&conn->pool->loop, &conn->device.watch);
        conn_want(conn, relay_device_events(relay), relay_origin_events(relay));
        return;
    case RELAY_GOING:
        conn_want(conn, relay_device_events(relay), relay_origin_events(relay));
        return;
    case RELAY_DONE:
        conn_end(conn, ENDING_CLOSED, false);
        return;
    case RELAY_DEVICE_ERROR:
        conn_end(conn, ENDING_DEVICE_RESET, true);
        return;
    case RELAY_ORIGIN_ERROR:
        conn_end(conn, ENDING_ORIGIN_RESET, true);
        return;
    case RELAY_NO_MEMORY:
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
        return;
    }
}

static void enter_plain(struct conn *conn)
{
    relay_init(&conn->through.relay, &conn->device.endpoint, &conn->origin.endpoint,
               &conn->pool->buffer_slab, conn->pool->relayed);
    counter_add(&conn->pool->counters.passed, 1);
    telling_begin(conn);
    capturing_begin(conn);
    step(conn, true, true);
}

static void leave_plain(struct conn *conn)
{
    relay_fini(&conn->through.relay);
}

/* No events: it is our turn again (loop_again), and either side may have more. */
static void device_ready(struct conn *conn, uint32_t events)
{
    if (conn_lost(&conn->device, events))
        conn_end(conn, ENDING_DEVICE_RESET, true);
    else
        step(conn, true, events == 0);
}

static void origin_ready(struct conn *conn, uint32_t events)
{
    if (conn_lost(&conn->origin, events))
        conn_end(conn, ENDING_ORIGIN_RESET, true);
    else
        step(conn, false, true);
}

const struct conn_stage plain_relay = {.name = "plain",
                                       .enter = enter_plain,
                                       .leave = leave_plain,
                                       .device_ready = device_ready,
                                       .origin_ready = origin_ready};
