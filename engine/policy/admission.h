/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * admission.h - what the gate is told about a new connection: the policy's decision, unless the
 * engine is in no state to take anything. */
#ifndef POLICY_ADMISSION_H
#define POLICY_ADMISSION_H

#include "event/recorder.h"
#include "gate/gate.h"
#include "policy/policy.h"

#include <stdatomic.h>

/* How the engine is; written by whoever knows, read by the gate. */
struct engine_state {
    atomic_uint full_workers; /* workers that can take no more connections */
    atomic_bool draining;     /* about to stop */
    bool fail_closed;         /* then a full engine takes all the same, and the worker refuses */
};

/* The gate's policy: to be given to gate_open() and gate_reload(). Takes over the view; borrows the
 * rest for its life. */
void *admission_new(struct policy_view *view, struct recorder_feed *feed,
                    const struct engine_state *state) must_check;

extern const struct gate_judge admission_judge;

/* The comment that a kernel rule carries: the pattern and where it stands, or the reason. */
void admission_comment(const struct decision *decision, char comment[static DECIDED_COMMENT_SIZE]);

/* One line for the log about a connection that passes. */
void admission_log_ignored(const struct flow *flow, const struct decision *decision);

#endif
