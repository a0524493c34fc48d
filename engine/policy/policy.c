/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/policy.h"

#include "core/log.h"
#include "core/loop.h"
#include "policy/amend.h"
#include "policy/candidates.h"
#include "policy/device.h"
#include "policy/lists.h"
#include "policy/suggest.h"
#include "tls/constraints.h"

#include <string.h>
#include <time.h>

struct policy {
    atomic_uint references;
    uint64_t revision;
    struct basis *basis;
    const struct config *config; /* the basis's, or */
    struct config *amended;      /* what edits have made of it; NULL: nothing */
    struct lists lists;
    bool names_matter; /* to some rule */
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

/* ---- making it ---- */

static bool tries(const struct patterns *patterns, unsigned patterns_match, unsigned match)
{
    return (patterns_match & match) != 0 && patterns_count(patterns) > 0;
}

static bool any_tries(struct patterns *const *patterns, const struct device_config *device,
                      unsigned match)
{
    for (; device != NULL; device = device->next)
        if (tries(*patterns++, device->ignore.match, match))
            return true;
    return false;
}

/* True if any pattern that decides is tried against something of these. */
static bool decides_by(const struct policy *policy, unsigned match)
{
    const struct config *config = policy->config;
    const struct lists *lists = &policy->lists;
    return tries(lists->ignore, config->ignore.match, match) ||
           tries(lists->allow, config->allow.match, match) ||
           any_tries(lists->devices, config->devices, match) ||
           any_tries(lists->overlays, config->overlays, match);
}

static bool names_matter(const struct policy *policy)
{
    return policy->config->learn.mode != LEARN_OFF || policy->basis->constraints != NULL ||
           decides_by(policy, MATCH_NAMES);
}

/* Takes over the reference to the basis. */
static struct policy *make(struct basis *basis, const struct policy *before,
                           const struct edits *edits, uint64_t revision, struct report *report)
{
    struct policy *policy = calloc(1, sizeof(*policy));
    CHECK(policy != NULL);
    atomic_init(&policy->references, 1);
    policy->revision = revision;
    policy->basis = basis;
    policy->config = basis->config;
    const bool amend = amend_is_needed(edits);
    if (amend)
        policy->amended = amend_config(basis->config, edits, report);
    if (policy->amended != NULL)
        policy->config = policy->amended;
    if ((!amend || policy->amended != NULL) &&
        lists_init(&policy->lists, basis, policy->config, before != NULL ? &before->lists : NULL,
                   edits, report)) {
        policy->names_matter = names_matter(policy);
        return policy;
    }
    policy_unref(policy);
    return NULL;
}

struct policy *policy_new(struct config *config, uint64_t revision, bool use_cache,
                          struct report *report)
{
    struct basis *basis = basis_new(config, use_cache, report);
    if (basis == NULL)
        return NULL;
    struct edits *none = edits_new();
    struct policy *policy = make(basis, NULL, none, revision, report);
    edits_free(none);
    return policy;
}

struct policy *policy_edit(const struct policy *policy, const struct policy *before,
                           const struct edits *edits, uint64_t revision, struct report *report)
{
    return make(basis_ref(policy->basis), before, edits, revision, report);
}

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add(&policy->references, 1);
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (policy == NULL || atomic_fetch_sub(&policy->references, 1) > 1)
        return;
    lists_fini(&policy->lists);
    config_free(policy->amended);
    basis_unref(policy->basis);
    free(policy);
}

const struct config *policy_config(const struct policy *policy)
{
    return policy->config;
}

const struct config *policy_file(const struct policy *policy)
{
    return policy->basis->config;
}

uint64_t policy_revision(const struct policy *policy)
{
    return policy->revision;
}

const struct patterns *policy_ignore(const struct policy *policy)
{
    return policy->lists.ignore;
}

const struct patterns *policy_list(const struct policy *policy, enum edit_list list,
                                   const char *device)
{
    return lists_find(&policy->lists, list, device);
}

/* ---- views ---- */

bool policy_grow_scratch(const struct policy *policy, struct pattern_scratch **scratch)
{
    const struct basis *basis = policy->basis;
    bool good = lists_grow_scratch(&policy->lists, scratch);
    for (size_t i = 0; i < basis->destination_count && good; i++)
        good = pattern_scratch_grow(scratch, basis->destinations[i]);
    return good;
}

/* Takes over the scratch. */
static struct policy_view *make_view(struct policy *policy, struct known *known,
                                     struct pattern_scratch *scratch)
{
    struct policy_view *view = scratch != NULL ? malloc(sizeof(*view)) : NULL;
    if (view != NULL)
        *view = (struct policy_view){policy_ref(policy), known, scratch};
    else
        pattern_scratch_free(scratch);
    return view;
}

struct policy_view *policy_view_new(struct policy *policy, struct known *known)
{
    struct pattern_scratch *scratch = NULL;
    if (policy_grow_scratch(policy, &scratch))
        return make_view(policy, known, scratch);
    pattern_scratch_free(scratch);
    return NULL;
}

struct policy_view *policy_view_like(struct policy *policy, struct known *known,
                                     const struct pattern_scratch *model)
{
    return make_view(policy, known, pattern_scratch_clone(model));
}

void policy_view_follow(struct policy_view *view, const struct policy_view *old)
{
    pattern_scratch_swap(view->scratch, old->scratch);
    pattern_scratch_free(view->scratch);
    view->scratch = pattern_scratch_ref(old->scratch);
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

struct pattern_scratch *policy_view_scratch(const struct policy_view *view)
{
    return view->scratch;
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

/* What the patterns of the device alone say. */
static const struct pattern_source *ignored_for_device(const struct policy_view *view,
                                                       const struct flow *flow, enum holds *holds)
{
    const struct config *config = view->policy->config;
    const struct lists *lists = &view->policy->lists;
    const struct device_config *device = NULL;
    const struct pattern_source *rule = NULL;
    size_t index = 0;
    while (rule == NULL && (device = device_next_overlay(config, device, flow, &index)) != NULL)
        rule = ignored_by(view, lists->overlays[index], device->ignore.match, flow,
                          HOLDS_FOR_DEVICE, holds);
    device = device_find(config, flow, &index);
    if (rule == NULL && device != NULL)
        rule = ignored_by(view, lists->devices[index], device->ignore.match, flow, HOLDS_FOR_DEVICE,
                          holds);
    return rule;
}

/* A flow of which one name is known at most. */
static struct decision decide_one(const struct policy_view *view, const struct flow *flow)
{
    const struct policy *policy = view->policy;
    const struct config *config = policy->config;
    struct decision decision = {.verdict = VERDICT_PASS, .reason = REASON_RULE};
    decision.rule = ignored_for_device(view, flow, &decision.holds);
    if (decision.rule == NULL)
        decision.rule = ignored_by(view, policy->lists.ignore, config->ignore.match, flow,
                                   HOLDS_FOR_ALL, &decision.holds);
    if (decision.rule != NULL)
        return decision;

    bool has_allow = patterns_count(policy->lists.allow) > 0;
    bool allow_by_address = !has_allow || (config->allow.match & MATCH_NAMES) == 0;
    if (has_allow && is_all_known(config->allow.match, flow) &&
        find_rule(view, policy->lists.allow, config->allow.match, flow) == NULL)
        return (struct decision){
            .verdict = VERDICT_PASS,
            .reason = REASON_NOT_ALLOWED,
            .holds = allow_by_address && flow->origin.family != 0 ? HOLDS_FOR_ALL : HOLDS_ONCE};
    if (flow->sni != NULL &&
        !constraints_permit(policy->basis->constraints, flow->sni, strlen(flow->sni)))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_CONSTRAINTS};
    uint64_t id;
    if (is_pinned(view, flow, &id))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_PINNED, .learned = id};
    bool by_address = flow->origin.family != 0 && !policy->names_matter &&
                      config->devices == NULL && config->overlays == NULL;
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
           !flow->names_crowded && policy_watches_dns(view->policy->config) &&
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
    if (!device_is_intercepted(config, flow))
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_DEVICE};
    if (flow->to_this_box)
        return (struct decision){.verdict = VERDICT_PASS, .reason = REASON_LOCAL};
    struct decision decision =
        flow->opened ? decide_opened(view, flow) : decide_unopened(view, flow);
    if (decision.verdict == VERDICT_TAKE && flow->protocol == IPPROTO_UDP &&
        device_quic(config, flow) == QUIC_PASS)
        return (struct decision){.verdict = VERDICT_PASS,
                                 .reason = REASON_QUIC,
                                 .holds = config->devices == NULL && config->overlays == NULL
                                              ? HOLDS_FOR_ALL
                                              : HOLDS_FOR_DEVICE};
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

/* What another policy may have called the device has gone with that policy. */
void policy_describe(const struct policy_view *view, struct flow *flow, struct arena *arena)
{
    flow->device_name = NULL;
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

bool policy_wants_host(const struct policy_view *view)
{
    return decides_by(view->policy, MATCH_HOST);
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
    const struct pattern_source *rule = find_rule(view, policy->lists.ignore, MATCH_SNI, &named);
    if (rule == NULL || !patterns_first_time(policy->lists.ignore, rule))
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
        if (find_rule(view, policy->basis->destinations[i], destination->rules.match, flow) != NULL)
            rules_add_destination(&rules, destination);
    rules.uninterpreted = find_rule(view, policy->lists.tcp, config->tcp.match, flow) != NULL;
    rules.quic = device_quic(config, flow);
    if (device != NULL)
        rules_add(&rules, &device->scope);
    rules_add(&rules, &config->tls.scope);
    return rules;
}

bool policy_watches_dns(const struct config *config)
{
    const struct device_config *device = config->devices;
    bool watches = ((config->ignore.match | config->allow.match) & MATCH_DNS) != 0 ||
                   config->learn.mode == LEARN_AUTO;
    if (config->network.watch_dns != WATCH_AUTO)
        return config->network.watch_dns == WATCH_YES;
    for (; device != NULL && !watches; device = device->next)
        watches = (device->ignore.match & MATCH_DNS) != 0;
    return watches;
}

const char *rule_place(const struct pattern_source *rule, char text[static RULE_PLACE_SIZE])
{
    return place_text(&rule->place, text);
}
