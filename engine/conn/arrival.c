/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/arrival.h"

#include "conn/forging.h"
#include "conn/intercepting.h"
#include "conn/notes.h"
#include "conn/opening.h"
#include "conn/passing.h"
#include "conn/relaying.h"
#include "conn/upgrading.h"
#include "core/log.h"

/* All states, in the order of enum conn_state. */
static const struct conn_stage *const stages[CONN_STATES] = {
    [CONN_HELLO] = &opening_hello,
    [CONN_SILENT] = &opening_silent,
    [CONN_STARTTLS] = &upgrading_starttls,
    [CONN_DIAL] = &intercepting_dial,
    [CONN_UPSTREAM] = &intercepting_upstream,
    [CONN_VERDICT] = &intercepting_verdict,
    [CONN_FORGE] = &forging_sign,
    [CONN_DEVICE] = &intercepting_device,
    [CONN_RELAY] = &relaying_tls,
    [CONN_PASS_DIAL] = &passing_dial,
    [CONN_SPLICE] = &passing_splice,
    [CONN_PLAIN] = &relaying_plain,
    [CONN_LINGER] = &conn_linger,
};

static void decide(struct conn *conn)
{
    char device[DEVICE_TEXT_SIZE];
    struct decision decision = policy_decide(conn->policy->view, &conn->flow);
    if (conn->pool->options.teach_kernel) /* nobody was asked before */
        policy_count(conn->policy->view, &conn->flow, decision.verdict);
    if (decision.verdict == VERDICT_PASS) {
        passing_begin(conn, &decision);
        return;
    }
    if (log_shows(LOG_LEVEL_VERBOSE))
        log_verbose("clientconnect %s", flow_device_text(&conn->flow, device));
    conn_enter(conn, CONN_HELLO);
}

void arrival_start(struct pool *pool, int fd, const struct address *device,
                   const struct address *origin)
{
    struct conn *conn = pool_alloc_conn(pool);
    struct endpoint endpoint;
    endpoint_init(&endpoint, fd);
    if (conn == NULL) {
        endpoint_close(&endpoint, true);
        pool_ran_out(pool);
        return;
    }
    conn->stages = stages;
    conn->device.endpoint = endpoint;
    endpoint_init(&conn->origin.endpoint, -1);
    conn->device.watch.fd = conn->origin.watch.fd = -1;
    conn->policy = pool_policy_ref(pool->policy);
    conn->flow = (struct flow){.device = *device, .origin = *origin, .protocol = IPPROTO_TCP};

    neighbours_find(&pool->neighbours, &conn->flow, pool->loop.now);
    policy_describe(conn->policy->view, &conn->flow, &conn->arena);
    notes_start(conn);
    if (conn_watch_device(conn))
        decide(conn);
    else
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
}
