/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/policy.h"

#include "core/log.h"
#include "core/loop.h"
#include "policy/candidates.h"
#include "policy/device.h"
#include "policy/suggest.h"
#include "tls/constraints.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct policy {
    atomic_uint references;
    uint64_t revision;
    struct config *config;
    struct patterns *ignore, *allow, *tcp;
    struct patterns **destinations; /* as many as the configuration has, in its order */
    size_t destination_count;
    struct patterns **devices; /* likewise */
    size_t device_count;
    bool names_matter;   /* to some rule */
    atomic_bool *hinted; /* by ignore pattern: the operator was told that it wants names */
    NAME_CONSTRAINTS *constraints; /* of our CA; NULL: none */
};

struct policy_view {
    struct policy *policy;
    struct known *known; /* or NULL */
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
        [REASON_QUIC] = "quic",
        [REASON_UNKNOWN] = "unknown",
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

/* One set a section; `name` is the sections'. */
static bool compile_section(struct policy *policy, struct patterns **patterns,
                            const struct rules_config *rules, const char *name, size_t index,
                            bool use_cache, struct report *report)
{
    char cache[48];
    snprintf(cache, sizeof(cache), "%s-%zu.hsdb", name, index + 1);
    *patterns = compile(policy->config, rules,
                        use_cache && rules->patterns.count > 0 ? cache : NULL, report);
    return *patterns != NULL;
}

static bool compile_destinations(struct policy *policy, bool use_cache, struct report *report)
{
    const struct destination_config *destination = policy->config->destinations;
    bool good = true;
    for (; destination != NULL; destination = destination->next)
        policy->destination_count++;
    policy->destinations = calloc(policy->destination_count + 1, sizeof(struct patterns *));
    CHECK(policy->destinations != NULL);
    destination = policy->config->destinations;
    for (size_t i = 0; destination != NULL; i++, destination = destination->next)
        if (!compile_section(policy, &policy->destinations[i], &destination->rules, "destination",
                             i, use_cache, report))
            good = false;
    return good;
}

static bool compile_devices(struct policy *policy, bool use_cache, struct report *report)
{
    const struct device_config *device = policy->config->devices;
    bool good = true;
    for (; device != NULL; device = device->next)
        policy->device_count++;
    policy->devices = calloc(policy->device_count + 1, sizeof(struct patterns *));
    CHECK(policy->devices != NULL);
    device = policy->config->devices;
    for (size_t i = 0; device != NULL; i++, device = device->next)
        if (!compile_section(policy, &policy->devices[i], &device->ignore, "device", i, use_cache,
                             report))
            good = false;
    return good;
}

static bool look_at_names(const struct rules_config *rules)
{
    return rules->patterns.count > 0 && (rules->match & MATCH_NAMES) != 0;
}

static bool names_matter(const struct policy *policy)
{
    const struct config *config = policy->config;
    bool matter = look_at_names(&config->ignore) || look_at_names(&config->allow) ||
                  config->learn.mode != LEARN_OFF || policy->constraints != NULL;
    for (const struct device_config *device = config->devices; device != NULL && !matter;
         device = device->next)
        matter = look_at_names(&device->ignore);
    return matter;
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
    policy->names_matter = names_matter(policy);
    policy->ignore = compile(config, &config->ignore, use_cache ? "ignore.hsdb" : NULL, report);
    policy->allow = compile(config, &config->allow, use_cache ? "allow.hsdb" : NULL, report);
    policy->tcp = compile(config, &config->tcp, use_cache ? "tcp.hsdb" : NULL, report);
    bool has_destinations = compile_destinations(policy, use_cache, report);
    bool has_devices = compile_devices(policy, use_cache, report);
    policy->hinted = calloc(config->ignore.patterns.count + 1, sizeof(*policy->hinted));
    CHECK(policy->hinted != NULL);
    if (policy->ignore == NULL || policy->allow == NULL || policy->tcp == NULL ||
        !has_destinations || !has_devices) {
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
    patterns_free(policy->tcp);
    for (size_t i = 0; i < policy->destination_count; i++)
        patterns_free(policy->destinations[i]);
    free(policy->destinations);
    for (size_t i = 0; i < policy->device_count; i++)
        patterns_free(policy->devices[i]);
    free(policy->devices);
    free(policy->hinted);
    NAME_CONSTRAINTS_free(policy->constraints);
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
                pattern_scratch_grow(scratch, policy->allow) &&
                pattern_scratch_grow(scratch, policy->tcp);
    for (size_t i = 0; i < policy->destination_count && good; i++)
        good = pattern_scratch_grow(scratch, policy->destinations[i]);
    for (size_t i = 0; i < policy->device_count && good; i++)
        good = pattern_scratch_grow(scratch, policy->devices[i]);
    return good;
}

struct policy_view *policy_view_new(struct policy *policy, struct known *known)
{
    struct policy_view *view = calloc(1, sizeof(*view));
    if (view == NULL)
        return NULL;
    view->policy = policy;
    view->known = known;
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

struct known *policy_view_known(const struct policy_view *view)
{
    return view->known;
}

/* ---- deciding ---- */

static const struct pattern_source *find_rule(const struct policy_view *view,
                                              const struct patterns *patterns, unsigned match,
                                              const struct flow *flow)
{
    return candidates_find(patterns, view->scratch, flow, match);
}

/* What these patterns say of the flow with the name that it has; NULL if nothing. `reach` is for
 * whom they are. */
static const struct pattern_source *ignored_by(const struct policy_view *view,
                                               const struct patterns *patterns, unsigned match,
                                               const struct flow *flow, enum holds reach,
                                               enum holds *holds)
{
    const struct pattern_source *rule = find_rule(view, patterns, match, flow);
    if (rule == NULL)
        return NULL;
    /* A name is one device's, and may be another one tomorrow; an address is an address. */
    bool by_address = (match & MATCH_NAMES) == 0 ||
                      find_rule(view, patterns, match & MATCH_ADDRESS, flow) != NULL;
    *holds = by_address && flow->origin.family != 0 ? reach : HOLDS_ONCE;
    return rule;
}

/* Nothing that may yet come to be known could change what these rules say. */
static bool is_all_known(unsigned match, const struct flow *flow)
{
    bool resolved = (match & MATCH_DNS) != 0 && flow->name_count > 0;
    return flow->opened || resolved || (match & (MATCH_SNI | MATCH_HOST)) == 0;
}

/* Before the first bytes the name from DNS is the one that will be asked for. */
static bool is_pinned(const struct policy_view *view, const struct flow *flow, uint64_t *id)
{
    if (view->known == NULL || (!flow->opened && flow->name_count == 0))
        return false;
    struct flow asked = *flow;
    if (!flow->opened)
        asked.sni = flow->names[0];
    return learned_is_pinned(view->known->learned, &view->policy->config->learn, &asked, time(NULL),
                             id);
}

/* A flow of which one name is known at most. */
static struct decision decide_one(const struct policy_view *view, const struct flow *flow)
{
    const struct policy *policy = view->policy;
    const struct config *config = policy->config;
    size_t index;
    const struct device_config *device = device_find(config, flow, &index);
    struct decision decision = {.verdict = VERDICT_PASS, .reason = REASON_RULE};
    if (device != NULL)
        decision.rule = ignored_by(view, policy->devices[index], device->ignore.match, flow,
                                   HOLDS_FOR_DEVICE, &decision.holds);
    if (decision.rule == NULL)
        decision.rule = ignored_by(view, policy->ignore, config->ignore.match, flow, HOLDS_FOR_ALL,
                                   &decision.holds);
    if (decision.rule != NULL)
        return decision;

    bool has_allow = patterns_count(policy->allow) > 0;
    bool allow_by_address = !has_allow || (config->allow.match & MATCH_NAMES) == 0;
    if (has_allow && is_all_known(config->allow.match, flow) &&
        find_rule(view, policy->allow, config->allow.match, flow) == NULL)
        return (struct decision){
            .verdict = VERDICT_PASS,
            .reason = REASON_NOT_ALLOWED,
            .holds = allow_by_address && flow->origin.family != 0 ? HOLDS_FOR_ALL : HOLDS_ONCE};
    if (flow->sni != NULL && !constraints_permit(policy->constraints, flow->sni, strlen(flow->sni)))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_CONSTRAINTS};
    uint64_t id;
    if (is_pinned(view, flow, &id))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_PINNED, .learned = id};
    bool by_address = flow->origin.family != 0 && !policy->names_matter && config->devices == NULL;
    return (struct decision){.verdict = VERDICT_TAKE,
                             .reason = REASON_DEFAULT,
                             .holds = by_address ? HOLDS_FOR_ALL : HOLDS_ONCE};
}

static struct decision decide_named(const struct policy_view *view, const struct flow *flow,
                                    size_t name)
{
    struct flow one = *flow;
    if (flow->name_count > 0) {
        one.names = &flow->names[name];
        one.name_count = 1;
    }
    return decide_one(view, &one);
}

/* Before the first bytes any of the names may be meant. Where they all pass, it holds for the
 * device: a name that it resolves later takes the kernel's rule away (gate.h). */
static struct decision decide_unopened(const struct policy_view *view, const struct flow *flow)
{
    struct decision decision = decide_named(view, flow, 0);
    for (size_t i = 1; i < flow->name_count; i++) {
        struct decision other = decide_named(view, flow, i);
        if (other.verdict != VERDICT_PASS || decision.verdict != VERDICT_PASS)
            return (struct decision){.verdict = VERDICT_TAKE, .reason = REASON_DEFAULT};
    }
    if (flow->name_count == 0 || decision.verdict != VERDICT_PASS || decision.holds != HOLDS_ONCE)
        return decision;
    if (flow->names_crowded)
        return (struct decision){.verdict = VERDICT_TAKE, .reason = REASON_DEFAULT};
    decision.holds = HOLDS_FOR_DEVICE;
    return decision;
}

/* The place of the name that the device has asked for among those from DNS; -1 if it is none. */
static int find_name(const struct flow *flow, const char *asked)
{
    for (size_t i = 0; asked != NULL && i < flow->name_count; i++)
        if (strcasecmp(flow->names[i], asked) == 0)
            return (int)i;
    return -1;
}

/* Names and address agree by DNS, and every connection of this device's to the address would pass,
 * whichever of the names it asks for. */
static bool all_names_pass(const struct policy_view *view, const struct flow *flow)
{
    if (flow->names_crowded)
        return false;
    for (size_t i = 0; i < flow->name_count; i++) {
        struct flow one = *flow;
        one.names = &flow->names[i];
        one.name_count = 1;
        one.sni = flow->sni != NULL ? flow->names[i] : NULL;
        one.host = flow->host != NULL ? flow->names[i] : NULL;
        if (decide_one(view, &one).verdict != VERDICT_PASS)
            return false;
    }
    return true;
}

/* The device asks for no name there, and has resolved none: it knows the address by itself. */
static bool is_nameless(const struct policy_view *view, const struct flow *flow)
{
    return flow->sni == NULL && flow->host == NULL && flow->name_count == 0 &&
           view->known != NULL &&
           atomic_load_explicit(&view->known->watches_dns, memory_order_relaxed);
}

static struct decision decide_opened(const struct policy_view *view, const struct flow *flow)
{
    int name = find_name(flow, flow->sni != NULL ? flow->sni : flow->host);
    struct decision decision = decide_named(view, flow, name >= 0 ? (size_t)name : 0);
    if (decision.verdict != VERDICT_PASS || decision.holds != HOLDS_ONCE)
        return decision;
    if (name >= 0 ? all_names_pass(view, flow)
                  : decision.reason == REASON_PINNED && is_nameless(view, flow))
        decision.holds = HOLDS_FOR_DEVICE;
    return decision;
}

struct decision policy_decide(const struct policy_view *view, const struct flow *flow)
{
    const struct config *config = view->policy->config;
    size_t index;
    const struct device_config *device = device_find(config, flow, &index);
    if (device != NULL ? !device->intercept : config->network.listed_devices)
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_DEVICE};
    if (flow->to_this_box)
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_LOCAL};
    struct decision decision =
        flow->opened ? decide_opened(view, flow) : decide_unopened(view, flow);
    if (decision.verdict == VERDICT_TAKE && flow->protocol == IPPROTO_UDP &&
        device_quic(config, device) == QUIC_PASS)
        return (struct decision){.verdict = VERDICT_PASS,
                                 .reason = REASON_QUIC,
                                 .holds =
                                     config->devices == NULL ? HOLDS_FOR_ALL : HOLDS_FOR_DEVICE};
    return decision;
}

bool policy_wants_name(const struct policy_view *view, const struct flow *flow)
{
    if (!view->policy->names_matter)
        return false;
    struct decision decision = policy_decide(view, flow);
    return decision.holds != HOLDS_FOR_ALL && decision.reason != REASON_DEVICE &&
           decision.reason != REASON_LOCAL && decision.reason != REASON_QUIC;
}

void policy_describe(const struct policy_view *view, struct flow *flow, struct arena *arena)
{
    if (view->known != NULL)
        known_describe(view->known, flow, arena, clock_ms());
    const char *name = device_name(view->policy->config, flow);
    if (name != NULL)
        flow->device_name = name;
}

void policy_count(const struct policy_view *view, const struct flow *flow, enum verdict verdict)
{
    if (view->known != NULL && flow->protocol == IPPROTO_TCP)
        devices_count(view->known->devices, flow, verdict);
}

static bool looks_at_host(const struct rules_config *rules)
{
    return rules->patterns.count > 0 && (rules->match & MATCH_HOST) != 0;
}

bool policy_wants_host(const struct policy_view *view)
{
    const struct config *config = view->policy->config;
    const struct device_config *device = config->devices;
    bool wants = looks_at_host(&config->ignore) || looks_at_host(&config->allow);
    for (; device != NULL && !wants; device = device->next)
        wants = looks_at_host(&device->ignore);
    return wants;
}

/* ---- patterns that are meant for names ---- */

static const char *best_name(const struct flow *flow)
{
    if (flow->sni != NULL)
        return flow->sni;
    if (flow->host != NULL)
        return flow->host;
    return flow->name_count > 0 ? flow->names[0] : NULL;
}

void policy_hint(const struct policy_view *view, const struct flow *flow)
{
    const struct policy *policy = view->policy;
    const struct rules_config *ignore = &policy->config->ignore;
    char place[RULE_PLACE_SIZE], pattern[SUGGEST_SIZE];
    const char *name = best_name(flow);
    if (name == NULL || (ignore->match & MATCH_NAMES) != 0)
        return;
    struct flow named = *flow;
    named.sni = name;
    const struct pattern_source *rule = find_rule(view, policy->ignore, MATCH_SNI, &named);
    if (rule == NULL || atomic_exchange(&policy->hinted[rule - ignore->patterns.items], true))
        return;
    log_info("%s (%s) would be found in %s:%u, but only addresses are looked at: set match = "
             "address dns sni in [ignore], or use the pattern %s",
             rule->text, rule_place(rule, place), name, (unsigned)flow->origin.port,
             suggest_address(&flow->origin, pattern));
}

struct tls_rules policy_tls(const struct policy_view *view, const struct flow *flow)
{
    const struct policy *policy = view->policy;
    const struct destination_config *destination = policy->config->destinations;
    const struct config *config = policy->config;
    size_t index;
    const struct device_config *device = device_find(config, flow, &index);
    struct tls_rules rules = {0};
    for (size_t i = 0; destination != NULL; i++, destination = destination->next)
        if (find_rule(view, policy->destinations[i], destination->rules.match, flow) != NULL)
            rules_add_destination(&rules, destination);
    rules.uninterpreted = find_rule(view, policy->tcp, config->tcp.match, flow) != NULL;
    rules.quic = device_quic(config, device);
    if (device != NULL)
        rules_add(&rules, &device->scope);
    rules_add(&rules, &config->tls.scope);
    return rules;
}

static bool looks_at_dns(const struct rules_config *rules)
{
    return rules->patterns.count > 0 && (rules->match & MATCH_DNS) != 0;
}

bool policy_watches_dns(const struct config *config)
{
    const struct device_config *device = config->devices;
    bool watches = looks_at_dns(&config->ignore) || looks_at_dns(&config->allow) ||
                   config->learn.mode == LEARN_AUTO;
    if (config->network.watch_dns != WATCH_AUTO)
        return config->network.watch_dns == WATCH_YES;
    for (; device != NULL && !watches; device = device->next)
        watches = looks_at_dns(&device->ignore);
    return watches;
}

const char *rule_place(const struct pattern_source *rule, char text[static RULE_PLACE_SIZE])
{
    if (strcmp(rule->place.file, "--ignore") == 0)
        snprintf(text, RULE_PLACE_SIZE, "--ignore");
    else
        snprintf(text, RULE_PLACE_SIZE, "%s:%u", rule->place.file, rule->place.line);
    return text;
}
