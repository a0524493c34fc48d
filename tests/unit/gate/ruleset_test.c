/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/ruleset.h"

#include <string.h>

static void the_other_marks_are_the_lowest_values_left(void **state)
{
    (void)state;
    static const struct marks cases[] = {
        {.mask = 0x0f00, .take = 0x0c00, .pass = 0x0100, .refuse = 0x0200},
        {.mask = 0x0f00, .take = 0x0100, .pass = 0x0200, .refuse = 0x0300},
        {.mask = 0x0f00, .take = 0x0200, .pass = 0x0100, .refuse = 0x0300},
        {.mask = 0x0f00, .take = 0x0300, .pass = 0x0100, .refuse = 0x0200},
        {.mask = 3, .take = 1, .pass = 2, .refuse = 3},
        {.mask = 3, .take = 2, .pass = 1, .refuse = 3},
        {.mask = 3, .take = 3, .pass = 1, .refuse = 2},
        {.mask = 0xffffffff, .take = 1, .pass = 2, .refuse = 3},
        {.mask = 0xffffffff, .take = 0xffffffff, .pass = 1, .refuse = 2},
        {.mask = 0x80000001, .take = 1, .pass = 0x80000000, .refuse = 0x80000001},
        {.mask = 0x80000001, .take = 0x80000000, .pass = 1, .refuse = 0x80000001},
        {.mask = 0x80000001, .take = 0x80000001, .pass = 1, .refuse = 0x80000000},
        {.mask = 0x00a0, .take = 0x0020, .pass = 0x0080, .refuse = 0x00a0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct marks marks = marks_choose(cases[i].take, cases[i].mask);
        assert_int_equal(marks.mask, cases[i].mask);
        assert_int_equal(marks.take, cases[i].take);
        assert_int_equal(marks.pass, cases[i].pass);
        assert_int_equal(marks.refuse, cases[i].refuse);
    }
}

/* Every mask of two bits or more among some, with every value that may be taken in it. */
static void marks_are_distinct_and_within_the_mask_and_none_is_zero(void **state)
{
    (void)state;
    for (uint32_t mask = 1; mask < 256; mask++) {
        uint32_t spread = mask << 13;
        if (__builtin_popcount(mask) < 2)
            continue;
        for (uint32_t take = spread; take != 0; take = (take - 1) & spread) {
            struct marks marks = marks_choose(take, spread);
            assert_int_equal(marks.take, take);
            assert_true(marks.pass != 0 && marks.refuse != 0);
            assert_true(marks.pass != take && marks.refuse != take && marks.pass != marks.refuse);
            assert_int_equal((marks.pass | marks.refuse) & ~spread, 0);
        }
    }
}

static void each_port_has_a_bit_of_its_own(void **state)
{
    (void)state;
    static uint8_t ports[8192];
    static const uint16_t cases[] = {0, 1, 7, 8, 9, 443, 32767, 32768, 65527, 65528, 65535};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        memset(ports, 0, sizeof(ports));
        ports[cases[i] / 8] = (uint8_t)(1u << cases[i] % 8);
        for (uint32_t port = 0; port <= UINT16_MAX; port++)
            assert_int_equal(port_is_in(ports, (uint16_t)port), port == cases[i]);
        memset(ports, 0xff, sizeof(ports));
        ports[cases[i] / 8] &= (uint8_t) ~(1u << cases[i] % 8);
        for (uint32_t port = 0; port <= UINT16_MAX; port++)
            assert_int_equal(port_is_in(ports, (uint16_t)port), port != cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_other_marks_are_the_lowest_values_left),
        cmocka_unit_test(marks_are_distinct_and_within_the_mask_and_none_is_zero),
        cmocka_unit_test(each_port_has_a_bit_of_its_own),
    };
    return cmocka_run_group_tests_name("gate/ruleset", tests, NULL, NULL);
}
