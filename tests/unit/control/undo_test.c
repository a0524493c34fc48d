/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/undo.h"

#include <string.h>

static const struct edit_subject subject_a = {EDIT_PATTERN, LIST_IGNORE, NULL, "a"},
                                 subject_b = {EDIT_PATTERN, LIST_IGNORE, NULL, "b"};

static void put(struct edits *edits, const struct edit_subject *subject, bool present, int64_t made)
{
    edits_put(edits, &(struct edit){.subject = *subject, .present = present, .made = made});
}

/* A change of both, from what `before` says to what `after` says. */
static void add_step(struct undos *undos, uint64_t revision, const struct edits *before,
                     const struct edits *after)
{
    struct undo_step step = {.revision = revision,
                             .subjects = edits_new(),
                             .before = edits_copy(before, 0),
                             .after = edits_copy(after, 0)};
    put(step.subjects, &subject_a, false, 0);
    put(step.subjects, &subject_b, false, 0);
    undos_add(undos, &step);
}

static void a_change_is_taken_back_to_what_was_said_before(void **state)
{
    (void)state;
    struct undos undos = {0};
    struct edits *before = edits_new(), *after = edits_new();
    const struct edit_subject other = {EDIT_PATTERN, LIST_TCP, NULL, "a"}, *changed;
    put(before, &subject_a, true, 1);
    put(after, &subject_a, false, 2);
    put(after, &subject_b, true, 2);
    add_step(&undos, 5, before, after);
    put(after, &other, true, 3); /* what it was not about stays */
    assert_true(undo_apply(undos_find(&undos, 5), after, &changed));
    assert_true(edits_find(after, &subject_a)->present);
    assert_int_equal(edits_find(after, &subject_a)->made, 1);
    assert_null(edits_find(after, &subject_b));
    assert_non_null(edits_find(after, &other));
    edits_free(before);
    edits_free(after);
    undos_fini(&undos);
}

static void what_was_changed_again_since_is_not_taken_back(void **state)
{
    (void)state;
    struct undos undos = {0};
    struct edits *before = edits_new(), *after = edits_new();
    const struct edit_subject *changed;
    put(after, &subject_b, true, 2);
    add_step(&undos, 5, before, after);
    put(after, &subject_b, true, 3); /* the same again, but not by the same change */
    assert_false(undo_apply(undos_find(&undos, 5), after, &changed));
    assert_true(edit_subject_equal(changed, &subject_b));
    assert_int_equal(edits_find(after, &subject_b)->made, 3);
    edits_free(before);
    edits_free(after);
    undos_fini(&undos);
}

static void the_last_change_is_the_one_that_was_not_taken_back(void **state)
{
    (void)state;
    struct undos undos = {0};
    struct edits *none = edits_new();
    assert_null(undos_find(&undos, 0));
    for (uint64_t revision = 2; revision <= 4; revision++)
        add_step(&undos, revision, none, none);
    assert_int_equal(undos_find(&undos, 0)->revision, 4);
    undos_find(&undos, 4)->undone = true;
    assert_int_equal(undos_find(&undos, 0)->revision, 3);
    undos_find(&undos, 3)->is_undo = true;
    assert_int_equal(undos_find(&undos, 0)->revision, 2);
    assert_int_equal(undos_find(&undos, 4)->revision, 4);
    assert_null(undos_find(&undos, 7));
    edits_free(none);
    undos_fini(&undos);
}

static void the_oldest_is_forgotten(void **state)
{
    (void)state;
    struct undos undos = {0};
    struct edits *none = edits_new();
    for (uint64_t revision = 2; revision < 2 + UNDO_LIMIT + 3; revision++)
        add_step(&undos, revision, none, none);
    assert_null(undos_find(&undos, 4));
    assert_int_equal(undos_find(&undos, 5)->revision, 5);
    assert_int_equal(undos_find(&undos, 0)->revision, UNDO_LIMIT + 4);
    edits_free(none);
    undos_fini(&undos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_taken_back_to_what_was_said_before),
        cmocka_unit_test(what_was_changed_again_since_is_not_taken_back),
        cmocka_unit_test(the_last_change_is_the_one_that_was_not_taken_back),
        cmocka_unit_test(the_oldest_is_forgotten),
    };
    return cmocka_run_group_tests_name("control/undos", tests, NULL, NULL);
}
