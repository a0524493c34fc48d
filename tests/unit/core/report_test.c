/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/report.h"

#include "log_capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct place in_list = {"ignore.list", 3};

static const char *nth_text(const struct report *report, size_t n)
{
    const struct report_line *line = STAILQ_FIRST(&report->lines);
    while (line != NULL && n-- > 0)
        line = STAILQ_NEXT(line, link);
    assert_non_null(line);
    return line->text;
}

static void a_line_says_as_exactly_as_is_known_where_it_stands(void **state)
{
    (void)state;
    struct report report = {0};
    report_error(&report, in_list, 7, "missing %c", ')');
    report_error(&report, in_list, 0, "no such pattern");
    report_error(&report, (struct place){"--ignore", 0}, 0, "missing %c", ')');
    report_error(&report, (struct place){NULL, 0}, 0, "no patterns");
    assert_string_equal(nth_text(&report, 0), "ignore.list:3:7: missing )");
    assert_string_equal(nth_text(&report, 1), "ignore.list:3: no such pattern");
    assert_string_equal(nth_text(&report, 2), "--ignore: missing )");
    assert_string_equal(nth_text(&report, 3), "no patterns");
    report_fini(&report);
}

static void a_column_without_a_line_is_not_told(void **state)
{
    (void)state;
    struct report report = {0};
    report_error(&report, (struct place){"--ignore", 0}, 5, "missing )");
    report_error(&report, (struct place){NULL, 3}, 5, "missing )");
    assert_string_equal(nth_text(&report, 0), "--ignore: missing )");
    assert_string_equal(nth_text(&report, 1), "missing )");
    report_fini(&report);
}

static void every_error_is_counted_and_kept_in_order(void **state)
{
    (void)state;
    struct report report = {0};
    char expected[64];
    for (unsigned i = 1; i <= 500; i++)
        report_error(&report, (struct place){"file", i}, 0, "number %u", i);
    assert_int_equal(report.errors, 500);
    unsigned number = 0;
    const struct report_line *line;
    STAILQ_FOREACH (line, &report.lines, link) {
        number++;
        snprintf(expected, sizeof(expected), "file:%u: number %u", number, number);
        assert_string_equal(line->text, expected);
    }
    assert_int_equal(number, 500);
    report_fini(&report);
}

static void the_text_does_not_follow_what_it_was_made_of(void **state)
{
    (void)state;
    struct report report = {0};
    char file[] = "file", what[] = "what";
    report_error(&report, (struct place){file, 1}, 2, "%s", what);
    memset(file, 'x', 4);
    memset(what, 'x', 4);
    assert_string_equal(nth_text(&report, 0), "file:1:2: what");
    report_fini(&report);
}

static void a_text_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct report report = {0};
    char what[5000];
    memset(what, 'w', sizeof(what) - 1);
    what[sizeof(what) - 1] = '\0';
    report_error(&report, in_list, 7, "%s", what);
    const char *text = nth_text(&report, 0);
    assert_memory_equal(text, "ignore.list:3:7: www", 20);
    assert_in_range(strlen(text), 512, sizeof(what));
    report_fini(&report);
}

static void the_log_gets_every_line_as_an_error(void **state)
{
    (void)state;
    struct report report = {0};
    struct log_capture capture;
    report_error(&report, in_list, 7, "100%% of %s", "%s%n"); /* from a pattern file */
    report_error(&report, (struct place){"interceptd.conf", 12}, 0, "no such key");
    log_capture_start(&capture);
    report_log(&report);
    log_redirect(NULL, NULL);
    assert_string_equal(capture.text, "error: ignore.list:3:7: 100% of %s%n\n"
                                      "error: interceptd.conf:12: no such key\n");
    report_fini(&report);
}

static void an_empty_report_logs_nothing(void **state)
{
    (void)state;
    struct report report = {0};
    struct log_capture capture;
    log_capture_start(&capture);
    report_log(&report);
    log_redirect(NULL, NULL);
    assert_int_equal(report.errors, 0);
    assert_int_equal(capture.lines, 0);
    report_fini(&report);
}

static void a_report_that_was_ended_starts_anew(void **state)
{
    (void)state;
    struct report report = {0};
    report_error(&report, in_list, 7, "old");
    report_fini(&report);
    assert_int_equal(report.errors, 0);
    report_error(&report, in_list, 7, "new");
    assert_int_equal(report.errors, 1);
    assert_string_equal(nth_text(&report, 0), "ignore.list:3:7: new");
    assert_null(STAILQ_NEXT(STAILQ_FIRST(&report.lines), link));
    report_fini(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_as_exactly_as_is_known_where_it_stands),
        cmocka_unit_test(a_column_without_a_line_is_not_told),
        cmocka_unit_test(every_error_is_counted_and_kept_in_order),
        cmocka_unit_test(the_text_does_not_follow_what_it_was_made_of),
        cmocka_unit_test(a_text_that_is_too_long_is_cut),
        cmocka_unit_test(the_log_gets_every_line_as_an_error),
        cmocka_unit_test(an_empty_report_logs_nothing),
        cmocka_unit_test(a_report_that_was_ended_starts_anew),
    };
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests_name("core/report", tests, NULL, NULL);
}
