/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/explain.h"
#include "setup.h"

#include <time.h>

/* The answer for the target, as JSON. */
static void assert_explained(const struct policy_view *view, const char *target,
                             const char *expected)
{
    struct explanation explanation;
    struct jsonw json;
    char buffer[1024];
    if (!explain_target(&explanation, view, target))
        fail_msg("%s is no target", target);
    jsonw_init(&json, buffer, sizeof(buffer));
    explanation_write(&json, target, &explanation);
    assert_string_equal(jsonw_text(&json), expected);
}

#define MIRRORED "\"upstream\":\"mirror\",\"upstream_from\":\"[tls]\""

static const char by_address[] = "[ignore]\npattern = ^192\\.0\\.2\\.1:443$\npattern = \\.test:\n"
                                 "pattern = ^2001:db8::1:443$\n";

static void an_address_is_answered_as_in_operation(void **state)
{
    (void)state;
    struct policy_view *view = view_of(by_address);
    assert_explained(view, "192.0.2.1:443",
                     "{\"target\":\"192.0.2.1:443\",\"verdict\":\"ignore\",\"reason\":\"rule\","
                     "\"pattern\":\"^192\\\\.0\\\\.2\\\\.1:443$\",\"file\":\"/etc/test.conf\","
                     "\"line\":2}");
    assert_explained(view, "192.0.2.1:80",
                     "{\"target\":\"192.0.2.1:80\",\"verdict\":\"intercept\","
                     "\"reason\":\"default\"," MIRRORED "}");
    policy_view_free(view);
}

static void ipv6_may_be_asked_for_in_both_forms(void **state)
{
    (void)state;
    struct policy_view *view = view_of(by_address);
    static const char *const targets[] = {"[2001:db8::1]:443", "2001:db8::1:443",
                                          "[2001:DB8:0::1]:443"};
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct explanation explanation;
        assert_true(explain_target(&explanation, view, targets[i]));
        assert_string_equal(explanation_verdict(&explanation), "ignore");
        assert_int_equal(explanation.decision.rule->place.line, 4);
        assert_false(explanation.name_unseen);
    }
    policy_view_free(view);
}

static void a_name_that_operation_would_not_see_is_answered_with_a_note(void **state)
{
    (void)state;
    struct policy_view *view = view_of(by_address);
    assert_explained(view, "a.test:443",
                     "{\"target\":\"a.test:443\",\"verdict\":\"ignore\",\"reason\":\"rule\","
                     "\"pattern\":\"\\\\.test:\",\"file\":\"/etc/test.conf\",\"line\":3,"
                     "\"name_unseen\":true}");
    /* That nothing is found in it says as little. */
    assert_explained(view, "a.example:443",
                     "{\"target\":\"a.example:443\",\"verdict\":\"intercept\","
                     "\"reason\":\"default\"," MIRRORED ",\"name_unseen\":true}");
    policy_view_free(view);
    view = view_of("[allow]\npattern = \\.test:\n");
    assert_explained(view, "a.test:443",
                     "{\"target\":\"a.test:443\",\"verdict\":\"intercept\","
                     "\"reason\":\"default\"," MIRRORED ",\"name_unseen\":true}");
    policy_view_free(view);
    view = view_of("");
    assert_explained(view, "a.test:443",
                     "{\"target\":\"a.test:443\",\"verdict\":\"intercept\","
                     "\"reason\":\"default\"," MIRRORED "}");
    policy_view_free(view);
}

static void where_names_are_matched_there_is_no_note(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = \\.test:\nmatch = sni\n");
    assert_explained(view, "a.test:443",
                     "{\"target\":\"a.test:443\",\"verdict\":\"ignore\",\"reason\":\"rule\","
                     "\"pattern\":\"\\\\.test:\",\"file\":\"/etc/test.conf\",\"line\":2}");
    policy_view_free(view);
}

static void what_is_not_allowed_is_ignored(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[allow]\npattern = \\.test:\nmatch = address sni\n");
    assert_explained(view, "a.example:443",
                     "{\"target\":\"a.example:443\",\"verdict\":\"ignore\","
                     "\"reason\":\"not_allowed\"}");
    assert_explained(view, "192.0.2.1:443",
                     "{\"target\":\"192.0.2.1:443\",\"verdict\":\"ignore\","
                     "\"reason\":\"not_allowed\"}");
    assert_explained(view, "a.test:443",
                     "{\"target\":\"a.test:443\",\"verdict\":\"intercept\","
                     "\"reason\":\"default\"," MIRRORED "}");
    policy_view_free(view);
}

static void what_is_intercepted_is_told_its_upstream_mode_and_who_sets_it(void **state)
{
    (void)state;
    struct policy_view *view =
        view_of("[destination bank]\npattern = ^bank\\.test:\nupstream = verify\n");
    assert_explained(view, "bank.test:443",
                     "{\"target\":\"bank.test:443\",\"verdict\":\"intercept\","
                     "\"reason\":\"default\",\"upstream\":\"verify\","
                     "\"upstream_from\":\"[destination bank]\"}");
    policy_view_free(view);
}

static void what_is_no_target_is_not_answered(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "",          "a.test", "a.test:",     ":443",      "a.test:https",  "a.test:65536",
        "a.test:-1", ":",      "a.test:443 ", "192.0.2.1", "[2001:db8::1]", "192.0.2.1:443x",
    };
    struct policy_view *view = view_of("");
    struct explanation explanation;
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
        if (explain_target(&explanation, view, targets[i]))
            fail_msg("%s was answered", targets[i]);
    policy_view_free(view);
}

static void a_target_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    (void)state;
    char target[EXPLAIN_TARGET_LIMIT + 1];
    struct policy_view *view = view_of("[ignore]\npattern = ^a{295}:443$\n");
    struct explanation explanation;
    memset(target, 'a', sizeof(target));
    strcpy(target + EXPLAIN_TARGET_LIMIT - 5, ":443");
    assert_int_equal(strlen(target), EXPLAIN_TARGET_LIMIT - 1);
    assert_true(explain_target(&explanation, view, target));
    assert_string_equal(explanation_verdict(&explanation), "ignore");
    strcpy(target + EXPLAIN_TARGET_LIMIT - 4, ":443");
    assert_false(explain_target(&explanation, view, target));
    policy_view_free(view);
}

static void devices_for_which_it_passes_are_told(void **state)
{
    (void)state;
    struct report report = {0};
    struct policy *policy = policy_new(
        good_config("[ignore]\nlearn = auto\nafter-rejections = 1\npattern = ^192\\.0\\.2\\.2:\n"),
        1, false, &report);
    struct known *known = known_new();
    struct policy_view *view = policy_view_new(policy, known);
    const struct learned_refusal refusal = {48, NULL};
    struct learned_finding finding;
    struct flow flow = {.sni = "elsewhere.test"};
    assert_true(address_parse(&flow.device, "10.0.0.7:50012"));
    assert_true(address_parse(&flow.origin, "192.0.2.1:443"));
    learned_note_acceptance(known->learned, &flow, time(NULL));
    flow.sni = "a.test";
    (void)learned_note_refusal(known->learned, &policy_config(policy)->learn, &flow, &refusal,
                               time(NULL), &finding);
    static const struct {
        const char *target;
        size_t count;
    } cases[] = {{"a.test:443", 1}, {"b.test:443", 0}, {"192.0.2.1:443", 1}, {"192.0.2.9:443", 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct explanation explanation;
        struct jsonw json;
        assert_true(explain_target(&explanation, view, cases[i].target));
        assert_int_equal(explanation.decision.verdict, VERDICT_TAKE); /* for others */
        assert_int_equal(explanation.exception_count, cases[i].count);
        jsonw_init_growing(&json);
        explanation_write(&json, cases[i].target, &explanation);
        const char *learned = strstr(jsonw_text(&json), "\"passes_for\":[{\"id\":1,");
        assert_int_equal(learned != NULL, cases[i].count > 0);
        jsonw_fini(&json);
    }
    policy_unref(policy);
    policy_view_free(view);
    known_free(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_answered_as_in_operation),
        cmocka_unit_test(ipv6_may_be_asked_for_in_both_forms),
        cmocka_unit_test(a_name_that_operation_would_not_see_is_answered_with_a_note),
        cmocka_unit_test(where_names_are_matched_there_is_no_note),
        cmocka_unit_test(what_is_not_allowed_is_ignored),
        cmocka_unit_test(what_is_intercepted_is_told_its_upstream_mode_and_who_sets_it),
        cmocka_unit_test(devices_for_which_it_passes_are_told),
        cmocka_unit_test(what_is_no_target_is_not_answered),
        cmocka_unit_test(a_target_may_be_as_long_as_the_limit_and_no_longer),
    };
    return cmocka_run_group_tests_name("policy/explain", tests, NULL, NULL);
}
