/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/admission.h"

#include "core/log.h"
#include "event/eve.h"

struct admission {
    struct policy_view *view;
    struct recorder_feed *feed;
    const struct engine_state *state;
};

void *admission_new(struct policy_view *view, struct recorder_feed *feed,
                    const struct engine_state *state)
{
    struct admission *admission = malloc(sizeof(*admission));
    CHECK(admission != NULL);
    *admission = (struct admission){.view = view, .feed = feed, .state = state};
    return admission;
}

void admission_comment(const struct decision *decision, char comment[static DECIDED_COMMENT_SIZE])
{
    char place[RULE_PLACE_SIZE];
    if (decision->rule != NULL)
        snprintf(comment, DECIDED_COMMENT_SIZE, "%s %s", rule_place(decision->rule, place),
                 decision->rule->text);
    else
        snprintf(comment, DECIDED_COMMENT_SIZE, "%s", reason_name(decision->reason));
}

void admission_log_ignored(const struct flow *flow, const struct decision *decision)
{
    char origin[ADDRESS_TEXT_SIZE], place[RULE_PLACE_SIZE];
    if (!log_shows(LOG_LEVEL_VERBOSE))
        return;
    address_text(&flow->origin, origin);
    if (decision->rule != NULL)
        log_verbose("ignored %s by %s (%s)", origin, decision->rule->text,
                    rule_place(decision->rule, place));
    else
        log_verbose("passed %s: %s", origin, reason_name(decision->reason));
}

static void record_bypass(const struct admission *admission, const struct flow *flow,
                          const struct decision *decision)
{
    char place[RULE_PLACE_SIZE];
    struct record record = {
        .flow_id = record_flow_id(flow),
        .flow = flow,
        .action = "bypass",
        .reason = reason_name(decision->reason),
        .policy_revision = policy_revision(policy_view_policy(admission->view)),
        .client = {.alert_in = RECORD_NO_ALERT, .alert_out = RECORD_NO_ALERT},
        .upstream = {.alert_in = RECORD_NO_ALERT, .alert_out = RECORD_NO_ALERT},
    };
    if (decision->rule != NULL) {
        record.rule = decision->rule->text;
        record.rule_place = rule_place(decision->rule, place);
    }
    eve_write(admission->feed, EVE_INTERCEPT, &record);
}

static struct decision decide_now(const struct admission *admission, const struct flow *flow)
{
    const struct engine_state *state = admission->state;
    if (atomic_load_explicit(&state->draining, memory_order_relaxed))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_DRAINING};
    struct decision decision = policy_decide(admission->view, flow);
    if (decision.verdict == VERDICT_TAKE && !state->fail_closed &&
        atomic_load_explicit(&state->full_workers, memory_order_relaxed) > 0)
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_OVERLOAD};
    return decision;
}

static struct gate_answer decide(void *policy, struct flow *flow, struct arena *arena)
{
    const struct admission *admission = policy;
    policy_describe(admission->view, flow, arena);
    struct decision decision = decide_now(admission, flow);
    return (struct gate_answer){.verdict = decision.verdict,
                                .holds = decision.holds,
                                .reason = (int)decision.reason,
                                .rule = decision.rule};
}

static struct decision decision_of(const struct gate_answer *answer)
{
    return (struct decision){.verdict = answer->verdict,
                             .reason = (enum reason)answer->reason,
                             .rule = answer->rule,
                             .holds = answer->holds};
}

static void explain_answer(const struct gate_answer *answer,
                           char comment[static DECIDED_COMMENT_SIZE])
{
    struct decision decision = decision_of(answer);
    admission_comment(&decision, comment);
}

static void note(void *policy, const struct flow *flow, const struct gate_answer *answer)
{
    struct decision decision = decision_of(answer);
    if (decision.verdict == VERDICT_TAKE)
        return;
    admission_log_ignored(flow, &decision);
    record_bypass(policy, flow, &decision);
}

static void release(void *policy)
{
    struct admission *admission = policy;
    policy_view_free(admission->view);
    free(admission);
}

const struct gate_judge admission_judge = {
    .decide = decide, .explain = explain_answer, .note = note, .release = release};
