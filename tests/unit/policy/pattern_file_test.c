/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/pattern_file.h"
#include "setup.h"

#include <errno.h>

/* A list and what it lives in. */
struct lines {
    struct arena arena;
    struct pattern_list list;
    struct report report;
};

static void parse(struct lines *lines, const char *text, size_t length)
{
    pattern_file_parse(&lines->list, &lines->arena, text, length, "x.list", &lines->report);
}

static void discard(struct lines *lines)
{
    arena_fini(&lines->arena);
    report_fini(&lines->report);
    *lines = (struct lines){0};
}

static void a_line_is_a_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        const char *pattern; /* the last one */
        unsigned line, column;
    } cases[] = {
        {"", 0, NULL, 0, 0},
        {"\n\n \n\t\n\r\n", 0, NULL, 0, 0},
        {"^a$", 1, "^a$", 1, 1},
        {"^a$\n", 1, "^a$", 1, 1},
        {"^a$\r\n^b$\r\n", 2, "^b$", 2, 1},
        {"\n\n \t^a b$ \t \n", 1, "^a b$", 3, 3},
        {"# one\n  # two\n#three\n^a$\n", 1, "^a$", 4, 1},
        {"^a#b$ # c\n", 1, "^a#b$ # c", 1, 1},
        {"a\nb\nc", 3, "c", 3, 1},
        {"\\#\n", 1, "\\#", 1, 1},
    };
    struct lines lines = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        parse(&lines, cases[i].text, strlen(cases[i].text));
        assert_nothing_reported(&lines.report);
        assert_int_equal(lines.list.count, cases[i].count);
        if (cases[i].count > 0) {
            const struct pattern_source *last = &lines.list.items[cases[i].count - 1];
            assert_string_equal(last->text, cases[i].pattern);
            assert_string_equal(last->place.file, "x.list");
            assert_int_equal(last->place.line, cases[i].line);
            assert_int_equal(last->column, cases[i].column);
        }
        discard(&lines);
    }
}

static void only_the_given_length_is_read(void **state)
{
    (void)state;
    struct lines lines = {0};
    parse(&lines, "^a$\n^b$", 5);
    assert_int_equal(lines.list.count, 2);
    assert_string_equal(lines.list.items[1].text, "^");
    discard(&lines);
}

static void a_nul_byte_is_told_with_its_line_and_the_others_are_read(void **state)
{
    (void)state;
    static const char text[] = "a\n b\0c\nd\n";
    struct lines lines = {0};
    parse(&lines, text, sizeof(text) - 1);
    assert_only_error(&lines.report, "x.list:2:2: a NUL byte in a pattern");
    assert_int_equal(lines.list.count, 2);
    assert_string_equal(lines.list.items[1].text, "d");
    assert_int_equal(lines.list.items[1].place.line, 3);
    discard(&lines);
}

static void a_nul_byte_in_a_comment_does_no_harm(void **state)
{
    (void)state;
    static const char text[] = "# a\0b\nc";
    struct lines lines = {0};
    parse(&lines, text, sizeof(text) - 1);
    assert_nothing_reported(&lines.report);
    assert_int_equal(lines.list.count, 1);
    discard(&lines);
}

static void lists_are_appended_to_and_keep_nothing_of_their_input(void **state)
{
    (void)state;
    char text[] = "a\nb\n", name[] = "first";
    struct lines lines = {0};
    pattern_file_parse(&lines.list, &lines.arena, text, strlen(text), name, &lines.report);
    memset(text, 'x', sizeof(text));
    memset(name, 'x', sizeof(name));
    parse(&lines, "c", 1);
    assert_int_equal(lines.list.count, 3);
    assert_string_equal(lines.list.items[0].text, "a");
    assert_string_equal(lines.list.items[0].place.file, "first");
    assert_string_equal(lines.list.items[2].text, "c");
    assert_string_equal(lines.list.items[2].place.file, "x.list");
    discard(&lines);
}

static void a_list_grows_as_far_as_it_must(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    static struct pattern_source sources[COUNT];
    struct lines lines = {0};
    for (unsigned i = 0; i < COUNT; i++) {
        sources[i] = (struct pattern_source){.text = "a", .place = {"f", i + 1}, .column = i};
        assert_true(pattern_list_add(&lines.list, &lines.arena, sources[i]));
    }
    assert_int_equal(lines.list.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_ptr_equal(lines.list.items[i].text, sources[i].text);
        assert_int_equal(lines.list.items[i].place.line, i + 1);
        assert_int_equal(lines.list.items[i].column, i);
    }
    discard(&lines);
}

static void a_file_is_read_under_its_own_name(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "a.list");
    struct lines lines = {0};
    write_file(&path, "# a\n^a$\n");
    assert_true(pattern_file_load(&lines.list, &lines.arena, path.text, &lines.report));
    assert_int_equal(lines.list.count, 1);
    assert_string_equal(lines.list.items[0].place.file, path.text);
    assert_int_equal(lines.list.items[0].place.line, 2);
    discard(&lines);
    remove_folder(&folder);
}

static void a_missing_file_says_so_and_changes_nothing(void **state)
{
    (void)state;
    struct lines lines = {0};
    errno = 0;
    assert_false(pattern_file_load(&lines.list, &lines.arena, "/nowhere/a.list", &lines.report));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(lines.list.count, 0);
    assert_int_equal(lines.report.errors, 0);
    discard(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_pattern),
        cmocka_unit_test(only_the_given_length_is_read),
        cmocka_unit_test(a_nul_byte_is_told_with_its_line_and_the_others_are_read),
        cmocka_unit_test(a_nul_byte_in_a_comment_does_no_harm),
        cmocka_unit_test(lists_are_appended_to_and_keep_nothing_of_their_input),
        cmocka_unit_test(a_list_grows_as_far_as_it_must),
        cmocka_unit_test(a_file_is_read_under_its_own_name),
        cmocka_unit_test(a_missing_file_says_so_and_changes_nothing),
    };
    return cmocka_run_group_tests_name("policy/pattern_file", tests, NULL, NULL);
}
