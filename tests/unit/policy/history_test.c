/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/history.h"
#include "setup.h"

#define SECOND UINT64_C(1000000000)
#define PATTERNS 100

static struct policy_view *numbered_view(const char *text, uint64_t revision)
{
    struct report report = {0};
    struct policy *policy = policy_new(good_config(text), revision, false, &report);
    assert_nothing_reported(&report);
    struct policy_view *view = policy_view_new(policy, NULL);
    assert_non_null(view);
    policy_unref(policy);
    return view;
}

static struct flow flow_to(const char *origin)
{
    struct flow flow = {.protocol = IPPROTO_TCP};
    assert_true(address_parse(&flow.device, "192.0.2.50:50000"));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

#define A "^198\\.51\\.100\\.1:443$"
#define IGNORE_A "[ignore]\npattern = " A "\n"
#define IGNORE_ALL_OF_443 "[ignore]\npattern = :443$\n"

static void assert_rule(const struct history *history, const struct flow *flow, uint64_t start,
                        const char *rule, uint64_t revision)
{
    uint64_t told;
    struct decision decision = history_explain(history, flow, start, &told);
    assert_int_equal(decision.verdict, VERDICT_PASS);
    assert_int_equal(decision.reason, REASON_RULE);
    assert_string_equal(decision.rule->text, rule);
    assert_int_equal(told, revision);
}

static void assert_unknown(const struct history *history, const struct flow *flow, uint64_t start,
                           uint64_t revision)
{
    uint64_t told;
    struct decision decision = history_explain(history, flow, start, &told);
    assert_int_equal(decision.verdict, VERDICT_PASS);
    assert_string_equal(reason_name(decision.reason), "unknown");
    assert_null(decision.rule);
    assert_int_equal(told, revision);
}

static void the_policy_of_its_time_explains_a_flow(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    history_add(&history, numbered_view(IGNORE_A, 1), 100 * SECOND);
    history_add(&history, numbered_view(IGNORE_ALL_OF_443, 2), 200 * SECOND);
    assert_rule(&history, &flow, 100 * SECOND, A, 1);
    assert_rule(&history, &flow, 200 * SECOND - 1, A, 1);
    assert_rule(&history, &flow, 200 * SECOND, ":443$", 2);
    assert_rule(&history, &flow, 900 * SECOND, ":443$", 2);
    history_fini(&history);
}

static void what_began_before_all_that_is_kept_is_unknown(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    history_add(&history, numbered_view(IGNORE_A, 1), 100 * SECOND);
    assert_unknown(&history, &flow, 100 * SECOND - 1, 0);
    assert_unknown(&history, &flow, 0, 0);
    history_fini(&history);
}

static void what_the_policy_of_its_time_would_not_pass_is_unknown(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.2:443");
    history_add(&history, numbered_view(IGNORE_ALL_OF_443, 1), 100 * SECOND);
    history_add(&history, numbered_view(IGNORE_A, 2), 200 * SECOND);
    history_add(&history, numbered_view(IGNORE_ALL_OF_443, 3), 300 * SECOND);
    assert_unknown(&history, &flow, 250 * SECOND, 2);
    history_fini(&history);
}

/* Matched by the kernel before the change, confirmed after it. */
static void a_packet_on_its_way_during_a_change_passed_by_the_old_policy(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.2:443");
    history_add(&history, numbered_view(IGNORE_ALL_OF_443, 1), 100 * SECOND);
    history_add(&history, numbered_view(IGNORE_A, 2), 200 * SECOND);
    assert_rule(&history, &flow, 200 * SECOND + SECOND / 1000, ":443$", 1);
    assert_unknown(&history, &flow, 200 * SECOND + SECOND / 10, 2);
    history_fini(&history);
}

static void only_the_last_few_are_kept(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    for (uint64_t i = 1; i <= HISTORY_KEPT + 3; i++) {
        history_add(&history, numbered_view(IGNORE_A, i), i * 100 * SECOND);
        const struct policy *newest = policy_view_policy(history_newest(&history));
        assert_int_equal(policy_revision(newest), i);
    }
    assert_unknown(&history, &flow, 399 * SECOND, 0);
    for (uint64_t i = 4; i <= HISTORY_KEPT + 3; i++)
        assert_rule(&history, &flow, i * 100 * SECOND + 1, A, i);
    history_fini(&history);
}

/* A configuration with so many patterns, of which the first is A. */
static struct policy_view *large_view(size_t patterns, uint64_t revision)
{
    size_t size = sizeof(IGNORE_A) + patterns * 32, length;
    char *text = malloc(size);
    assert_non_null(text);
    length = (size_t)snprintf(text, size, IGNORE_A);
    for (size_t i = 1; i < patterns; i++)
        length += (size_t)snprintf(text + length, size - length, "pattern = ^x%zu$\n", i);
    struct policy_view *view = numbered_view(text, revision);
    free(text);
    return view;
}

static void large_ones_are_fewer_but_the_newest_is_always_kept(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    const size_t third = PATTERNS / 3;
    for (uint64_t i = 1; i <= 3; i++)
        history_add(&history, large_view(third, i), i * 100 * SECOND);
    assert_int_equal(history.count, 3);
    history_add(&history, large_view(PATTERNS - 2 * third, 4), 400 * SECOND);
    assert_int_equal(history.count, 3);
    assert_rule(&history, &flow, 200 * SECOND, A, 2);
    assert_unknown(&history, &flow, 100 * SECOND, 0);
    history_add(&history, large_view(PATTERNS - 1, 5), 500 * SECOND);
    assert_int_equal(history.count, 1);
    history_add(&history, large_view(2, 6), 600 * SECOND);
    assert_int_equal(history.count, 1);
    assert_rule(&history, &flow, 600 * SECOND, A, 6);
    history_fini(&history);
}

static void other_reasons_to_pass_are_told(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    uint64_t revision;
    history_add(&history,
                numbered_view("[device phone]\naddress = 192.0.2.50\nintercept = no\n", 1), SECOND);
    history_add(&history, numbered_view("[allow]\npattern = ^x\n", 2), 2 * SECOND);
    assert_int_equal(history_explain(&history, &flow, SECOND, &revision).reason, REASON_DEVICE);
    assert_int_equal(history_explain(&history, &flow, 2 * SECOND, &revision).reason,
                     REASON_NOT_ALLOWED);
    history_fini(&history);
}

/* ---- what has changed ---- */

static void what_the_policy_in_force_would_take_is_decided_otherwise(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow first = flow_to("198.51.100.1:443"), second = flow_to("198.51.100.2:443");
    history_add(&history, numbered_view(IGNORE_ALL_OF_443, 1), SECOND);
    assert_false(history_differs(&history, &first, SECOND));
    history_add(&history, numbered_view(IGNORE_A, 2), 2 * SECOND);
    assert_false(history_differs(&history, &first, SECOND));
    assert_true(history_differs(&history, &second, SECOND));
    assert_true(
        history_differs(&history, &second, 0)); /* nobody knows since when, and it is not to */
    history_fini(&history);
}

#define BY_NAME "[ignore]\npattern = ^a\\.test:443$\nmatch = address dns\n"

static void a_flow_whose_name_is_forgotten_is_left_alone(void **state)
{
    (void)state;
    static const char *const a[] = {"a.test"}, *const b[] = {"b.test"};
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    history_add(&history, numbered_view(BY_NAME, 1), SECOND);
    assert_false(history_differs(&history, &flow, SECOND));
    flow.names = a;
    flow.name_count = 1;
    assert_false(history_differs(&history, &flow, SECOND));
    flow.names = b;
    assert_true(history_differs(&history, &flow, SECOND));
    history_fini(&history);
}

static void a_rule_for_the_address_that_is_gone_tells_without_a_name(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    history_add(&history, numbered_view(BY_NAME "pattern = " A "\n", 1), SECOND);
    history_add(&history, numbered_view(BY_NAME, 2), 2 * SECOND);
    assert_true(history_differs(&history, &flow, SECOND));
    assert_false(history_differs(&history, &flow, 2 * SECOND));
    history_fini(&history);
}

static void without_patterns_for_names_a_forgotten_name_is_no_excuse(void **state)
{
    (void)state;
    struct history history;
    history_init(&history, PATTERNS);
    struct flow flow = flow_to("198.51.100.1:443");
    history_add(&history, numbered_view(BY_NAME, 1), SECOND);
    history_add(&history, numbered_view("", 2), 2 * SECOND);
    assert_true(history_differs(&history, &flow, SECOND));
    history_fini(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_of_its_time_explains_a_flow),
        cmocka_unit_test(what_began_before_all_that_is_kept_is_unknown),
        cmocka_unit_test(what_the_policy_of_its_time_would_not_pass_is_unknown),
        cmocka_unit_test(a_packet_on_its_way_during_a_change_passed_by_the_old_policy),
        cmocka_unit_test(only_the_last_few_are_kept),
        cmocka_unit_test(large_ones_are_fewer_but_the_newest_is_always_kept),
        cmocka_unit_test(other_reasons_to_pass_are_told),
        cmocka_unit_test(what_the_policy_in_force_would_take_is_decided_otherwise),
        cmocka_unit_test(a_flow_whose_name_is_forgotten_is_left_alone),
        cmocka_unit_test(a_rule_for_the_address_that_is_gone_tells_without_a_name),
        cmocka_unit_test(without_patterns_for_names_a_forgotten_name_is_no_excuse),
    };
    return cmocka_run_group_tests_name("policy/history", tests, NULL, NULL);
}
