/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * history.h - the policies that were in force lately: a connection that ends in the kernel is told
 * of by the policy that let it pass when it began. One thread. */
#ifndef POLICY_HISTORY_H
#define POLICY_HISTORY_H

#include "policy/policy.h"

#define HISTORY_KEPT 16

struct history {
    struct {
        struct policy_view *view;
        uint64_t since; /* ns since 1970 */
    } kept[HISTORY_KEPT];
    size_t count; /* the newest is the last */
    size_t pattern_limit;
};

/* At most so many patterns are kept in all, unless the newest policy alone has more: ten thousand,
 * compiled, take some 12 MB. */
void history_init(struct history *history, size_t pattern_limit);

/* Takes the view over: its policy is in force from then on. The oldest are dropped for it, if need
 * be. */
void history_add(struct history *history, struct policy_view *view, uint64_t since);
void history_fini(struct history *history);

/* Of the policy that is in force. */
const struct policy_view *history_newest(const struct history *history);

/* The policy's view that was in force at that time; NULL if that is too long ago, or 0. */
const struct policy_view *history_at(const struct history *history, uint64_t time);

/* Why a flow that began at `start` has passed, by what is known of it now. REASON_UNKNOWN if that
 * cannot be told: it began before what is kept, or by what is known now it would not have passed
 * then. *revision is the policy's; 0 if even that is unknown. */
struct decision history_explain(const struct history *history, const struct flow *flow,
                                uint64_t start, uint64_t *revision);

/* True if the policy in force would not let a flow pass that began, and passed, at `start`. A name
 * from DNS is forgotten some time after it was resolved, however long the connection lives; so
 * where the policy asks for names and none is known, only what passed by the policy of its time, by
 * what is known now, is said to be decided otherwise. */
bool history_differs(const struct history *history, const struct flow *flow, uint64_t start);

#endif
