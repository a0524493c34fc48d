/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../folder.h"
#include "control/kept.h"
#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <unistd.h>

static const struct kept_now now = {.monotonic = 5000000, .real = 1700000000};

static struct edits *read_text(const char *text, const struct kept_now *when)
{
    struct edits *edits = edits_new();
    const char *why = "";
    if (!kept_read(edits, text, strlen(text), when, &why))
        fail_msg("%s: %s", text, why);
    return edits;
}

static void put(struct edits *edits, const char *text, uint64_t due, bool persist)
{
    edits_put(edits, &(struct edit){.subject = {EDIT_PATTERN, LIST_ALLOW, NULL, text},
                                    .present = true,
                                    .made = 1699999990,
                                    .due = due,
                                    .persist = persist});
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    edits_put(edits, &(struct edit){.subject = {EDIT_PATTERN, LIST_TCP, "cam", "^\\[a\"\n\\]"},
                                    .present = false,
                                    .note = "a \"note\"",
                                    .uid = 1000,
                                    .made = 1699999999,
                                    .due = 5060000,
                                    .persist = true});
    edits_put(edits, &(struct edit){.subject = {.kind = EDIT_SETTING, .text = "tls.upstream"},
                                    .value = "verify",
                                    .persist = true});
    char *text = kept_write(edits, &now);
    const struct kept_now later = {.monotonic = 1000, .real = now.real + 20};
    struct edits *again = read_text(text, &later);
    const struct edit *edit = TAILQ_FIRST(&again->items);
    assert_true(edit_subject_equal(&edit->subject, &TAILQ_FIRST(&edits->items)->subject));
    assert_false(edit->present);
    assert_string_equal(edit->note, "a \"note\"");
    assert_int_equal(edit->uid, 1000);
    assert_int_equal(edit->made, 1699999999);
    assert_int_equal(edit->due, 1000 + 40000); /* of a minute 20 s are over */
    assert_true(edit->persist);
    edit = TAILQ_NEXT(edit, link);
    assert_string_equal(edit->value, "verify");
    assert_int_equal(edit->due, 0);
    assert_null(TAILQ_NEXT(edit, link));
    free(text);
    edits_free(edits);
    edits_free(again);
}

static void only_what_is_to_be_kept_is_written(void **state)
{
    (void)state;
    struct edits *edits = edits_new();
    put(edits, "kept", 0, true);
    put(edits, "not kept", 0, false);
    put(edits, "over", now.monotonic, true);
    put(edits, "not yet", now.monotonic + 1, true);
    char *text = kept_write(edits, &now);
    assert_non_null(strstr(text, "\"kept\""));
    assert_non_null(strstr(text, "\"not yet\""));
    assert_null(strstr(text, "not kept"));
    assert_null(strstr(text, "over"));
    free(text);
    edits_free(edits);
}

static void what_has_expired_meanwhile_is_not_restored(void **state)
{
    (void)state;
    static const char text[] = "{\"version\":1,\"edits\":[{\"list\":\"ignore\",\"pattern\":\"a\","
                               "\"present\":true,\"made\":1700000000,\"until\":1700000060}]}";
    const struct kept_now in_time = {.monotonic = 1, .real = 1700000059},
                          too_late = {.monotonic = 1, .real = 1700000060};
    struct edits *edits = read_text(text, &in_time);
    assert_int_equal(edits->count, 1);
    edits_free(edits);
    edits = read_text(text, &too_late);
    assert_int_equal(edits->count, 0);
    edits_free(edits);
}

/* A router without a battery wakes up in 1970. */
static void a_clock_that_is_wrong_makes_nothing_live_longer(void **state)
{
    (void)state;
    static const char text[] = "{\"version\":1,\"edits\":[{\"list\":\"ignore\",\"pattern\":\"a\","
                               "\"present\":true,\"made\":1700000000,\"until\":1700000060}]}";
    const struct kept_now early = {.monotonic = 7, .real = 12};
    struct edits *edits = read_text(text, &early);
    assert_int_equal(TAILQ_FIRST(&edits->items)->due, 7 + 60000);
    /* Nor shorter, if it is written in that year. */
    char *written = kept_write(edits, &early);
    struct edits *again = read_text(written, &early);
    assert_int_equal(again->count, 1);
    assert_int_equal(TAILQ_FIRST(&again->items)->due, 7 + 60000);
    free(written);
    edits_free(again);
    edits_free(edits);
}

static void what_is_none_of_ours_adds_nothing(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "nonsense",
        "[]",
        "{\"version\":2,\"edits\":[]}",
        "{\"version\":1}",
        "{\"version\":1,\"edits\":[{}]}",
        "{\"version\":1,\"edits\":[7]}",
        "{\"version\":1,\"edits\":[{\"list\":\"moon\",\"pattern\":\"a\"}]}",
        "{\"version\":1,\"edits\":[{\"list\":\"ignore\",\"pattern\":\"a\",\"present\":true},"
        "{\"setting\":\"x\"}]}",
        "{\"version\":1,\"edits\":[{\"list\":\"ignore\",\"pattern\":\"a\",\"until\":-1}]}",
        "{\"version\":1,\"edits\":[{\"list\":\"ignore\",\"pattern\":\"a\",\"made\":"
        "9223372036854775807}]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct edits *edits = edits_new();
        const char *why = NULL;
        if (kept_read(edits, cases[i], strlen(cases[i]), &now, &why))
            fail_msg("%s was read", cases[i]);
        assert_non_null(why);
        assert_int_equal(edits->count, 0);
        edits_free(edits);
    }
}

/* ---- the file ---- */

static void the_file_is_replaced_as_a_whole_and_goes_with_its_last_edit(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path file = path_in(&folder, "runtime.json");
    char path[128];
    struct edits *edits = edits_new(), *again = edits_new();
    assert_string_equal(kept_path(folder.path, path, sizeof(path)), file.text);
    assert_true(kept_load(path, again)); /* there is none yet */
    assert_true(kept_save(path, edits)); /* and none is made */
    assert_int_equal(access(path, F_OK), -1);
    put(edits, "^a", 0, true);
    assert_true(kept_save(path, edits));
    assert_int_equal(mode_of(&file), 0640);
    assert_true(kept_load(path, again));
    assert_int_equal(again->count, 1);
    edits_clear(edits);
    put(edits, "^b", 0, false);
    assert_true(kept_save(path, edits));
    assert_int_equal(access(path, F_OK), -1);
    edits_free(edits);
    edits_free(again);
    remove_folder(&folder);
}

static void keep_log(void *context, const char *line, size_t length)
{
    snprintf(context, 1024, "%.*s", (int)length, line);
}

static void what_cannot_be_restored_or_kept_is_told(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path file = path_in(&folder, "runtime.json");
    char logged[1024] = "";
    struct edits *edits = edits_new();
    put(edits, "^a", 0, true);
    assert_true(file_replace(file.text, "x", 1, 0600));
    log_redirect(keep_log, logged);
    assert_false(kept_load(file.text, edits));
    log_redirect(NULL, NULL);
    assert_non_null(strstr(logged, "it is no JSON: what was changed at run time is not restored"));
    assert_int_equal(edits->count, 1);
    assert_false(kept_save("/nowhere/runtime.json", edits));
    assert_int_equal(errno, ENOENT);
    edits_free(edits);
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(only_what_is_to_be_kept_is_written),
        cmocka_unit_test(what_has_expired_meanwhile_is_not_restored),
        cmocka_unit_test(a_clock_that_is_wrong_makes_nothing_live_longer),
        cmocka_unit_test(what_is_none_of_ours_adds_nothing),
        cmocka_unit_test(the_file_is_replaced_as_a_whole_and_goes_with_its_last_edit),
        cmocka_unit_test(what_cannot_be_restored_or_kept_is_told),
    };
    return cmocka_run_group_tests_name("control/kept", tests, NULL, NULL);
}
