/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/policy.h"

#include "core/log.h"
#include "core/loop.h"
#include "policy/learned.h"
#include "tls/constraints.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

struct policy {
    atomic_uint references;
    uint64_t revision;
    struct config *config;
    struct patterns *ignore, *allow;
    struct learned *learned;        /* the one part that changes: it has a lock of its own */
    struct patterns **destinations; /* as many as the configuration has, in its order */
    size_t destination_count;
    NAME_CONSTRAINTS *constraints; /* of our CA; NULL: none */
};

struct policy_view {
    struct policy *policy;
    struct pattern_scratch *scratch;
};

const char *reason_name(enum reason reason)
{
    static const char *const names[] = {
        [REASON_DEFAULT] = "default",
        [REASON_RULE] = "rule",
        [REASON_NOT_ALLOWED] = "not_allowed",
        [REASON_PINNED] = "pinned",
        [REASON_DEVICE] = "device",
        [REASON_LOCAL] = "local",
        [REASON_CONSTRAINTS] = "name_constraints",
        [REASON_NOT_TLS] = "not_tls",
        [REASON_OVERLOAD] = "overload",
        [REASON_DRAINING] = "draining",
        [REASON_MTLS] = "mtls",
    };
    return names[reason];
}

static struct patterns *compile(const struct config *config, const struct rules_config *rules,
                                const char *cache_name, struct report *report)
{
    char path[PATH_MAX];
    const char *cache = NULL;
    if (cache_name != NULL) {
        snprintf(path, sizeof(path), "%s/%s", config->state_directory, cache_name);
        cache = path;
    }
    return patterns_compile(&rules->patterns, cache, report);
}

static bool compile_destinations(struct policy *policy, bool use_cache, struct report *report)
{
    const struct destination_config *destination = policy->config->destinations;
    size_t count = 0;
    bool good = true;
    for (; destination != NULL; destination = destination->next)
        count++;
    policy->destinations = calloc(count + 1, sizeof(struct patterns *));
    CHECK(policy->destinations != NULL);
    policy->destination_count = count;
    destination = policy->config->destinations;
    for (size_t i = 0; i < count; i++, destination = destination->next) {
        char cache[48];
        snprintf(cache, sizeof(cache), "destination-%zu.hsdb", i + 1);
        policy->destinations[i] =
            compile(policy->config, &destination->rules, use_cache ? cache : NULL, report);
        good = good && policy->destinations[i] != NULL;
    }
    return good;
}

struct policy *policy_new(struct config *config, uint64_t revision, bool use_cache,
                          struct report *report)
{
    struct policy *policy = calloc(1, sizeof(*policy));
    CHECK(policy != NULL);
    atomic_init(&policy->references, 1);
    policy->revision = revision;
    policy->config = config;
    policy->constraints =
        constraints_new(config->tls.name_constraints.items, config->tls.name_constraints.count);
    policy->learned = learned_new(config->ignore_after_rejections, config->network.pass_timeout);
    policy->ignore = compile(config, &config->ignore, use_cache ? "ignore.hsdb" : NULL, report);
    policy->allow = compile(config, &config->allow, use_cache ? "allow.hsdb" : NULL, report);
    bool has_destinations = compile_destinations(policy, use_cache, report);
    if (policy->ignore == NULL || policy->allow == NULL || !has_destinations) {
        policy_unref(policy);
        return NULL;
    }
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (policy == NULL || atomic_fetch_sub(&policy->references, 1) > 1)
        return;
    patterns_free(policy->ignore);
    patterns_free(policy->allow);
    for (size_t i = 0; i < policy->destination_count; i++)
        patterns_free(policy->destinations[i]);
    free(policy->destinations);
    NAME_CONSTRAINTS_free(policy->constraints);
    learned_free(policy->learned);
    config_free(policy->config);
    free(policy);
}

const struct config *policy_config(const struct policy *policy)
{
    return policy->config;
}

uint64_t policy_revision(const struct policy *policy)
{
    return policy->revision;
}

const struct patterns *policy_ignore(const struct policy *policy)
{
    return policy->ignore;
}

static bool grow_scratch(struct pattern_scratch **scratch, const struct policy *policy)
{
    bool good = pattern_scratch_grow(scratch, policy->ignore) &&
                pattern_scratch_grow(scratch, policy->allow);
    for (size_t i = 0; i < policy->destination_count && good; i++)
        good = pattern_scratch_grow(scratch, policy->destinations[i]);
    return good;
}

struct policy_view *policy_view_new(struct policy *policy)
{
    struct policy_view *view = calloc(1, sizeof(*view));
    if (view == NULL)
        return NULL;
    view->policy = policy;
    atomic_fetch_add(&policy->references, 1);
    if (!grow_scratch(&view->scratch, policy)) {
        policy_view_free(view);
        return NULL;
    }
    return view;
}

void policy_view_free(struct policy_view *view)
{
    if (view == NULL)
        return;
    pattern_scratch_free(view->scratch);
    policy_unref(view->policy);
    free(view);
}

const struct policy *policy_view_policy(const struct policy_view *view)
{
    return view->policy;
}

/* ---- deciding ---- */

#define CANDIDATE_SIZE 320 /* a name of 255 bytes, a colon, a port */

/* The texts that patterns are tried against. */
struct candidates {
    const char *texts[3];
    size_t count;
    char storage[3][CANDIDATE_SIZE];
};

static void add_candidate(struct candidates *candidates, const char *format, const char *host,
                          uint16_t port)
{
    char *text = candidates->storage[candidates->count];
    snprintf(text, CANDIDATE_SIZE, format, host, (unsigned)port);
    candidates->texts[candidates->count++] = text;
}

/* A flow without an address is an operator's question about a name: that is then all there is. */
static void find_candidates(struct candidates *candidates, const struct flow *flow, unsigned match)
{
    const struct address *origin = &flow->origin;
    bool has_address = origin->family != 0;
    candidates->count = 0;
    if (has_address && (match & MATCH_ADDRESS) != 0) {
        char ip[INET6_ADDRSTRLEN];
        address_ip_text(origin, ip);
        add_candidate(candidates, "%s:%u", ip, origin->port);
        if (origin->family == AF_INET6)
            add_candidate(candidates, "[%s]:%u", ip, origin->port);
    }
    if (flow->name != NULL && (!has_address || (match & MATCH_SNI) != 0))
        add_candidate(candidates, "%s:%u", flow->name, origin->port);
}

static const struct pattern_source *find_rule(const struct policy_view *view,
                                              const struct patterns *patterns,
                                              const struct rules_config *rules,
                                              const struct flow *flow)
{
    if (patterns_count(patterns) == 0)
        return NULL;
    struct candidates candidates;
    find_candidates(&candidates, flow, rules->match);
    return patterns_match(patterns, view->scratch, candidates.texts, candidates.count);
}

/* The first that it is known by; NULL if there is none. */
static const struct device_config *find_device(const struct config *config, const struct flow *flow)
{
    const struct device_config *device = config->devices;
    for (; device != NULL; device = device->next) {
        bool same_mac =
            device->has_mac && flow->has_mac && memcmp(device->mac, flow->mac, MAC_SIZE) == 0;
        bool same_address = device->has_address && address_same_ip(&device->address, &flow->device);
        if (same_mac || same_address)
            break;
    }
    return device;
}

/* Could a name have changed, or yet change, what these rules say of the flow? */
static bool by_address_alone(const struct rules_config *rules, const struct flow *flow)
{
    return flow->origin.family != 0 && (rules->match & MATCH_SNI) == 0;
}

struct decision policy_decide(const struct policy_view *view, const struct flow *flow)
{
    const struct policy *policy = view->policy;
    const struct config *config = policy->config;
    const struct device_config *device = find_device(config, flow);
    if (device != NULL && !device->intercept)
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_DEVICE};
    if (flow->to_this_box)
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_LOCAL};

    bool ignore_by_address = by_address_alone(&config->ignore, flow);
    const struct pattern_source *rule = find_rule(view, policy->ignore, &config->ignore, flow);
    if (rule != NULL)
        return (struct decision){.verdict = VERDICT_PASS,
                                 .reason = REASON_RULE,
                                 .rule = rule,
                                 .by_destination = ignore_by_address || flow->name == NULL};

    bool has_allow = patterns_count(policy->allow) > 0;
    bool allow_by_address = !has_allow || by_address_alone(&config->allow, flow);
    if (has_allow && (allow_by_address || flow->hello_read) &&
        find_rule(view, policy->allow, &config->allow, flow) == NULL)
        return (struct decision){.verdict = VERDICT_PASS,
                                 .reason = REASON_NOT_ALLOWED,
                                 .by_destination = allow_by_address};
    if (flow->name != NULL &&
        !constraints_permit(policy->constraints, flow->name, strlen(flow->name)))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_CONSTRAINTS};
    if (flow->hello_read && learned_is_pinned(policy->learned, flow, clock_ms()))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_PINNED};
    return (struct decision){.verdict = VERDICT_TAKE,
                             .reason = REASON_DEFAULT,
                             .by_destination =
                                 ignore_by_address && allow_by_address && config->devices == NULL};
}

struct tls_rules policy_tls(const struct policy_view *view, const struct flow *flow)
{
    const struct policy *policy = view->policy;
    const struct destination_config *destination = policy->config->destinations;
    const struct device_config *device = find_device(policy->config, flow);
    struct tls_rules rules = {0};
    for (size_t i = 0; destination != NULL; i++, destination = destination->next)
        if (find_rule(view, policy->destinations[i], &destination->rules, flow) != NULL)
            rules_add_destination(&rules, destination);
    if (device != NULL)
        rules_add(&rules, &device->scope);
    rules_add(&rules, &policy->config->tls.scope);
    return rules;
}

void policy_note_outcome(const struct policy_view *view, const struct flow *flow, bool accepted)
{
    char device[ADDRESS_TEXT_SIZE], origin[ADDRESS_TEXT_SIZE];
    struct learned *learned = view->policy->learned;
    if (accepted)
        learned_note_acceptance(learned, flow);
    else if (learned_note_refusal(learned, flow, clock_ms()))
        log_info("%s does not accept our certificate for %s (%s): pinned, or our CA is missing on "
                 "it; it passes from now on",
                 address_text(&flow->device, device), flow->name != NULL ? flow->name : "any name",
                 address_text(&flow->origin, origin));
}

const char *rule_place(const struct pattern_source *rule, char text[static RULE_PLACE_SIZE])
{
    if (strcmp(rule->place.file, "--ignore") == 0)
        snprintf(text, RULE_PLACE_SIZE, "--ignore");
    else
        snprintf(text, RULE_PLACE_SIZE, "%s:%u", rule->place.file, rule->place.line);
    return text;
}
