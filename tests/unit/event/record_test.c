/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/record.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 2
#define IDS 50000

static int compare_ids(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

/* A reader in JavaScript has 53 bits; 0 stands for "none". */
static void a_flow_id_has_51_bits_and_is_never_0(void **state)
{
    (void)state;
    uint64_t ones = 0, zeros = 0;
    for (int i = 0; i < IDS; i++) {
        uint64_t id = record_new_flow_id();
        assert_in_range(id, 1, (UINT64_C(1) << 51) - 1);
        ones |= id;
        zeros |= ~id;
    }
    assert_int_equal(ones, (UINT64_C(1) << 51) - 1); /* every bit is used */
    assert_int_equal(zeros, UINT64_MAX);
}

static void *draw_ids(void *context)
{
    uint64_t *ids = context;
    for (int i = 0; i < IDS; i++)
        ids[i] = record_new_flow_id();
    return NULL;
}

static void no_two_threads_draw_the_same(void **state)
{
    (void)state;
    static uint64_t ids[THREADS * IDS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_ids, &ids[i * IDS]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, ARRAY_SIZE(ids), sizeof(ids[0]), compare_ids);
    for (size_t i = 1; i < ARRAY_SIZE(ids); i++)
        assert_true(ids[i] != ids[i - 1]);
}

static void every_ending_has_a_name_of_its_own_and_a_sentence(void **state)
{
    (void)state;
    for (int i = ENDING_NONE; i <= ENDING_SHUTDOWN; i++) {
        assert_true(strlen(ending_sentence((enum ending)i)) > 0);
        for (int k = ENDING_NONE; k < i; k++)
            assert_string_not_equal(ending_name((enum ending)i), ending_name((enum ending)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_id_has_51_bits_and_is_never_0),
        cmocka_unit_test(no_two_threads_draw_the_same),
        cmocka_unit_test(every_ending_has_a_name_of_its_own_and_a_sentence),
    };
    return cmocka_run_group_tests_name("event/record", tests, NULL, NULL);
}
