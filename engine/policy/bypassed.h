/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bypassed.h - what passes in the kernel is ignored, but not unseen: the thread that records each
 * of those connections when it is over, lists those that are open, and cuts what is not to pass any
 * more.
 *
 * Nothing waits for it: what the kernel tells faster than it can be written down is lost, and
 * counted. Where the kernel does not track connections, it has nothing to do. Functions may be
 * called from any thread, unless they say otherwise. */
#ifndef POLICY_BYPASSED_H
#define POLICY_BYPASSED_H

#include "core/counter.h"
#include "event/flow_list.h"
#include "event/recorder.h"
#include "gate/ruleset.h"
#include "policy/policy.h"

struct bypassed_options {
    struct marks marks;
    const uint8_t *ports; /* that are taken, as in struct ruleset; copied */
    struct recorder_feed *feed;
};

/* Written by the thread, read by any. */
struct bypassed_counters {
    struct counter ended;            /* connections that passed, and are over */
    struct counter lost;             /* likewise, but nothing else is known of them */
    struct counter reasons[REASONS]; /* those that ended, by why they passed */
};

struct bypassed;

/* Asks for connection tracking, and has it count. The view, of the first policy, is taken over.
 * What it cannot do is logged. */
struct bypassed *bypassed_open(const struct bypassed_options *options,
                               struct policy_view *view) must_check;

/* Starts the thread. False after the reason was logged. */
bool bypassed_start(struct bypassed *bypassed) must_check;

/* A new policy, which is taken over, in force since that time (ns since 1970). */
void bypassed_reload(struct bypassed *bypassed, struct policy_view *view, uint64_t since);

/* Calls `function(context)` in the thread. */
void bypassed_call(struct bypassed *bypassed, void (*function)(void *context), void *context);

/* Ends the thread, and frees it. */
void bypassed_close(struct bypassed *bypassed);

const struct bypassed_counters *bypassed_counters(const struct bypassed *bypassed);

/* ---- its thread only ---- */

/* Adds the connections that pass in the kernel now. */
void bypassed_list(struct bypassed *bypassed, struct flow_list *list);

/* Cuts those that the policy in force would take, and returns how many. One that has passed by a
 * name from DNS which is forgotten by now is not among them: the policy cannot be asked. */
uint64_t bypassed_cut(struct bypassed *bypassed);

#endif
