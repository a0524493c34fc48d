/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/admission.h"

#include "core/log.h"
#include "core/loop.h"
#include "event/eve.h"
#include "policy/device.h"
#include "policy/outcome.h"
#include "tls/hello.h"
#include "tls/quic.h"

struct admission {
    struct quic_reader *quic; /* NULL: there is none, and no names in it are read */
    struct policy_view *view;
    struct recorder_feed *feed;
    const struct engine_state *state;
};

void *admission_new(struct policy_view *view, struct recorder_feed *feed,
                    const struct engine_state *state)
{
    struct admission *admission = malloc(sizeof(*admission));
    CHECK(admission != NULL);
    *admission =
        (struct admission){.quic = quic_reader_new(), .view = view, .feed = feed, .state = state};
    if (admission->quic == NULL)
        log_warning(
            "OpenSSL lacks what decrypts QUIC's first packets: it is decided without names");
    return admission;
}

void admission_comment(const struct decision *decision, char comment[static DECIDED_COMMENT_SIZE])
{
    char place[RULE_PLACE_SIZE];
    if (decision->rule != NULL)
        snprintf(comment, DECIDED_COMMENT_SIZE, "%s %s", rule_place(decision->rule, place),
                 decision->rule->text);
    else if (decision->reason == REASON_PINNED)
        snprintf(comment, DECIDED_COMMENT_SIZE, "pinned: learned %llu",
                 (unsigned long long)decision->learned);
    else
        snprintf(comment, DECIDED_COMMENT_SIZE, "%s", reason_name(decision->reason));
}

void admission_log_ignored(const struct flow *flow, const struct decision *decision)
{
    char origin[ADDRESS_TEXT_SIZE], device[DEVICE_TEXT_SIZE], place[RULE_PLACE_SIZE];
    if (!log_shows(LOG_LEVEL_VERBOSE))
        return;
    address_text(&flow->origin, origin);
    flow_for_device_text(flow, device);
    if (decision->rule != NULL)
        log_verbose("ignored %s by %s (%s)%s", origin, decision->rule->text,
                    rule_place(decision->rule, place), device);
    else
        log_verbose("passed %s: %s%s", origin, reason_name(decision->reason), device);
}

static void log_refused(const struct flow *flow, const struct decision *decision)
{
    char origin[ADDRESS_TEXT_SIZE], device[DEVICE_TEXT_SIZE];
    if (!log_shows(LOG_LEVEL_VERBOSE))
        return;
    address_text(&flow->origin, origin);
    flow_for_device_text(flow, device);
    if (flow->sni != NULL)
        log_verbose("refused QUIC to %s (%s): %s%s", origin, flow->sni,
                    reason_name(decision->reason), device);
    else
        log_verbose("refused QUIC to %s: %s%s", origin, reason_name(decision->reason), device);
}

/* What passes in the kernel, and QUIC that is refused there. */
static void record_decision(const struct admission *admission, const struct flow *flow,
                            const struct decision *decision)
{
    char place[RULE_PLACE_SIZE];
    struct arena arena = {0};
    struct record record = {
        .flow_id = record_flow_id(flow),
        .flow = flow,
        .action = decision->verdict == VERDICT_PASS ? "bypass" : "refuse",
        .reason = reason_name(decision->reason),
        .policy_revision = policy_revision(policy_view_policy(admission->view)),
        .ech = flow->ech,
        .client = {.alert_in = RECORD_NO_ALERT, .alert_out = RECORD_NO_ALERT},
        .upstream = {.alert_in = RECORD_NO_ALERT, .alert_out = RECORD_NO_ALERT},
    };
    if (flow->protocol == IPPROTO_UDP)
        record.app_proto = flow->quic_version != 0 ? "quic" : "failed";
    if (decision->rule != NULL) {
        record.rule = decision->rule->text;
        record.rule_place = rule_place(decision->rule, place);
    }
    record.learned = decision->learned;
    record.evidence = outcome_evidence(admission->view, decision, &arena);
    eve_write(admission->feed, EVE_INTERCEPT, &record);
    arena_fini(&arena);
}

/* ---- QUIC ---- */

static void note_hello(struct flow *flow, const struct crypto_stream *stream, struct arena *arena)
{
    struct hello hello;
    size_t length = crypto_stream_message(stream);
    if (hello_parse_message(&hello, stream->bytes, length) != HELLO_COMPLETE)
        return;
    flow->opened = true;
    flow->ech = hello.has_ech;
    if (hello.name[0] != '\0')
        flow->sni = arena_strdup(arena, hello.name);
}

/* The name is read where it can make a difference. What cannot be read is decided without it, and
 * so refused where in doubt: TCP, which comes then, can be read. */
static bool read_datagram(void *policy, struct flow *flow, void **reading, struct reader datagram,
                          struct arena *arena)
{
    const struct admission *admission = policy;
    struct quic_hello *hello = *reading;
    if (hello == NULL) {
        flow->quic_version = quic_version(datagram.at, datagram.left);
        policy_describe(admission->view, flow, arena);
        if (flow->quic_version == 0 || admission->quic == NULL ||
            !policy_wants_name(admission->view, flow))
            return false;
        hello = *reading = arena_alloc(arena, sizeof(*hello));
        if (hello == NULL)
            return false;
    }
    enum quic_result result = quic_read(admission->quic, hello, datagram.at, datagram.left);
    if (result == QUIC_COMPLETE)
        note_hello(flow, &hello->stream, arena);
    return result == QUIC_MORE;
}

/* ---- DNS ---- */

static struct dns_path path_of(const struct flow *flow)
{
    return (struct dns_path){flow->device, flow->origin, flow->protocol};
}

static void hear_query(void *policy, const struct flow *flow, const uint8_t *bytes, size_t length)
{
    const struct admission *admission = policy;
    const struct dns_path path = path_of(flow);
    const struct device_key device = flow_device_key(flow);
    const bool counts =
        device_is_intercepted(policy_config(policy_view_policy(admission->view)), flow);
    dns_watch_query(policy_view_known(admission->view)->dns, &path, counts ? &device : NULL, bytes,
                    length, clock_ms());
}

static void hear_answer(void *policy, const struct flow *flow, const uint8_t *bytes, size_t length,
                        gate_dns_news *news, void *gate)
{
    const struct admission *admission = policy;
    const struct dns_path path = path_of(flow);
    dns_watch_answer(policy_view_known(admission->view)->dns, &path, bytes, length, clock_ms(),
                     news, gate);
}

/* ---- deciding ---- */

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
                                .number = decision.learned,
                                .rule = decision.rule};
}

static struct decision decision_of(const struct gate_answer *answer)
{
    return (struct decision){.verdict = answer->verdict,
                             .reason = (enum reason)answer->reason,
                             .learned = answer->number,
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
    const struct admission *admission = policy;
    struct decision decision = decision_of(answer);
    policy_count(admission->view, flow, decision.verdict);
    if (decision.verdict == VERDICT_PASS)
        admission_log_ignored(flow, &decision);
    else if (flow->protocol == IPPROTO_UDP)
        log_refused(flow, &decision);
    else
        return; /* the worker that it goes to tells of it */
    record_decision(admission, flow, &decision);
}

static void release(void *policy)
{
    struct admission *admission = policy;
    policy_view_free(admission->view);
    quic_reader_free(admission->quic);
    free(admission);
}

const struct gate_judge admission_judge = {.dns_query = hear_query,
                                           .dns_answer = hear_answer,
                                           .read = read_datagram,
                                           .decide = decide,
                                           .explain = explain_answer,
                                           .note = note,
                                           .release = release};
