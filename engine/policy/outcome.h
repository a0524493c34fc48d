/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * outcome.h - what came of an interception: it is learned from (learned.h), and what that leads to
 * is logged. Any thread, with its own view. */
#ifndef POLICY_OUTCOME_H
#define POLICY_OUTCOME_H

#include "policy/learned_json.h"
#include "policy/policy.h"

/* The device has sent data: it has accepted a certificate of our CA's. */
void outcome_accepted(const struct policy_view *view, const struct flow *flow);

/* The device has refused our certificate. With LEARNED_PINNED the finding is in *finding. */
enum learned_news outcome_refused(const struct policy_view *view, const struct flow *flow,
                                  const struct learned_refusal *refusal,
                                  struct learned_finding *finding);

/* The evidence for a decision with REASON_PINNED, in words, in the arena; NULL if there is none. */
const char *outcome_evidence(const struct policy_view *view, const struct decision *decision,
                             struct arena *arena);

#endif
