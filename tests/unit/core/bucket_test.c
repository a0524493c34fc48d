/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned take_all(struct bucket *bucket, uint64_t now, uint32_t rate, uint32_t burst)
{
    unsigned taken = 0;
    while (taken < 10000 && bucket_take(bucket, now, rate, burst))
        taken++;
    return taken;
}

static void a_new_bucket_is_full(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    assert_int_equal(take_all(&bucket, 5, 10, 100), 100);
    assert_int_equal(take_all(&bucket, 5, 10, 100), 0);
}

static void it_fills_at_its_rate_and_never_over_the_brim(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    (void)take_all(&bucket, 1000, 10, 100);
    assert_int_equal(take_all(&bucket, 1099, 10, 100), 0);
    assert_int_equal(take_all(&bucket, 1100, 10, 100), 1);
    assert_int_equal(take_all(&bucket, 3100, 10, 100), 20);
    assert_int_equal(take_all(&bucket, 3600000, 10, 100), 100);
}

/* Whoever asks all the time gets as many as whoever asks now and then. */
static void impatience_costs_nothing(void **state)
{
    (void)state;
    struct bucket bucket = {0};
    unsigned taken = 0;
    (void)take_all(&bucket, 0, 7, 50);
    for (uint64_t now = 1; now <= 10000; now++)
        taken += bucket_take(&bucket, now, 7, 50);
    assert_in_range(taken, 69, 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_bucket_is_full),
        cmocka_unit_test(it_fills_at_its_rate_and_never_over_the_brim),
        cmocka_unit_test(impatience_costs_nothing),
    };
    return cmocka_run_group_tests_name("core/bucket", tests, NULL, NULL);
}
