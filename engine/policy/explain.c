/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/explain.h"

#include "policy/learned_json.h"

#include <string.h>
#include <time.h>

/* "name:port": whatever stands before the last colon is the name. */
static bool parse_name(const char *target, char *name, uint16_t *port)
{
    const char *colon = strrchr(target, ':');
    if (colon == NULL || colon == target || !port_parse(port, colon + 1))
        return false;
    memcpy(name, target, (size_t)(colon - target));
    name[colon - target] = '\0';
    return true;
}

static bool sees_no_names(const struct rules_config *rules)
{
    return rules->patterns.count > 0 && (rules->match & MATCH_NAMES) == 0;
}

static void explain_learned(struct explanation *explanation, const struct flow *flow)
{
    struct known *known = policy_view_known(explanation->view);
    const struct config *config = policy_config(policy_view_policy(explanation->view));
    struct learned_finding *learned = explanation->learned;
    size_t kept = 0, count = 0;
    if (known != NULL)
        count = learned_about(known->learned, flow, learned, EXPLAIN_LEARNED_LIMIT);
    for (size_t i = 0; i < count; i++)
        if (learned_passes(&learned[i], &config->learn, time(NULL)))
            learned[kept++] = learned[i];
    explanation->learned_count = kept;
}

bool explain_target(struct explanation *explanation, const struct policy_view *view,
                    const char *target)
{
    char name[EXPLAIN_TARGET_LIMIT];
    struct flow flow = {.protocol = IPPROTO_TCP, .opened = true};
    if (strlen(target) >= EXPLAIN_TARGET_LIMIT)
        return false;
    bool is_name = !address_parse(&flow.origin, target);
    if (is_name) {
        if (!parse_name(target, name, &flow.origin.port))
            return false;
        flow.sni = name;
    }
    const struct config *config = policy_config(policy_view_policy(view));
    explanation->view = view;
    explanation->decision = policy_decide(view, &flow);
    explain_learned(explanation, &flow);
    explanation->rules = policy_tls(view, &flow);
    bool by_ignore = explanation->decision.reason == REASON_RULE;
    explanation->name_unseen = is_name && (sees_no_names(&config->ignore) ||
                                           (!by_ignore && sees_no_names(&config->allow)));
    return true;
}

const char *explanation_verdict(const struct explanation *explanation)
{
    return explanation->decision.verdict == VERDICT_PASS ? "ignore" : "intercept";
}

static void write_learned(struct jsonw *json, const struct explanation *explanation)
{
    const struct policy_view *view = explanation->view;
    const struct decision *decision = &explanation->decision;
    if (explanation->learned_count == 0 ||
        (decision->verdict == VERDICT_PASS && decision->reason != REASON_PINNED))
        return;
    jsonw_array(json, "learned");
    for (size_t i = 0; i < explanation->learned_count; i++) {
        jsonw_object(json, NULL);
        learned_tell_finding(json, &explanation->learned[i], policy_view_known(view),
                             policy_config(policy_view_policy(view)), time(NULL));
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
}

void explanation_write(struct jsonw *json, const char *target,
                       const struct explanation *explanation)
{
    const struct decision *decision = &explanation->decision;
    jsonw_object(json, NULL);
    jsonw_string(json, "target", target);
    jsonw_string(json, "verdict", explanation_verdict(explanation));
    jsonw_string(json, "reason", reason_name(decision->reason));
    if (decision->rule != NULL) {
        jsonw_string(json, "pattern", decision->rule->text);
        jsonw_string(json, "file", decision->rule->place.file);
        jsonw_uint(json, "line", decision->rule->place.line);
    }
    if (decision->verdict == VERDICT_TAKE) {
        jsonw_string(json, "upstream", upstream_mode_name(explanation->rules.upstream));
        jsonw_string(json, "upstream_from", explanation->rules.upstream_from->section);
        if (explanation->rules.uninterpreted)
            jsonw_bool(json, "interpreted", false);
    }
    if (explanation->name_unseen)
        jsonw_bool(json, "name_unseen", true);
    write_learned(json, explanation);
    jsonw_object_end(json);
}
