/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/history.h"

#include <string.h>

/* A packet that the kernel has let pass by itself may have been on its way when the policy changed,
 * and its connection begins, to the kernel, where it leaves. In ns. */
#define ON_ITS_WAY UINT64_C(10000000)

void history_init(struct history *history, size_t pattern_limit)
{
    *history = (struct history){.pattern_limit = pattern_limit};
}

static size_t count_patterns(const struct policy_view *view)
{
    return patterns_count(policy_ignore(policy_view_policy(view)));
}

static bool is_full(const struct history *history, size_t patterns)
{
    for (size_t i = 0; i < history->count; i++)
        patterns += count_patterns(history->kept[i].view);
    return history->count == HISTORY_KEPT || patterns > history->pattern_limit;
}

static void drop_oldest(struct history *history)
{
    policy_view_free(history->kept[0].view);
    history->count--;
    memmove(&history->kept[0], &history->kept[1], history->count * sizeof(history->kept[0]));
}

void history_add(struct history *history, struct policy_view *view, uint64_t since)
{
    size_t patterns = count_patterns(view);
    while (history->count > 0 && is_full(history, patterns))
        drop_oldest(history);
    history->kept[history->count].view = view;
    history->kept[history->count].since = since;
    history->count++;
}

void history_fini(struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        policy_view_free(history->kept[i].view);
    history->count = 0;
}

const struct policy_view *history_newest(const struct history *history)
{
    return history->kept[history->count - 1].view;
}

const struct policy_view *history_at(const struct history *history, uint64_t time)
{
    for (size_t i = history->count; i > 0; i--)
        if (history->kept[i - 1].since <= time)
            return history->kept[i - 1].view;
    return NULL;
}

/* True if this policy explains it. */
static bool explains(const struct policy_view *view, const struct flow *flow,
                     struct decision *decision, uint64_t *revision)
{
    if (view == NULL)
        return false;
    *decision = policy_decide(view, flow);
    *revision = policy_revision(policy_view_policy(view));
    return decision->verdict == VERDICT_PASS;
}

struct decision history_explain(const struct history *history, const struct flow *flow,
                                uint64_t start, uint64_t *revision)
{
    const struct policy_view *then = history_at(history, start);
    struct decision decision;
    uint64_t earlier;
    *revision = 0;
    if (explains(then, flow, &decision, revision))
        return decision;
    const struct policy_view *before =
        start > ON_ITS_WAY ? history_at(history, start - ON_ITS_WAY) : NULL;
    if (before != then && explains(before, flow, &decision, &earlier)) {
        *revision = earlier;
        return decision;
    }
    return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_UNKNOWN};
}

/* ---- what has changed ---- */

static bool passes_by(const struct policy_view *view, const struct flow *flow)
{
    return policy_decide(view, flow).verdict == VERDICT_PASS;
}

static bool asks_for_names(const struct policy_view *view)
{
    const struct config *config = policy_config(policy_view_policy(view));
    unsigned match = config->ignore.match | config->allow.match;
    for (const struct device_config *device = config->devices; device != NULL;
         device = device->next)
        match |= device->ignore.match;
    return (match & MATCH_DNS) != 0 || config->learn.mode == LEARN_AUTO;
}

bool history_differs(const struct history *history, const struct flow *flow, uint64_t start)
{
    const struct policy_view *now = history_newest(history), *then = history_at(history, start);
    if (passes_by(now, flow))
        return false;
    bool forgotten = flow->name_count == 0 && asks_for_names(now);
    return !forgotten || (then != NULL && passes_by(then, flow));
}
