/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../core/log_capture.h"
#include "policy/outcome.h"
#include "setup.h"

/* A view with what is known of devices, and the log from then on. */
struct desk {
    struct known *known;
    struct policy_view *view;
    struct log_capture log;
};

static void open_desk(struct desk *desk, const char *text)
{
    struct report report = {0};
    struct policy *policy = policy_new(good_config(text), 1, false, &report);
    assert_nothing_reported(&report);
    assert_non_null(policy);
    desk->known = known_new();
    assert_non_null(desk->known);
    desk->view = policy_view_new(policy, desk->known);
    assert_non_null(desk->view);
    policy_unref(policy);
    log_capture_start(&desk->log);
}

static void close_desk(struct desk *desk)
{
    log_redirect(NULL, NULL);
    policy_view_free(desk->view);
    known_free(desk->known);
}

static struct flow flow_of(const char *origin, const char *name)
{
    struct flow flow = {.sni = name,
                        .opened = true,
                        .protocol = IPPROTO_TCP,
                        .has_mac = true,
                        .mac = {2, 0, 0, 0, 0, 1}};
    assert_true(address_parse(&flow.device, "10.0.0.7:50012"));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static struct flow usual(void)
{
    return flow_of("192.0.2.1:443", "a.test");
}

static enum learned_news refuse(struct desk *desk, const struct flow *flow)
{
    static const struct learned_refusal refusal = {48, NULL};
    struct learned_finding finding;
    return outcome_refused(desk->view, flow, &refusal, &finding);
}

static void let_accept(struct desk *desk)
{
    const struct flow flow = flow_of("192.0.2.9:443", "elsewhere.test");
    outcome_accepted(desk->view, &flow);
}

#define AUTO "[ignore]\nlearn = auto\nafter-rejections = 2\n"
#define SUGGEST "[ignore]\nlearn = suggest\nafter-rejections = 2\n"

static void E5_a_missing_ca_is_told_once_with_where_it_is(void **state)
{
    (void)state;
    struct desk desk;
    const struct flow flow = usual();
    open_desk(&desk, AUTO "[tls]\nca = /var/ca.pem\n");
    assert_int_equal(refuse(&desk, &flow), LEARNED_NO_CA);
    for (int i = 0; i < 5; i++)
        assert_int_equal(refuse(&desk, &flow), LEARNED_NOTHING);
    assert_int_equal(desk.log.lines, 1);
    assert_non_null(strstr(desk.log.text, "10.0.0.7 refuses our certificates, and has never "
                                          "accepted one"));
    assert_non_null(strstr(desk.log.text, "install our CA on it: /var/ca-cert.pem"));
    assert_int_equal(policy_decide(desk.view, &flow).verdict, VERDICT_TAKE);
    close_desk(&desk);
}

static void E5_what_passes_from_now_on_is_told_with_its_evidence(void **state)
{
    (void)state;
    struct desk desk;
    const struct flow flow = usual();
    open_desk(&desk, AUTO);
    let_accept(&desk);
    assert_int_equal(refuse(&desk, &flow), LEARNED_NOTHING);
    assert_int_equal(refuse(&desk, &flow), LEARNED_PINNED);
    assert_int_equal(desk.log.lines, 1);
    assert_non_null(strstr(desk.log.text, "10.0.0.7 does not accept our certificate for a.test:443 "
                                          "(alert 48 (unknown CA) 2 times)"));
    assert_non_null(strstr(desk.log.text, "pass from now on (interceptctl learned forget 1)"));
    struct decision decision = policy_decide(desk.view, &flow);
    assert_int_equal(decision.verdict, VERDICT_PASS);
    assert_int_equal(decision.reason, REASON_PINNED);
    struct arena arena = {0};
    assert_string_equal(outcome_evidence(desk.view, &decision, &arena),
                        "alert 48 (unknown CA) 2 times");
    decision.learned = 2;
    assert_null(outcome_evidence(desk.view, &decision, &arena));
    decision = (struct decision){.verdict = VERDICT_TAKE, .reason = REASON_DEFAULT, .learned = 1};
    assert_null(outcome_evidence(desk.view, &decision, &arena));
    arena_fini(&arena);
    close_desk(&desk);
}

static void E5_a_suggestion_is_told_with_the_pattern_to_use(void **state)
{
    (void)state;
    static const struct {
        const char *match, *pattern;
    } cases[] = {{"address", "pattern = ^192\\.0\\.2\\.1:443$, or interceptctl learned keep 1"},
                 {"address sni", "pattern = ^a\\.test:443$, or interceptctl learned keep 1"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct desk desk;
        char text[200];
        const struct flow flow = usual();
        snprintf(text, sizeof(text), SUGGEST "match = %s\n", cases[i].match);
        open_desk(&desk, text);
        let_accept(&desk);
        for (int j = 0; j < 5; j++)
            (void)refuse(&desk, &flow);
        assert_int_equal(desk.log.lines, 1);
        assert_non_null(strstr(desk.log.text, cases[i].pattern));
        assert_int_equal(policy_decide(desk.view, &flow).verdict, VERDICT_TAKE);
        close_desk(&desk);
    }
}

static void without_what_is_known_nothing_is_learned(void **state)
{
    (void)state;
    struct policy_view *view = view_of(AUTO);
    const struct flow flow = usual();
    const struct learned_refusal refusal = {48, NULL};
    struct learned_finding finding;
    outcome_accepted(view, &flow);
    assert_int_equal(outcome_refused(view, &flow, &refusal, &finding), LEARNED_NOTHING);
    policy_view_free(view);
}

/* ---- for whom it holds ---- */

static void pin(struct desk *desk, const struct flow *flow)
{
    let_accept(desk);
    assert_int_equal(refuse(desk, flow), LEARNED_NOTHING);
    assert_int_equal(refuse(desk, flow), LEARNED_PINNED);
}

static void assert_decided(const struct desk *desk, const struct flow *flow, enum verdict verdict,
                           enum holds holds)
{
    const struct decision decision = policy_decide(desk->view, flow);
    assert_int_equal(decision.verdict, verdict);
    assert_int_equal(decision.reason, verdict == VERDICT_PASS ? REASON_PINNED : REASON_DEFAULT);
    assert_int_equal(decision.holds, holds);
}

static void a_name_holds_for_the_device_where_dns_agrees(void **state)
{
    (void)state;
    static const char *const one[] = {"a.test"}, *const two[] = {"b.test", "a.test"};
    struct desk desk;
    struct flow flow = usual();
    open_desk(&desk, AUTO);
    pin(&desk, &flow);
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_ONCE); /* DNS does not know of it */
    flow.names = one;
    flow.name_count = 1;
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_FOR_DEVICE);
    flow.names = two; /* another name is there, which is not pinned */
    flow.name_count = 2;
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_ONCE);
    struct flow other = flow;
    other.sni = "b.test";
    assert_decided(&desk, &other, VERDICT_TAKE, HOLDS_ONCE);
    pin(&desk, &other); /* and now is */
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_FOR_DEVICE);
    flow.names_crowded = true;
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_ONCE);
    close_desk(&desk);
}

static void the_first_packet_is_decided_by_the_name_from_dns(void **state)
{
    (void)state;
    static const char *const one[] = {"a.test"}, *const two[] = {"b.test", "a.test"};
    struct desk desk;
    struct flow flow = usual();
    open_desk(&desk, AUTO);
    pin(&desk, &flow);
    flow.sni = NULL;
    flow.opened = false;
    assert_decided(&desk, &flow, VERDICT_TAKE, HOLDS_ONCE); /* nothing is known of its name */
    flow.names = one;
    flow.name_count = 1;
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_FOR_DEVICE);
    flow.names = two;
    flow.name_count = 2;
    assert_decided(&desk, &flow, VERDICT_TAKE, HOLDS_ONCE);
    flow.mac[5] = 9; /* another device */
    flow.names = one;
    flow.name_count = 1;
    assert_decided(&desk, &flow, VERDICT_TAKE, HOLDS_ONCE);
    close_desk(&desk);
}

static void an_address_holds_for_the_device_where_no_name_leads_there(void **state)
{
    (void)state;
    static const char *const one[] = {"a.test"};
    for (int watched = 0; watched < 2; watched++) {
        struct desk desk;
        struct flow flow = flow_of("192.0.2.1:443", NULL);
        open_desk(&desk, AUTO);
        atomic_store(&desk.known->watches_dns, watched);
        pin(&desk, &flow);
        assert_decided(&desk, &flow, VERDICT_PASS, watched ? HOLDS_FOR_DEVICE : HOLDS_ONCE);
        flow.names = one;
        flow.name_count = 1;
        assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_ONCE);
        flow.sni = "c.test";
        assert_decided(&desk, &flow, VERDICT_TAKE, HOLDS_ONCE);
        close_desk(&desk);
    }
}

static void quic_to_what_is_pinned_passes_too(void **state)
{
    (void)state;
    struct desk desk;
    struct flow flow = usual();
    open_desk(&desk, AUTO);
    pin(&desk, &flow);
    flow.protocol = IPPROTO_UDP;
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_ONCE);
    flow.mac[5] = 9; /* what is refused for another device is not refused for all */
    assert_decided(&desk, &flow, VERDICT_TAKE, HOLDS_ONCE);
    close_desk(&desk);
}

static void what_is_kept_passes_where_others_are_only_suggested(void **state)
{
    (void)state;
    struct desk desk;
    struct flow flow = usual();
    struct learned_finding kept;
    open_desk(&desk, SUGGEST);
    pin(&desk, &flow);
    assert_decided(&desk, &flow, VERDICT_TAKE, HOLDS_ONCE);
    assert_true(learned_keep(desk.known->learned, 1, &kept));
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_ONCE);
    flow.protocol = IPPROTO_UDP;
    assert_decided(&desk, &flow, VERDICT_PASS, HOLDS_ONCE);
    close_desk(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(E5_a_missing_ca_is_told_once_with_where_it_is),
        cmocka_unit_test(E5_what_passes_from_now_on_is_told_with_its_evidence),
        cmocka_unit_test(E5_a_suggestion_is_told_with_the_pattern_to_use),
        cmocka_unit_test(without_what_is_known_nothing_is_learned),
        cmocka_unit_test(a_name_holds_for_the_device_where_dns_agrees),
        cmocka_unit_test(the_first_packet_is_decided_by_the_name_from_dns),
        cmocka_unit_test(an_address_holds_for_the_device_where_no_name_leads_there),
        cmocka_unit_test(quic_to_what_is_pinned_passes_too),
        cmocka_unit_test(what_is_kept_passes_where_others_are_only_suggested),
    };
    return cmocka_run_group_tests_name("policy/outcome", tests, NULL, NULL);
}
