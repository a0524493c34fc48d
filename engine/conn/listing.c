/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/listing.h"

#include "conn/conn.h"
#include "conn/notes.h"

/* Connections that are asked about before others have their turn. */
#define CUTS_A_TURN 256

static void add(struct flow_list *list, struct conn *conn)
{
    notes_traffic(conn);
    const struct record *record = &conn->record;
    const struct open_flow item = {
        .flow_id = record->flow_id,
        .flow = conn->flow,
        .state = conn->stages[conn->state]->name,
        .action = record->action,
        .reason = record->reason,
        .rule = record->rule,
        .rule_place = record->rule_place,
        .policy_revision = record->policy_revision,
        .start = (uint64_t)record->start.tv_sec * 1000 + (uint64_t)record->start.tv_usec / 1000,
        .counted = true,
        .packets_to_server = record->packets_to_server,
        .packets_to_client = record->packets_to_client,
        .bytes_to_server = record->bytes_to_server,
        .bytes_to_client = record->bytes_to_client,
    };
    flow_list_add(list, &item);
}

static bool is_open(const struct conn *conn)
{
    return conn->state != CONN_LINGER;
}

void listing_fill(struct pool *pool, struct flow_list *list)
{
    uint64_t left = counter_read(&pool->counters.active);
    struct conn *conn;
    LIST_FOREACH (conn, &pool->conns, link) {
        if (!flow_list_has_room(list))
            break;
        if (is_open(conn))
            add(list, conn);
        left--;
    }
    flow_list_count(list, left);
}

/* ---- cutting ---- */

static bool passes(const struct conn *conn)
{
    return conn->state == CONN_PASS_DIAL || conn->state == CONN_SPLICE || conn->state == CONN_PLAIN;
}

/* The others lie in the connection itself, or in a moment: no policy has decided them. */
static bool was_decided_by_policy(const struct conn *conn)
{
    switch (conn->decision.reason) {
    case REASON_NOT_TLS:
    case REASON_MTLS:
    case REASON_OVERLOAD:
    case REASON_DRAINING:
        return false;
    default:
        return true;
    }
}

static bool is_decided_otherwise(const struct pool *pool, const struct conn *conn)
{
    if (!is_open(conn) || (passes(conn) && !was_decided_by_policy(conn)))
        return false;
    bool would_pass = policy_decide(pool->policy->view, &conn->flow).verdict == VERDICT_PASS;
    return would_pass != passes(conn);
}

bool listing_cut(struct pool *pool, struct pool_walk *walk, struct listing_cuts *cuts)
{
    for (int i = 0; i < CUTS_A_TURN; i++) {
        struct conn *conn = pool_walk_next(walk);
        if (conn == NULL)
            return false;
        if (!is_decided_otherwise(pool, conn))
            continue;
        *(passes(conn) ? &cuts->passed : &cuts->intercepted) += 1;
        conn_end(conn, ENDING_CUT, true);
    }
    return true;
}
