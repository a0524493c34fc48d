/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/entropy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned of(const void *bytes, size_t length)
{
    struct entropy entropy = {0};
    for (size_t i = 0; i < length; i++)
        entropy_count(&entropy, (const uint8_t *)bytes + i, 1);
    return entropy_of(&entropy);
}

/* The figures are Shannon's, by hand: -sum(p log2 p). */
static void it_is_the_bits_that_a_byte_is_worth(void **state)
{
    (void)state;
    assert_int_equal(of("", 0), 0);
    assert_int_equal(of("aaaaaaa", 7), 0);
    assert_int_equal(of("ab", 2), 1000);
    assert_int_equal(of("abcd", 4), 2000);
    assert_int_equal(of("aab", 3), 918);
    assert_int_equal(of("abc", 3), 1585);
    assert_int_equal(of("hello world", 11), 2845);
}

static void bytes_that_are_spread_evenly_have_eight(void **state)
{
    uint8_t bytes[16384];
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(of(bytes, sizeof(bytes)), 8000);
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    assert_in_range(of(bytes, sizeof(bytes)), 7950, 8000);
}

static void as_many_bytes_as_may_be_counted_are_no_trouble(void **state)
{
    static uint8_t bytes[1 << 20];
    struct entropy entropy = {0};
    (void)state;
    for (int i = 0; i < 16; i++) {
        memset(bytes, i % 2, sizeof(bytes));
        entropy_count(&entropy, bytes, sizeof(bytes));
    }
    assert_int_equal(entropy_of(&entropy), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_bits_that_a_byte_is_worth),
        cmocka_unit_test(bytes_that_are_spread_evenly_have_eight),
        cmocka_unit_test(as_many_bytes_as_may_be_counted_are_no_trouble),
    };
    return cmocka_run_group_tests_name("tap/entropy", tests, NULL, NULL);
}
