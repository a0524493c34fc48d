/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/passing.h"

#include "conn/dial.h"
#include "conn/notes.h"
#include "conn/relaying.h"
#include "event/eve.h"

/* What was decided by a policy that is no longer in force is not for connections to come. */
static void teach_kernel(struct conn *conn)
{
    struct decided decided = {.origin = conn->flow.origin, .verdict = VERDICT_PASS};
    const enum holds holds = conn->decision.holds;
    /* What holds for all the gate has told already, where there is a queue. */
    if (conn->policy != conn->pool->policy || holds == HOLDS_ONCE ||
        (holds == HOLDS_FOR_ALL && !conn->pool->options.teach_kernel))
        return;
    if (holds == HOLDS_FOR_DEVICE)
        decided_for_device(&decided, &conn->flow, gate_pass_timeout(conn->pool->options.gate),
                           clock_ms());
    admission_comment(&conn->decision, decided.comment);
    decided.protocol = IPPROTO_TCP;
    gate_remember(conn->pool->options.gate, &decided);
    decided.protocol = IPPROTO_UDP;
    gate_remember(conn->pool->options.gate, &decided);
}

/* What is no TLS can be read as it is. */
static void start_passing(struct conn *conn)
{
    if (conn->decision.reason == REASON_NOT_TLS && relaying_is_for_plain(conn)) {
        conn_enter(conn, CONN_PLAIN);
        return;
    }
    if (splice_init(&conn->through.splice, conn->device.endpoint.fd, conn->origin.endpoint.fd,
                    &conn->pool->pipes)) {
        conn_enter(conn, CONN_SPLICE);
        return;
    }
    pool_ran_out(conn->pool);
    conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
}

void passing_begin(struct conn *conn, const struct decision *decision)
{
    notes_decision(conn, decision, "passthrough");
    admission_log_ignored(&conn->flow, decision);
    eve_write(conn->pool->options.feed, EVE_INTERCEPT, &conn->record);
    conn_tell_tls(conn);
    teach_kernel(conn);
    if (conn->origin_connected)
        start_passing(conn);
    else
        conn_enter(conn, CONN_PASS_DIAL);
}

void passing_as(struct conn *conn, enum reason reason)
{
    const struct decision decision = {.verdict = VERDICT_PASS, .reason = reason};
    passing_begin(conn, &decision);
}

static void enter_pass_dial(struct conn *conn)
{
    if (dial_origin(conn))
        conn_want(conn, 0, EPOLLOUT);
}

static void pass_dial_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    if (dial_origin_done(conn))
        start_passing(conn);
}

static void splice_step(struct conn *conn, bool device_news, bool origin_news)
{
    struct splice *splice = &conn->through.splice;
    switch (splice_run(splice, device_news, origin_news)) {
    case SPLICE_AGAIN:
        loop_again(&conn->pool->loop, &conn->device.watch);
        conn_want(conn, splice_device_events(splice), splice_origin_events(splice));
        return;
    case SPLICE_GOING:
        conn_want(conn, splice_device_events(splice), splice_origin_events(splice));
        return;
    case SPLICE_DONE:
        conn_end(conn, ENDING_CLOSED, false);
        return;
    case SPLICE_DEVICE_ERROR:
        conn_end(conn, ENDING_DEVICE_RESET, true);
        return;
    case SPLICE_ORIGIN_ERROR:
        conn_end(conn, ENDING_ORIGIN_RESET, true);
        return;
    }
}

static void enter_splice(struct conn *conn)
{
    counter_add(&conn->pool->counters.passed, 1);
    splice_step(conn, true, true);
}

static void leave_splice(struct conn *conn)
{
    splice_fini(&conn->through.splice);
}

static void splice_device_ready(struct conn *conn, uint32_t events)
{
    if (conn_lost(&conn->device, events))
        conn_end(conn, ENDING_DEVICE_RESET, true);
    else
        splice_step(conn, true, events == 0);
}

static void splice_origin_ready(struct conn *conn, uint32_t events)
{
    if (conn_lost(&conn->origin, events))
        conn_end(conn, ENDING_ORIGIN_RESET, true);
    else
        splice_step(conn, false, true);
}

const struct conn_stage passing_dial = {.name = "pass dial",
                                        .enter = enter_pass_dial,
                                        .device_ready = dial_device_gone,
                                        .origin_ready = pass_dial_origin_ready,
                                        .expired = dial_expired};

const struct conn_stage passing_splice = {.name = "splice",
                                          .enter = enter_splice,
                                          .leave = leave_splice,
                                          .device_ready = splice_device_ready,
                                          .origin_ready = splice_origin_ready};
