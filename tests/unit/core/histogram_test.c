/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t in_bucket(const struct histogram *histogram, size_t bucket)
{
    return counter_read(&histogram->buckets[bucket]);
}

static void a_bucket_has_what_took_no_longer_than_its_bound(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    const uint64_t times[] = {0, 1, 2, 3, 10000, 10001, UINT64_C(1) << 40};
    uint64_t sum = 0, count = 0;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        histogram_add(&histogram, times[i]);
        sum += times[i];
    }
    assert_int_equal(in_bucket(&histogram, 0), 2); /* 0 and 1 */
    assert_int_equal(in_bucket(&histogram, 1), 1); /* 2 */
    assert_int_equal(in_bucket(&histogram, 2), 1); /* 3 */
    assert_int_equal(in_bucket(&histogram, HISTOGRAM_BOUNDS - 1), 1);
    assert_int_equal(in_bucket(&histogram, HISTOGRAM_BOUNDS), 2);
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += in_bucket(&histogram, i);
    assert_int_equal(count, 7);
    assert_int_equal(counter_read(&histogram.sum), sum);
}

static void bounds_grow(void **state)
{
    (void)state;
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bound(i) > histogram_bound(i - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_has_what_took_no_longer_than_its_bound),
        cmocka_unit_test(bounds_grow),
    };
    return cmocka_run_group_tests_name("core/histogram", tests, NULL, NULL);
}
