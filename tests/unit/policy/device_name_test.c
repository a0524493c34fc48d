/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/device_name.h"

#include <string.h>

static void what_could_steer_a_terminal_or_a_log_does_not_stay(void **state)
{
    (void)state;
    static const struct {
        const char *told, *name;
    } cases[] = {
        {"cam", "cam"},
        {"Living-Room_TV.lan", "Living-Room_TV.lan"},
        {"John's Computer", "John-s-Computer"},
        {"Bj\xc3\xb6rns-iPhone", "Bj-rns-iPhone"},
        {"cam) from 192.0.2.1:443: x\nclientconnect", "cam-from-192.0.2.1-443-x-clientconnect"},
        {"\x1b[2J\x1b]0;owned\x07z", "2J-0-owned-z"},
        {"--a--b--", "a--b"},
        {"..a.", "a"},
        {"a - b", "a--b"},
        {"xn--bjrns-iphone", "xn--bjrns-iphone"},
        {"a\t\t\tb", "a-b"},
        {"_x_", "_x_"},
    };
    char name[DEVICE_NAME_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(device_name_take(name, cases[i].told, strlen(cases[i].told)));
        assert_string_equal(name, cases[i].name);
    }
}

static void nothing_of_use_is_no_name(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "-", "...", " \t\n", "\xff\xfe", "\x1b[", "-.-"};
    char name[DEVICE_NAME_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_false(device_name_take(name, cases[i], strlen(cases[i])));
    assert_true(device_name_take(name, "a\0b", 3));
    assert_string_equal(name, "a-b");
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char told[500], name[DEVICE_NAME_SIZE];
    memset(told, 'x', sizeof(told));
    assert_true(device_name_take(name, told, sizeof(told)));
    assert_int_equal(strlen(name), DEVICE_NAME_SIZE - 1);
    memset(told + 1, '-', sizeof(told) - 1);
    assert_true(device_name_take(name, told, sizeof(told)));
    assert_string_equal(name, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_steer_a_terminal_or_a_log_does_not_stay),
        cmocka_unit_test(nothing_of_use_is_no_name),
        cmocka_unit_test(a_long_name_is_cut),
    };
    return cmocka_run_group_tests_name("policy/device_name", tests, NULL, NULL);
}
