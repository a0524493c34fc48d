/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * flow_list.h - the connections that are open now, as copies: taken by the threads that have them,
 * one after another, and shown by another one.
 *
 * It belongs to one thread at a time, and owns all that its items point to, but for what is marked
 * static. */
#ifndef EVENT_FLOW_LIST_H
#define EVENT_FLOW_LIST_H

#include "core/arena.h"
#include "core/flow.h"
#include "core/jsonw.h"

struct open_flow {
    uint64_t flow_id;
    struct flow flow;
    const char *state;  /* static: the connection's, or conntrack's */
    const char *action; /* static: as in a record; NULL while that is not decided */
    const char *reason; /* static; likewise */
    const char *rule, *rule_place;
    uint64_t policy_revision; /* 0: unknown */
    uint64_t start;           /* ms since 1970; 0: unknown */
    bool counted;             /* the next four are known */
    uint64_t packets_to_server, packets_to_client;
    uint64_t bytes_to_server, bytes_to_client;
};

struct flow_list {
    struct arena arena;
    size_t limit;
    struct open_flow *items;
    size_t count, capacity;
    size_t taken;   /* from the source that is being asked */
    uint64_t total; /* of all there are, also of those that are not in the list */
};

/* At most `limit` items come from each source, and remain in the end. */
struct flow_list *flow_list_new(size_t limit) must_check;
void flow_list_free(struct flow_list *list);

/* What is added from now on is another source's. */
void flow_list_begin(struct flow_list *list);

/* Copies it, if there is room for it. It is counted in any case. */
void flow_list_add(struct flow_list *list, const struct open_flow *item);

/* False if it would only be counted: for callers that would have to find out first; they count so
 * many that are not in the list. */
bool flow_list_has_room(const struct flow_list *list);
void flow_list_count(struct flow_list *list, uint64_t count);

/* No more will come: the youngest connections remain, in front those that began last. */
void flow_list_finish(struct flow_list *list);

/* {"total": …, "flows": [ … ]}; `now` in ms since 1970. */
void flow_list_write(const struct flow_list *list, struct jsonw *json, uint64_t now);

#endif
