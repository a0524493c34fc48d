/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edits.h"

#include <string.h>

/* What is said of the pattern: 1 it is there, 0 it is not, -1 nothing. */
static int said_of(const struct edits *edits, const char *device, const char *text)
{
    const struct edit_subject subject = pattern_of(device, text);
    const struct edit *edit = edits_find(edits, &subject);
    return edit != NULL ? edit->present : -1;
}

static const char *value_of(const struct edits *edits, const char *device, const char *name)
{
    const struct edit_subject subject = setting_of(device, name);
    const struct edit *edit = edits_find(edits, &subject);
    return edit != NULL ? edit->value : NULL;
}

static void what_is_put_is_found_and_is_a_copy(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    char text[] = "^a", device[] = "cam", note[] = "why";
    edits_put(edits, &(struct edit){.subject = pattern_of(device, text),
                                    .present = true,
                                    .note = note,
                                    .uid = 7,
                                    .made = 1000,
                                    .persist = true});
    memset(text, 'x', 2);
    memset(device, 'x', 3);
    memset(note, 'x', 3);
    const struct edit_subject subject = pattern_of("cam", "^a");
    const struct edit *edit = edits_find(edits, &subject);
    assert_non_null(edit);
    assert_string_equal(edit->note, "why");
    assert_int_equal(edit->uid, 7);
    assert_int_equal(edit->made, 1000);
    assert_true(edit->persist);
    assert_int_equal(edits->count, 1);
    edits_free(edits);
    edits_free(NULL);
}

static void subjects_are_told_apart_by_kind_list_device_and_text(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    put_pattern(edits, NULL, "a", true, 0);
    assert_int_equal(said_of(edits, NULL, "a"), 1);
    assert_int_equal(said_of(edits, "cam", "a"), -1);
    assert_int_equal(said_of(edits, NULL, "A"), -1);
    assert_null(value_of(edits, NULL, "a"));
    const struct edit_subject other = {EDIT_PATTERN, LIST_ALLOW, NULL, "a"};
    assert_null(edits_find(edits, &other));
    edits_free(edits);
}

static void what_lasts_takes_the_place_of_all_there_was(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    put_pattern(edits, NULL, "a", true, 0);
    put_pattern(edits, NULL, "a", false, 500);
    put_pattern(edits, NULL, "b", true, 0);
    assert_int_equal(said_of(edits, NULL, "a"), 0);
    put_pattern(edits, NULL, "a", true, 0);
    assert_int_equal(said_of(edits, NULL, "a"), 1);
    assert_int_equal(edits->count, 2);
    assert_int_equal(edits_next_due(edits), 0);
    edits_free(edits);
}

static void what_expires_holds_while_it_lives_and_then_the_other_does(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    put_setting(edits, NULL, "tls.upstream", "verify", 0);
    put_setting(edits, NULL, "tls.upstream", "ignore", 900);
    put_setting(edits, NULL, "tls.upstream", "mirror", 700);
    assert_int_equal(edits->count, 2);
    assert_string_equal(value_of(edits, NULL, "tls.upstream"), "mirror");
    assert_int_equal(edits_next_due(edits), 700);
    struct edits *before = edits_copy(edits, 699), *after = edits_copy(edits, 700);
    assert_string_equal(value_of(before, NULL, "tls.upstream"), "mirror");
    assert_string_equal(value_of(after, NULL, "tls.upstream"), "verify");
    assert_int_equal(edits_next_due(after), 0);
    edits_free(before);
    edits_free(after);
    edits_free(edits);
}

static void only_the_edit_that_holds_says_so(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    put_pattern(edits, NULL, "a", true, 0);
    assert_true(edits_holds(edits, TAILQ_FIRST(&edits->items)));
    put_pattern(edits, NULL, "b", false, 50);
    assert_true(edits_holds(edits, TAILQ_FIRST(&edits->items)));
    put_pattern(edits, NULL, "a", false, 60);
    assert_false(edits_holds(edits, TAILQ_FIRST(&edits->items)));
    const struct edit *edit;
    size_t holding = 0;
    TAILQ_FOREACH (edit, &edits->items, link)
        holding += edits_holds(edits, edit);
    assert_int_equal(holding, 2);
    edits_free(edits);
}

static void the_next_to_expire_is_told(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    assert_int_equal(edits_next_due(edits), 0);
    put_pattern(edits, NULL, "a", true, 300);
    put_pattern(edits, NULL, "b", true, 0);
    put_pattern(edits, NULL, "c", true, 200);
    assert_int_equal(edits_next_due(edits), 200);
    edits_free(edits);
}

static void what_was_dropped_is_not_said_any_more(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    put_pattern(edits, NULL, "a", true, 0);
    put_pattern(edits, NULL, "a", false, 100);
    put_pattern(edits, NULL, "b", true, 0);
    put_setting(edits, "cam", "intercept", "no", 0);
    put_setting(edits, "cam", "quic", "pass", 100);
    put_setting(edits, "tv", "quic", "pass", 0);
    put_pattern(edits, "cam", "a", true, 0);
    const struct edit_subject subject = pattern_of(NULL, "a");
    edits_drop(edits, &subject);
    assert_int_equal(said_of(edits, NULL, "a"), -1);
    assert_int_equal(said_of(edits, NULL, "b"), 1);
    edits_drop_device(edits, "cam");
    assert_null(value_of(edits, "cam", "intercept"));
    assert_null(value_of(edits, "cam", "quic"));
    assert_string_equal(value_of(edits, "tv", "quic"), "pass");
    assert_int_equal(said_of(edits, "cam", "a"), 1);
    assert_int_equal(edits_next_due(edits), 0);
    edits_free(edits);
}

static void a_copy_keeps_the_order_and_stands_for_itself(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    put_pattern(edits, NULL, "c", true, 0);
    put_pattern(edits, NULL, "a", true, 0);
    put_pattern(edits, NULL, "b", true, 0);
    put_pattern(edits, NULL, "c", true, 0);
    struct edits *copy = edits_copy(edits, 1);
    edits_free(edits);
    static const char *const expected[] = {"a", "b", "c"};
    const struct edit *edit = TAILQ_FIRST(&copy->items);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++, edit = TAILQ_NEXT(edit, link))
        assert_string_equal(edit->subject.text, expected[i]);
    assert_null(edit);
    edits_free(copy);
}

static void an_id_is_of_the_list_the_device_and_the_text(void **state)
{
    (void)state;
    char a[PATTERN_ID_SIZE], b[PATTERN_ID_SIZE];
    assert_string_equal(pattern_id(LIST_IGNORE, NULL, "^a$", a),
                        pattern_id(LIST_IGNORE, NULL, "^a$", b));
    assert_int_equal(strlen(a), 8);
    assert_int_equal(strspn(a, "0123456789abcdef"), 8);
    assert_string_not_equal(a, pattern_id(LIST_ALLOW, NULL, "^a$", b));
    assert_string_not_equal(a, pattern_id(LIST_IGNORE, "cam", "^a$", b));
    assert_string_not_equal(a, pattern_id(LIST_IGNORE, NULL, "^b$", b));
    assert_string_not_equal(pattern_id(LIST_IGNORE, "ab", "c", a),
                            pattern_id(LIST_IGNORE, "a", "bc", b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found_and_is_a_copy),
        cmocka_unit_test(subjects_are_told_apart_by_kind_list_device_and_text),
        cmocka_unit_test(what_lasts_takes_the_place_of_all_there_was),
        cmocka_unit_test(what_expires_holds_while_it_lives_and_then_the_other_does),
        cmocka_unit_test(only_the_edit_that_holds_says_so),
        cmocka_unit_test(the_next_to_expire_is_told),
        cmocka_unit_test(what_was_dropped_is_not_said_any_more),
        cmocka_unit_test(a_copy_keeps_the_order_and_stands_for_itself),
        cmocka_unit_test(an_id_is_of_the_list_the_device_and_the_text),
    };
    return cmocka_run_group_tests_name("policy/edits", tests, NULL, NULL);
}
