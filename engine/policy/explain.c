/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/explain.h"

#include "policy/amend.h"
#include "policy/candidates.h"
#include "policy/device.h"
#include "policy/outcome.h"

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

static void come_from(struct flow *flow, const struct device_config *device)
{
    if (device == NULL)
        return;
    flow->has_mac = device->has_mac;
    memcpy(flow->mac, device->mac, MAC_SIZE);
    flow->device = device->address;
    if (device->interface != NULL)
        snprintf(flow->interface, sizeof(flow->interface), "%s", device->interface);
    flow->device_name = device->name;
}

bool question_flow(const struct question *question, struct flow *flow,
                   char name[static EXPLAIN_TARGET_LIMIT])
{
    *flow = (struct flow){.protocol = IPPROTO_TCP, .opened = true};
    if (strlen(question->target) >= EXPLAIN_TARGET_LIMIT)
        return false;
    if (!address_parse(&flow->origin, question->target)) {
        if (!parse_name(question->target, name, &flow->origin.port))
            return false;
        flow->sni = name;
    } else if (question->name_count > 0) {
        flow->names = question->names;
        flow->name_count = question->name_count;
        flow->sni = flow->host = question->names[0];
    }
    come_from(flow, question->device);
    return true;
}

static bool sees_no_names(const struct policy *policy, enum edit_list list, unsigned match)
{
    return patterns_count(policy_list(policy, list, NULL)) > 0 && (match & MATCH_NAMES) == 0;
}

static void tell_evidence(struct explanation *explanation, const struct policy_view *view)
{
    struct arena arena = {0};
    const char *evidence = outcome_evidence(view, &explanation->decision, &arena);
    snprintf(explanation->evidence, sizeof(explanation->evidence), "%s",
             evidence != NULL ? evidence : "");
    arena_fini(&arena);
}

/* For those that may be meant, where nobody in particular is. */
static void find_exceptions(struct explanation *explanation, const struct flow *flow)
{
    struct known *known = policy_view_known(explanation->view);
    const struct config *config = policy_config(policy_view_policy(explanation->view));
    struct learned_finding *exceptions = explanation->exceptions;
    size_t kept = 0, count = 0;
    if (known != NULL && explanation->decision.verdict == VERDICT_TAKE)
        count = learned_about(known->learned, flow, exceptions, EXPLAIN_EXCEPTIONS_LIMIT);
    for (size_t i = 0; i < count; i++)
        if (learned_passes(&exceptions[i], &config->learn, time(NULL)))
            exceptions[kept++] = exceptions[i];
    explanation->exception_count = kept;
}

bool explain_question(struct explanation *explanation, const struct policy_view *view,
                      const struct question *question)
{
    char name[EXPLAIN_TARGET_LIMIT];
    struct flow flow;
    if (!question_flow(question, &flow, name))
        return false;
    const struct policy *policy = policy_view_policy(view);
    const struct config *config = policy_config(policy);
    const bool has_name = flow.sni != NULL;
    if (question->device != NULL && policy_view_known(view) != NULL)
        devices_complete(policy_view_known(view)->devices, &flow);
    explanation->view = view;
    explanation->decision = policy_decide(view, &flow);
    tell_evidence(explanation, view);
    find_exceptions(explanation, &flow);
    explanation->rules = policy_tls(view, &flow);
    bool by_ignore = explanation->decision.reason == REASON_RULE;
    explanation->name_unseen =
        has_name && ((sees_no_names(policy, LIST_IGNORE, config->ignore.match) &&
                      (!by_ignore || flow.origin.family == 0)) ||
                     (!by_ignore && sees_no_names(policy, LIST_ALLOW, config->allow.match)));
    return true;
}

bool explain_target(struct explanation *explanation, const struct policy_view *view,
                    const char *target)
{
    const struct question question = {.target = target};
    return explain_question(explanation, view, &question);
}

static const struct pattern_source *find_of_section(const struct policy_view *view,
                                                    const struct device_config *device,
                                                    const struct flow *flow)
{
    char name[SECTION_NAME_SIZE];
    if (device == NULL)
        return NULL;
    const struct patterns *patterns =
        policy_list(policy_view_policy(view), LIST_IGNORE, amend_section_name(device, name));
    return candidates_find(patterns, policy_view_scratch(view), flow, device->ignore.match);
}

const struct pattern_source *explain_list(const struct policy_view *view, enum edit_list list,
                                          const struct flow *flow)
{
    const struct policy *policy = policy_view_policy(view);
    const struct config *config = policy_config(policy);
    const struct rules_config *const rules[] = {
        [LIST_IGNORE] = &config->ignore, [LIST_ALLOW] = &config->allow, [LIST_TCP] = &config->tcp};
    const struct pattern_source *found = NULL;
    const struct device_config *device = NULL;
    size_t index = 0;
    while (list == LIST_IGNORE && found == NULL &&
           (device = device_next_overlay(config, device, flow, &index)) != NULL)
        found = find_of_section(view, device, flow);
    if (list == LIST_IGNORE && found == NULL)
        found = find_of_section(view, device_find(config, flow, &index), flow);
    if (found == NULL)
        found = candidates_find(policy_list(policy, list, NULL), policy_view_scratch(view), flow,
                                rules[list]->match);
    return found;
}

const char *explanation_verdict(const struct explanation *explanation)
{
    return explanation->decision.verdict == VERDICT_PASS ? "ignore" : "intercept";
}

static void write_exceptions(struct jsonw *json, const struct explanation *explanation)
{
    const struct policy_view *view = explanation->view;
    if (explanation->exception_count == 0)
        return;
    jsonw_array(json, "passes_for");
    for (size_t i = 0; i < explanation->exception_count; i++) {
        jsonw_object(json, NULL);
        learned_tell_finding(json, &explanation->exceptions[i], policy_view_known(view),
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
        if (decision->rule->place.line > 0)
            jsonw_uint(json, "line", decision->rule->place.line);
    }
    if (decision->reason == REASON_PINNED) {
        jsonw_uint(json, "learned", decision->learned);
        jsonw_string(json, "evidence", explanation->evidence);
    }
    if (decision->verdict == VERDICT_TAKE) {
        jsonw_string(json, "upstream", upstream_mode_name(explanation->rules.upstream));
        jsonw_string(json, "upstream_from", explanation->rules.upstream_from->section);
        if (explanation->rules.uninterpreted)
            jsonw_bool(json, "interpreted", false);
    }
    if (explanation->name_unseen)
        jsonw_bool(json, "name_unseen", true);
    write_exceptions(json, explanation);
    jsonw_object_end(json);
}
