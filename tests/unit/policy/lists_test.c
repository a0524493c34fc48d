/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edits.h"
#include "setup.h"

#include <time.h>

/* A policy that is edited again and again, as the running engine's is. */
struct desk {
    struct policy *policy;
    struct edits *edits;
    struct policy_view *view;
};

static void look(struct desk *desk)
{
    policy_view_free(desk->view);
    desk->view = policy_view_new(desk->policy, NULL);
    assert_non_null(desk->view);
}

static struct desk desk_with(const char *text)
{
    struct report report = {0};
    struct desk desk = {.edits = edits_new()};
    desk.policy = policy_new(good_config(text), 1, false, &report);
    assert_nothing_reported(&report);
    assert_non_null(desk.policy);
    look(&desk);
    return desk;
}

static void edit(struct desk *desk)
{
    struct report report = {0};
    struct policy *next = policy_edit(desk->policy, desk->policy, desk->edits,
                                      policy_revision(desk->policy) + 1, &report);
    assert_nothing_reported(&report);
    assert_non_null(next);
    policy_unref(desk->policy);
    desk->policy = next;
    look(desk);
}

static void drop(struct desk *desk)
{
    policy_view_free(desk->view);
    policy_unref(desk->policy);
    edits_free(desk->edits);
}

static struct flow flow_to(const char *origin)
{
    struct flow flow = {.protocol = IPPROTO_TCP, .has_mac = true, .mac = {2, 0, 0x5e, 0x10, 0, 1}};
    assert_true(address_parse(&flow.device, "192.0.2.50:50000"));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

/* The pattern that lets a connection there pass; NULL if it is taken. */
static const char *rule_for(const struct desk *desk, const char *origin)
{
    const struct flow flow = flow_to(origin);
    const struct decision decision = policy_decide(desk->view, &flow);
    assert_int_equal(decision.verdict == VERDICT_PASS, decision.rule != NULL);
    return decision.rule != NULL ? decision.rule->text : NULL;
}

static void assert_rule(const struct desk *desk, const char *origin, const char *expected)
{
    const char *rule = rule_for(desk, origin);
    if (expected == NULL)
        assert_null(rule);
    else
        assert_string_equal(rule != NULL ? rule : "none", expected);
}

/* ---- one list ---- */

static const char three_finders[] = "[ignore]\n"
                                    "pattern = ^198\\.51\\.100\\.1:\n"             /* Hyperscan's */
                                    "pattern = ^(?=198\\.51)198\\.51\\.100\\.2:\n" /* confirmed */
                                    "pattern = ^(1)98\\.5\\1\\.100\\.[23]:\n"      /* PCRE2's */
                                    "pattern = ^198\\.51\\.100\\.\n";

static void a_pattern_that_was_taken_out_is_not_found_and_the_next_one_is(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "^198\\.51\\.100\\.1:", "^(?=198\\.51)198\\.51\\.100\\.2:", "^(1)98\\.5\\1\\.100\\.[23]:",
        "^198\\.51\\.100\\."};
    struct desk desk = desk_with(three_finders);
    const struct patterns_split split = patterns_split(policy_ignore(desk.policy));
    assert_true(split.hyperscan == 2 && split.confirmed == 1 && split.pcre2 == 1);
    assert_rule(&desk, "198.51.100.1:443", patterns[0]);
    assert_rule(&desk, "198.51.100.2:443", patterns[1]);
    assert_rule(&desk, "198.51.100.3:443", patterns[2]);
    put_pattern(desk.edits, NULL, patterns[0], false, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.1:443", patterns[3]);
    put_pattern(desk.edits, NULL, patterns[1], false, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.2:443", patterns[2]);
    put_pattern(desk.edits, NULL, patterns[2], false, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.2:443", patterns[3]);
    assert_rule(&desk, "198.51.100.3:443", patterns[3]);
    put_pattern(desk.edits, NULL, patterns[3], false, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.1:443", NULL);
    assert_int_equal(patterns_count(policy_ignore(desk.policy)), 0);
    put_pattern(desk.edits, NULL, patterns[1], true, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.2:443", patterns[1]);
    assert_rule(&desk, "198.51.100.1:443", NULL);
    drop(&desk);
}

static void each_of_equal_patterns_is_taken_out(void **state)
{
    (void)state;
    struct desk desk = desk_with("[ignore]\npattern = ^198\npattern = ^203\npattern = ^198\n");
    put_pattern(desk.edits, NULL, "^198", false, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.1:443", NULL);
    assert_rule(&desk, "203.0.113.1:443", "^203");
    assert_int_equal(patterns_count(policy_ignore(desk.policy)), 1);
    assert_int_equal(patterns_base_count(policy_ignore(desk.policy)), 3);
    drop(&desk);
}

static void an_added_pattern_comes_behind_the_files_and_tells_where_it_is_from(void **state)
{
    (void)state;
    struct desk desk = desk_with("[ignore]\npattern = ^198\\.51\\.100\\.1:\n");
    char id[PATTERN_ID_SIZE], place[RULE_PLACE_SIZE], expected[64];
    put_pattern(desk.edits, NULL, "^198", true, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.1:443", "^198\\.51\\.100\\.1:");
    assert_rule(&desk, "198.51.100.2:443", "^198");
    const struct flow flow = flow_to("198.51.100.2:443");
    snprintf(expected, sizeof(expected), "interceptctl:%s",
             pattern_id(LIST_IGNORE, NULL, "^198", id));
    assert_string_equal(rule_place(policy_decide(desk.view, &flow).rule, place), expected);
    drop(&desk);
}

static void what_is_in_the_file_already_is_not_added_twice(void **state)
{
    (void)state;
    struct desk desk = desk_with("[ignore]\npattern = ^198\n");
    put_pattern(desk.edits, NULL, "^198", true, 0);
    edit(&desk);
    assert_int_equal(patterns_count(policy_ignore(desk.policy)), 1);
    drop(&desk);
}

static void a_bad_pattern_gives_no_policy_and_its_column(void **state)
{
    (void)state;
    struct desk desk = desk_with("[ignore]\npattern = ^198\n");
    struct report report = {0};
    put_pattern(desk.edits, NULL, "good", true, 0);
    put_pattern(desk.edits, NULL, "a(b", true, 0);
    assert_null(policy_edit(desk.policy, desk.policy, desk.edits, 2, &report));
    assert_int_equal(report.errors, 1);
    assert_int_equal(STAILQ_FIRST(&report.lines)->column, 4);
    assert_string_equal(STAILQ_FIRST(&report.lines)->what,
                        "missing closing parenthesis in pattern a(b");
    report_fini(&report);
    assert_rule(&desk, "198.51.100.1:443", "^198");
    drop(&desk);
}

/* What an operator could have written down: which of these patterns are there, and since when. */
#define POOL 24
struct oracle {
    char patterns[POOL][64];
    unsigned since[POOL]; /* 0: it is not there; those of the file have been for ever */
    unsigned base;        /* so many of them are the file's */
};

static const char *expected_rule(const struct oracle *oracle, unsigned address)
{
    unsigned first = POOL;
    for (unsigned i = 0; i < POOL; i++) {
        bool is_there = oracle->since[i] != 0 && i % 12 == address;
        if (is_there && (first == POOL || oracle->since[i] < oracle->since[first]))
            first = i;
    }
    return first < POOL ? oracle->patterns[first] : NULL;
}

/* Each address is meant by two of the patterns, of which each may be anybody's to find. */
static void make_oracle(struct oracle *oracle, char *config, size_t size)
{
    static const char *const forms[] = {"^192\\.0\\.2\\.%u:44[%u3]$",
                                        "^(?=192)192\\.0\\.2\\.%u:44[%u3]$",
                                        "^(1)92\\.0\\.2\\.%u:44[%u3]$|\\1{90}"};
    size_t length = (size_t)snprintf(config, size, "[ignore]\n");
    *oracle = (struct oracle){.base = 10};
    for (unsigned i = 0; i < POOL; i++) {
        snprintf(oracle->patterns[i], sizeof(oracle->patterns[i]), forms[i % ARRAY_SIZE(forms)],
                 i % 12, i / 12);
        if (i >= oracle->base)
            continue;
        oracle->since[i] = i + 1;
        length +=
            (size_t)snprintf(config + length, size - length, "pattern = %s\n", oracle->patterns[i]);
    }
}

/* Turns one of them over. One that comes back to the file's stands where it stood. */
static void change_one(struct oracle *oracle, struct desk *desk, unsigned which, unsigned now)
{
    const struct edit_subject subject = pattern_of(NULL, oracle->patterns[which]);
    const bool is_base = which < oracle->base, comes = oracle->since[which] == 0;
    oracle->since[which] = !comes ? 0 : is_base ? which + 1 : now;
    if (comes == is_base)
        edits_drop(desk->edits, &subject);
    else
        put_pattern(desk->edits, NULL, oracle->patterns[which], comes, 0);
}

static void hundreds_of_changes_never_lead_to_a_wrong_decision(void **state)
{
    (void)state;
    struct oracle oracle;
    char config[2048], origin[32];
    unsigned random = 1;
    make_oracle(&oracle, config, sizeof(config));
    struct desk desk = desk_with(config);
    for (unsigned change = 0; change < 400; change++) {
        for (unsigned i = 0; i <= change % 3; i++) {
            random = random * 1103515245 + 12345;
            change_one(&oracle, &desk, (random >> 16) % POOL, POOL + 1 + change * 3 + i);
        }
        edit(&desk);
        for (unsigned address = 0; address < 13; address++) {
            snprintf(origin, sizeof(origin), "192.0.2.%u:443", address);
            assert_rule(&desk, origin, expected_rule(&oracle, address));
        }
    }
    drop(&desk);
}

/* ---- devices ---- */

static void a_devices_patterns_are_its_own_with_a_section_or_without(void **state)
{
    (void)state;
    struct desk desk = desk_with("[device cam]\nmac = 02:00:5e:10:00:01\npattern = ^198\n");
    struct flow other = flow_to("203.0.113.1:443");
    put_pattern(desk.edits, "cam", "^203", true, 0);
    put_pattern(desk.edits, "192.0.2.99", "^203\\.0\\.113\\.1:", true, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.1:443", "^198");
    assert_rule(&desk, "203.0.113.1:443", "^203");
    other.has_mac = false;
    assert_true(address_parse(&other.device, "192.0.2.99:1"));
    assert_string_equal(policy_decide(desk.view, &other).rule->text, "^203\\.0\\.113\\.1:");
    assert_int_equal(policy_decide(desk.view, &other).holds, HOLDS_FOR_DEVICE);
    other.device.ip.v4.s_addr ^= 1;
    assert_int_equal(policy_decide(desk.view, &other).verdict, VERDICT_TAKE);
    assert_int_equal(policy_decide(desk.view, &other).holds, HOLDS_ONCE);
    assert_int_equal(patterns_count(policy_list(desk.policy, LIST_IGNORE, "cam")), 2);
    assert_int_equal(patterns_count(policy_list(desk.policy, LIST_IGNORE, "192.0.2.99")), 1);
    assert_null(policy_list(desk.policy, LIST_IGNORE, "nobody"));
    assert_null(policy_list(desk.policy, LIST_ALLOW, "cam"));
    put_pattern(desk.edits, "cam", "^198", false, 0);
    edit(&desk);
    assert_rule(&desk, "198.51.100.1:443", NULL);
    drop(&desk);
}

static void allow_and_tcp_are_edited_too(void **state)
{
    (void)state;
    struct desk desk = desk_with("[allow]\npattern = ^198\n");
    const struct flow flow = flow_to("203.0.113.1:443");
    assert_int_equal(policy_decide(desk.view, &flow).reason, REASON_NOT_ALLOWED);
    edits_put(desk.edits,
              &(struct edit){.subject = {EDIT_PATTERN, LIST_ALLOW, NULL, "^203"}, .present = true});
    edits_put(desk.edits,
              &(struct edit){.subject = {EDIT_PATTERN, LIST_TCP, NULL, "^203"}, .present = true});
    edit(&desk);
    assert_int_equal(policy_decide(desk.view, &flow).verdict, VERDICT_TAKE);
    assert_true(policy_tls(desk.view, &flow).uninterpreted);
    drop(&desk);
}

/* ---- the basis ---- */

static void what_was_edited_outlives_the_configuration(void **state)
{
    (void)state;
    struct desk desk = desk_with("[ignore]\npattern = ^198\npattern = ^192\n");
    struct report report = {0};
    put_pattern(desk.edits, NULL, "^203", true, 0);
    put_pattern(desk.edits, NULL, "^192", false, 0);
    edit(&desk);
    struct policy *other =
        policy_new(good_config("[ignore]\npattern = ^192\npattern = ^10\n"), 7, false, &report);
    struct policy *next = policy_edit(other, desk.policy, desk.edits, 8, &report);
    assert_nothing_reported(&report);
    policy_unref(other);
    policy_unref(desk.policy);
    desk.policy = next;
    look(&desk);
    assert_int_equal(policy_revision(desk.policy), 8);
    assert_rule(&desk, "203.0.113.1:443", "^203");
    assert_rule(&desk, "192.0.2.1:443", NULL);
    assert_rule(&desk, "198.51.100.1:443", NULL);
    assert_rule(&desk, "10.0.0.1:443", "^10");
    drop(&desk);
}

static void settings_hold_in_the_policy_and_the_file_stays_as_it_was_read(void **state)
{
    (void)state;
    struct desk desk = desk_with("[ignore]\npattern = ^a\\.test:\n");
    struct flow flow = flow_to("203.0.113.1:443");
    flow.sni = "a.test";
    flow.opened = true;
    assert_int_equal(policy_decide(desk.view, &flow).verdict, VERDICT_TAKE);
    put_setting(desk.edits, NULL, "ignore.match", "sni", 0);
    edit(&desk);
    assert_int_equal(policy_decide(desk.view, &flow).verdict, VERDICT_PASS);
    assert_int_equal(policy_config(desk.policy)->ignore.match, MATCH_SNI);
    assert_int_equal(policy_file(desk.policy)->ignore.match, MATCH_ADDRESS);
    drop(&desk);
}

/* Of a long list nothing is compiled anew. */
static void a_change_costs_what_is_new_and_not_what_is_there(void **state)
{
    (void)state;
    enum { COUNT = 1500 };
    char *text = malloc(COUNT * 48 + 16);
    struct timespec start, compiled, edited;
    size_t length = (size_t)sprintf(text, "[ignore]\n");
    for (unsigned i = 0; i < COUNT; i++)
        length += (size_t)sprintf(text + length, "pattern = ^host%u\\.(a|b)%u\\.test:443$\n", i, i);
    clock_gettime(CLOCK_MONOTONIC, &start);
    struct desk desk = desk_with(text);
    clock_gettime(CLOCK_MONOTONIC, &compiled);
    for (unsigned i = 0; i < 10; i++) {
        char pattern[32];
        snprintf(pattern, sizeof(pattern), "^203\\.0\\.113\\.%u:", i);
        put_pattern(desk.edits, NULL, pattern, true, 0);
        edit(&desk);
    }
    clock_gettime(CLOCK_MONOTONIC, &edited);
    const double once =
        difftime(compiled.tv_sec, start.tv_sec) * 1e9 + (double)(compiled.tv_nsec - start.tv_nsec);
    const double ten = difftime(edited.tv_sec, compiled.tv_sec) * 1e9 +
                       (double)(edited.tv_nsec - compiled.tv_nsec);
    assert_true(ten < once);
    assert_rule(&desk, "203.0.113.9:443", "^203\\.0\\.113\\.9:");
    drop(&desk);
    free(text);
}

/* ---- views of one thread ---- */

static void an_old_policy_is_still_good_when_its_thread_has_a_new_one(void **state)
{
    (void)state;
    struct desk desk = desk_with(three_finders);
    struct pattern_scratch *model = NULL;
    const struct flow flow = flow_to("198.51.100.1:443");
    assert_true(policy_grow_scratch(desk.policy, &model));
    struct policy_view *old = policy_view_like(desk.policy, NULL, model);
    put_pattern(desk.edits, NULL, "^198\\.51\\.100\\.1:", false, 0);
    put_pattern(desk.edits, NULL, "^(?=198\\.51\\.100\\.9)", true, 0);
    edit(&desk);
    assert_true(policy_grow_scratch(desk.policy, &model));
    struct policy_view *fresh = policy_view_like(desk.policy, NULL, model);
    policy_view_follow(fresh, old);
    pattern_scratch_free(model);
    assert_string_equal(policy_decide(old, &flow).rule->text, "^198\\.51\\.100\\.1:");
    assert_string_equal(policy_decide(fresh, &flow).rule->text, "^198\\.51\\.100\\.");
    policy_view_free(fresh);
    assert_string_equal(policy_decide(old, &flow).rule->text, "^198\\.51\\.100\\.1:");
    policy_view_free(old);
    drop(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_that_was_taken_out_is_not_found_and_the_next_one_is),
        cmocka_unit_test(each_of_equal_patterns_is_taken_out),
        cmocka_unit_test(an_added_pattern_comes_behind_the_files_and_tells_where_it_is_from),
        cmocka_unit_test(what_is_in_the_file_already_is_not_added_twice),
        cmocka_unit_test(a_bad_pattern_gives_no_policy_and_its_column),
        cmocka_unit_test(hundreds_of_changes_never_lead_to_a_wrong_decision),
        cmocka_unit_test(a_devices_patterns_are_its_own_with_a_section_or_without),
        cmocka_unit_test(allow_and_tcp_are_edited_too),
        cmocka_unit_test(what_was_edited_outlives_the_configuration),
        cmocka_unit_test(settings_hold_in_the_policy_and_the_file_stays_as_it_was_read),
        cmocka_unit_test(a_change_costs_what_is_new_and_not_what_is_there),
        cmocka_unit_test(an_old_policy_is_still_good_when_its_thread_has_a_new_one),
    };
    return cmocka_run_group_tests_name("policy/lists", tests, NULL, NULL);
}
