/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/unknown_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listening.h"

#define SAID "nobody knows this protocol, whatever it may be, and it goes on and on so."
#define REPLIED "nor does anybody know what the answer means"

static void assert_told(size_t bodies, const char *expected)
{
    for (size_t piece = 1; piece <= sizeof(SAID); piece++) {
        struct listening listening = {0};
        listen_start(&listening, &(struct tap_options){.bodies = bodies}, "", 443);
        listen_to(&listening, true, SAID, strlen(SAID), piece);
        listen_to(&listening, false, REPLIED, strlen(REPLIED), piece);
        assert_string_equal(listening.told, "");
        listen_end(&listening);
        assert_string_equal(listening.told, expected);
        free(listening.told);
    }
}

static void both_sides_beginnings_are_told_at_the_end(void **state)
{
    (void)state;
    assert_told(0, "0 failed > nobody knows thi (73, 4010) < nor does anybody (43, 3687)\n");
}

static void more_of_them_where_bodies_are_asked_for(void **state)
{
    (void)state;
    assert_told(1, "0 failed > nobody knows this protocol, whatever it may be, and it goes on a"
                   " (73, 4010) < nor does anybody know what the answer means (43, 3687)\n");
}

static void when_enough_was_seen_it_is_told_at_once_and_nothing_more_is_read(void **state)
{
    static uint8_t bytes[UNKNOWN_COUNTED * 2];
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    for (size_t piece = 1000; piece < 40000; piece *= 3) {
        struct listening listening = {0};
        listen_start(&listening, &(struct tap_options){0}, "", 443);
        listen_to(&listening, true, bytes, sizeof(bytes), piece);
        listen_to(&listening, false, bytes, UNKNOWN_COUNTED - 1, piece);
        assert_string_equal(listening.told, "");
        listen_to(&listening, false, bytes, 1, piece);
        assert_string_equal(listening.told, "0 failed > .....$+29@GNU\\cj (16384, 8000) "
                                            "< .....$+29@GNU\\cj (16384, 8000)\n");
        assert_true(listening.tap->over);
        listen_to(&listening, false, bytes, sizeof(bytes), piece);
        assert_int_equal(listening.most_memory, 0);
        listen_end(&listening);
        free(listening.told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_beginnings_are_told_at_the_end),
        cmocka_unit_test(more_of_them_where_bodies_are_asked_for),
        cmocka_unit_test(when_enough_was_seen_it_is_told_at_once_and_nothing_more_is_read),
    };
    return cmocka_run_group_tests_name("tap/unknown_tap", tests, NULL, NULL);
}
