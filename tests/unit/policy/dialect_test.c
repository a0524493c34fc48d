/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/dialect.h"

#include <string.h>

struct translation {
    const char *python, *expected;
};

static void assert_translated(const struct translation *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct dialect dialect;
        assert_true(dialect_translate(&dialect, cases[i].python));
        assert_string_equal(dialect.pattern, cases[i].expected);
        assert_int_equal(dialect.length, strlen(cases[i].expected));
        dialect_fini(&dialect);
    }
}

static void what_both_languages_share_is_left_alone(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "",
        "^17\\.178\\.\\d+\\.\\d+:443$",
        "^(.+\\.)?apple\\.com:443$",
        "^(?!example\\.com)(?<=a)(?<!b)(?=c)(?:d)(?P<e>f)(?P=e)(g)\\1(?(1)h|i)",
        "a*+b?c{2}d{3,}e{4,5}f{}g{x}h{,x}i{,",
        "[^a-z\\]\\d-]|[]]|[^]]|[a^]",
        "\\A\\b\\B\\z\\\\[\\\\]\\x41\\n\\.",
        "(?i)(?m)(?s)(?ims-x:a)(?-i:b)",
        "a # b",
        "tail\\",
        "open[",
        "open[^",
        "open(",
        "open(?",
        "\xc3\xa9",
    };
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
        assert_translated(&(struct translation){patterns[i], patterns[i]}, 1);
}

static void at_most_has_a_lower_bound_of_zero(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {"a{,5}", "a{0,5}"},  {"a{,}", "a{0,}"},    {"(a{,12}){,3}", "(a{0,12}){0,3}"},
        {"[{,5}]", "[{,5}]"}, {"\\{,5}", "\\{,5}"},
    };
    assert_translated(cases, ARRAY_SIZE(cases));
}

static void the_very_end_is_written_in_lower_case(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {"a\\Z", "a\\z"}, {"a\\\\Z", "a\\\\Z"}, {"\\\\\\Z", "\\\\\\z"}, {"[\\Z]", "[\\Z]"}};
    assert_translated(cases, ARRAY_SIZE(cases));
}

static void characters_by_number_are_in_braces(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {"\\u00e9x", "\\x{00e9}x"},
        {"\\U0001F600x", "\\x{0001F600}x"},
        {"[\\u00e9]", "[\\x{00e9}]"},
        {"\\u00e", "\\u00e"},
        {"\\U0001F60", "\\U0001F60"},
        {"\\\\u00e9", "\\\\u00e9"},
        {"\\u00e9\\u00ea", "\\x{00e9}\\x{00ea}"},
    };
    assert_translated(cases, ARRAY_SIZE(cases));
}

static void flags_that_only_python_has_are_left_out(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {"(?a)b", "b"},         {"(?u)(?L)b", "b"},  {"(?ai)b", "(?i)b"},
        {"(?iau:b)", "(?i:b)"}, {"(?a:b)", "(?:b)"}, {"(?ix-s:b)", "(?ix-s:b)"},
    };
    assert_translated(cases, ARRAY_SIZE(cases));
}

static void brackets_in_classes_open_nothing(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {"[[:alpha:]]", "[\\[:alpha:]]"},
        {"[.x.]", "[\\.x.]"},
        {"[=x=]", "[\\=x=]"},
        {"[:x:]", "[\\:x:]"},
        {"[a[b]", "[a\\[b]"},
        {"[^[b]", "[^\\[b]"},
        {"[][]", "[]\\[]"},
        {"[\\[b]", "[\\[b]"},
        {"[[[[]", "[\\[\\[\\[]"},
        {"[a]]", "[a]]"},
    };
    assert_translated(cases, ARRAY_SIZE(cases));
}

/* What is a comment has no meaning that could differ. */
static void comments_are_not_translated(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {"(?#a{,5}\\Z[[)b{,5}", "(?#a{,5}\\Z[[)b{0,5}"},
        {"(?x)a # (* {,5}\n{,5}", "(?x)a # (* {,5}\n{0,5}"},
        {"(?xa)a # (*", "(?x)a # (*"},
        {"a # {,5}", "a # {0,5}"},
    };
    assert_translated(cases, ARRAY_SIZE(cases));
}

static void characters_beyond_ascii_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *python;
        bool unicode;
    } cases[] = {
        {"^example\\.com$", false}, {"caf\xc3\xa9", true}, {"\\u00e9", true},
        {"\\U0001F600", true},      {"[\xc3\xa9]", true},  {"\\u12", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dialect dialect;
        assert_true(dialect_translate(&dialect, cases[i].python));
        assert_int_equal(dialect.unicode, cases[i].unicode);
        dialect_fini(&dialect);
    }
}

static void references_to_groups_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *python;
        bool backreference;
    } cases[] = {
        {"(a)\\1", true}, {"(?P<x>a)(?P=x)", true}, {"(a)(?(1)b)", false},    {"(a)\\0", false},
        {"[\\1]", false}, {"\\\\1", false},         {"(?P<x>a)(?=x)", false}, {"(a)\\9", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dialect dialect;
        assert_true(dialect_translate(&dialect, cases[i].python));
        assert_int_equal(dialect.backreference, cases[i].backreference);
        dialect_fini(&dialect);
    }
}

static void a_verb_of_pcre2_is_an_error_as_in_python(void **state)
{
    (void)state;
    static const struct {
        const char *python;
        size_t offset;
    } cases[] = {{"(*ACCEPT)", 1}, {"a(*)", 2}, {"(?a)\\Z((*FAIL)", 8}, {"(?x) a #\n(*", 10}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dialect dialect;
        assert_false(dialect_translate(&dialect, cases[i].python));
        assert_string_equal(dialect.error, "nothing to repeat");
        assert_int_equal(dialect.error_offset, cases[i].offset);
        assert_null(dialect.pattern);
        assert_null(dialect.origin);
    }
}

static void an_escaped_or_enclosed_star_is_no_verb(void **state)
{
    (void)state;
    static const struct translation cases[] = {
        {"\\(*", "\\(*"}, {"[(*]", "[(*]"}, {"(\\*)", "(\\*)"}, {"(a*)", "(a*)"}};
    assert_translated(cases, ARRAY_SIZE(cases));
}

/* An error of PCRE2's is shown where the operator wrote it. */
static void each_byte_knows_where_it_came_from(void **state)
{
    (void)state;
    struct dialect dialect;
    const char python[] = "x(?a)b{,5}\\Z[[]\\u00e9y";
    assert_true(dialect_translate(&dialect, python));
    assert_string_equal(dialect.pattern, "xb{0,5}\\z[\\[]\\x{00e9}y");
    static const size_t expected[] = {0,  5,  6,  7,  7,  8,  9,  10, 10, 12, 13,
                                      13, 14, 15, 15, 15, 17, 18, 19, 20, 21, 21};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        assert_int_equal(dialect.origin[i], expected[i]);
    assert_int_equal(dialect.origin[dialect.length], strlen(python));
    dialect_fini(&dialect);
}

static void what_grows_most_still_fits(void **state)
{
    (void)state;
    enum { REPEATS = 1000 };
    char python[4 * REPEATS + 2] = "[";
    struct dialect dialect;
    for (size_t i = 0; i < REPEATS; i++)
        strcpy(python + 1 + i, "[");
    assert_true(dialect_translate(&dialect, python));
    assert_int_equal(dialect.length, 2 * REPEATS + 1);
    dialect_fini(&dialect);

    python[0] = '\0';
    for (size_t i = 0; i < REPEATS; i++)
        strcpy(python + 3 * i, "{,}");
    assert_true(dialect_translate(&dialect, python));
    assert_int_equal(dialect.length, 4 * REPEATS);
    assert_int_equal(dialect.origin[dialect.length], 3 * REPEATS);
    dialect_fini(&dialect);
}

static void a_caller_may_keep_the_pattern(void **state)
{
    (void)state;
    struct dialect dialect;
    assert_true(dialect_translate(&dialect, "a{,2}"));
    char *kept = dialect.pattern;
    dialect.pattern = NULL;
    dialect_fini(&dialect);
    assert_string_equal(kept, "a{0,2}");
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_both_languages_share_is_left_alone),
        cmocka_unit_test(at_most_has_a_lower_bound_of_zero),
        cmocka_unit_test(the_very_end_is_written_in_lower_case),
        cmocka_unit_test(characters_by_number_are_in_braces),
        cmocka_unit_test(flags_that_only_python_has_are_left_out),
        cmocka_unit_test(brackets_in_classes_open_nothing),
        cmocka_unit_test(comments_are_not_translated),
        cmocka_unit_test(characters_beyond_ascii_are_noticed),
        cmocka_unit_test(references_to_groups_are_noticed),
        cmocka_unit_test(a_verb_of_pcre2_is_an_error_as_in_python),
        cmocka_unit_test(an_escaped_or_enclosed_star_is_no_verb),
        cmocka_unit_test(each_byte_knows_where_it_came_from),
        cmocka_unit_test(what_grows_most_still_fits),
        cmocka_unit_test(a_caller_may_keep_the_pattern),
    };
    return cmocka_run_group_tests_name("policy/dialect", tests, NULL, NULL);
}
