/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/line_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void type(struct line_edit *line, const char *text)
{
    for (; *text != '\0'; text++)
        line_edit_put(line, *text);
}

static void what_is_typed_stands_where_the_cursor_is(void **state)
{
    (void)state;
    struct line_edit line = {0};
    type(&line, "^a:443$");
    line_edit_start(&line);
    line_edit_right(&line);
    type(&line, "(.+\\.)?");
    assert_string_equal(line.text, "^(.+\\.)?a:443$");
    assert_int_equal(line.length, strlen(line.text));
}

static void control_characters_are_not_taken(void **state)
{
    (void)state;
    struct line_edit line = {0};
    type(&line, "a\x01\t\x1b\x7f\nb");
    assert_string_equal(line.text, "ab");
}

static void a_character_of_several_bytes_is_one(void **state)
{
    (void)state;
    struct line_edit line = {0};
    type(&line, "a\xc3\xbc\xe2\x82\xac");
    line_edit_left(&line);
    assert_int_equal(line.cursor, 3);
    line_edit_backspace(&line);
    assert_string_equal(line.text, "a\xe2\x82\xac");
    line_edit_delete(&line);
    assert_string_equal(line.text, "a");
    line_edit_delete(&line);
    line_edit_right(&line);
    assert_string_equal(line.text, "a");
}

static void nothing_is_taken_from_an_empty_line(void **state)
{
    (void)state;
    struct line_edit line = {0};
    line_edit_left(&line);
    line_edit_backspace(&line);
    line_edit_delete(&line);
    line_edit_right(&line);
    line_edit_clear_to_start(&line);
    assert_string_equal(line.text, "");
    assert_int_equal(line.length, 0);
    assert_int_equal(line.cursor, 0);
}

static void all_before_the_cursor_can_be_cleared(void **state)
{
    (void)state;
    struct line_edit line = {0};
    line_edit_set(&line, "abc");
    line_edit_left(&line);
    line_edit_clear_to_start(&line);
    assert_string_equal(line.text, "c");
    line_edit_end(&line);
    assert_int_equal(line.cursor, 1);
}

static void what_does_not_fit_is_not_taken(void **state)
{
    (void)state;
    struct line_edit line = {0};
    for (size_t i = 0; i < 2 * (size_t)LINE_EDIT_SIZE; i++)
        line_edit_put(&line, 'x');
    assert_int_equal(line.length, LINE_EDIT_SIZE - 1);
    assert_int_equal(strlen(line.text), LINE_EDIT_SIZE - 1);
}

static void the_cursor_is_always_in_view(void **state)
{
    (void)state;
    struct line_edit line = {0};
    size_t column;
    line_edit_set(&line, "0123456789\xc3\xbc");
    assert_string_equal(line_edit_view(&line, 5, &column), "789\xc3\xbc");
    assert_int_equal(column, 4);
    line_edit_start(&line);
    assert_string_equal(line_edit_view(&line, 5, &column), line.text);
    assert_int_equal(column, 0);
    line_edit_end(&line);
    assert_string_equal(line_edit_view(&line, 1, &column), "");
    assert_int_equal(column, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_typed_stands_where_the_cursor_is),
        cmocka_unit_test(control_characters_are_not_taken),
        cmocka_unit_test(a_character_of_several_bytes_is_one),
        cmocka_unit_test(nothing_is_taken_from_an_empty_line),
        cmocka_unit_test(all_before_the_cursor_can_be_cleared),
        cmocka_unit_test(what_does_not_fit_is_not_taken),
        cmocka_unit_test(the_cursor_is_always_in_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
