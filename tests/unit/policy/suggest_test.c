/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/suggest.h"
#include "setup.h"

static void assert_suggests(const char *origin, const char *expected)
{
    struct address address;
    char pattern[SUGGEST_SIZE], text[SUGGEST_SIZE + 32];
    assert_true(address_parse(&address, origin));
    assert_string_equal(suggest_address(&address, pattern), expected);
    /* And that is what the policy then ignores. */
    snprintf(text, sizeof(text), "[ignore]\npattern = %s\n", pattern);
    struct policy_view *view = view_of(text);
    const struct flow flow = {.origin = address, .protocol = IPPROTO_TCP};
    assert_int_equal(policy_decide(view, &flow).verdict, VERDICT_PASS);
    policy_view_free(view);
}

static void a_pattern_for_one_address(void **state)
{
    (void)state;
    assert_suggests("192.0.2.1:443", "^192\\.0\\.2\\.1:443$");
    assert_suggests("[2001:db8::1]:8443", "^2001:db8::1:8443$");
}

static void a_pattern_for_one_name(void **state)
{
    (void)state;
    char pattern[SUGGEST_SIZE], name[256];
    assert_string_equal(suggest_name("a.example", 443, pattern), "^a\\.example:443$");
    assert_string_equal(suggest_name("(*)", 1, pattern), "^\\(\\*\\):1$");
    memset(name, '.', 255);
    name[255] = '\0';
    suggest_name(name, 65535, pattern);
    assert_int_equal(strlen(pattern), 1 + 2 * 255 + strlen(":65535$"));
}

static void what_was_found_out_is_suggested_by_what_is_looked_at(void **state)
{
    (void)state;
    char pattern[SUGGEST_SIZE];
    struct learned_finding finding = {.host = "a.test", .is_name = true, .port = 443};
    assert_true(address_parse(&finding.evidence.origin, "192.0.2.1:443"));
    assert_string_equal(suggest_finding(&finding, MATCH_ADDRESS | MATCH_DNS, pattern),
                        "^a\\.test:443$");
    assert_string_equal(suggest_finding(&finding, MATCH_ADDRESS, pattern), "^192\\.0\\.2\\.1:443$");
    finding.is_name = false;
    assert_string_equal(suggest_finding(&finding, MATCH_SNI, pattern), "^192\\.0\\.2\\.1:443$");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_for_one_address),
        cmocka_unit_test(a_pattern_for_one_name),
        cmocka_unit_test(what_was_found_out_is_suggested_by_what_is_looked_at),
    };
    return cmocka_run_group_tests_name("policy/suggest", tests, NULL, NULL);
}
