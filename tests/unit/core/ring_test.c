/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What a record costs besides its bytes, which are rounded up to the same. */
#define HEADER_SIZE 8

static int make_ring(void **state, size_t size)
{
    struct ring *ring = aligned_alloc(_Alignof(struct ring), sizeof(*ring));
    *state = ring;
    return ring != NULL && ring_init(ring, size) ? 0 : -1;
}

static int make_small_ring(void **state)
{
    return make_ring(state, 64);
}

static int make_middle_ring(void **state)
{
    return make_ring(state, 1024);
}

static int drop_ring(void **state)
{
    ring_fini(*state);
    free(*state);
    return 0;
}

static void assert_oldest(struct ring *ring, uint32_t tag, const void *record, size_t length)
{
    uint32_t read_tag = 0;
    size_t read_length = 0;
    const void *oldest = ring_peek(ring, &read_tag, &read_length);
    assert_non_null(oldest);
    assert_int_equal(read_tag, tag);
    assert_int_equal(read_length, length);
    assert_memory_equal(oldest, record, length);
}

static void assert_empty(struct ring *ring)
{
    uint32_t tag;
    size_t length;
    assert_null(ring_peek(ring, &tag, &length));
}

/* A record that can be told from its neighbours: its number sets its length and every byte. */
#define NTH_SIZE_MAX 90
static size_t fill_nth(size_t n, unsigned char record[static NTH_SIZE_MAX])
{
    size_t length = n * 7 % (NTH_SIZE_MAX + 1);
    for (size_t i = 0; i < length; i++)
        record[i] = (unsigned char)(n * 31 + i);
    return length;
}

static bool put_nth(struct ring *ring, size_t n)
{
    unsigned char record[NTH_SIZE_MAX];
    size_t length = fill_nth(n, record);
    return ring_put(ring, (uint32_t)n, record, length);
}

static bool is_nth(size_t n, uint32_t tag, const void *record, size_t length)
{
    unsigned char expected[NTH_SIZE_MAX];
    return tag == (uint32_t)n && length == fill_nth(n, expected) &&
           memcmp(record, expected, length) == 0;
}

static void records_come_out_in_the_order_they_went_in(void **state)
{
    struct ring *ring = *state;
    assert_true(ring_put(ring, 1, "one", 3));
    assert_true(ring_put(ring, UINT32_MAX, "two", 4));
    assert_true(ring_put(ring, 0, "", 0));
    assert_oldest(ring, 1, "one", 3);
    ring_consume(ring);
    assert_oldest(ring, UINT32_MAX, "two", 4);
    ring_consume(ring);
    assert_oldest(ring, 0, "", 0);
    ring_consume(ring);
    assert_empty(ring);
}

static void a_record_stays_until_it_is_consumed(void **state)
{
    struct ring *ring = *state;
    assert_true(ring_put(ring, 1, "first", 5));
    assert_oldest(ring, 1, "first", 5);
    assert_true(ring_put(ring, 2, "second", 6));
    assert_oldest(ring, 1, "first", 5);
    assert_oldest(ring, 1, "first", 5);
}

static void a_record_is_a_copy(void **state)
{
    struct ring *ring = *state;
    char record[] = "record";
    assert_true(ring_put(ring, 1, record, sizeof(record)));
    memset(record, 'x', sizeof(record));
    assert_oldest(ring, 1, "record", sizeof(record));
}

static void a_record_may_come_in_two_pieces(void **state)
{
    struct ring *ring = *state;
    assert_true(ring_put_two(ring, 1, "one, ", 5, "two", 4));
    assert_true(ring_put_two(ring, 2, "alone", 6, NULL, 0));
    assert_oldest(ring, 1, "one, two", 9);
    ring_consume(ring);
    assert_oldest(ring, 2, "alone", 6);
    assert_false(ring_put_two(ring, 3, "too much of", 11, " a good thing for this ring", 28));
}

static void an_empty_ring_has_nothing_to_peek_or_consume(void **state)
{
    struct ring *ring = *state;
    assert_empty(ring);
    ring_consume(ring);
    assert_empty(ring);
    assert_true(ring_put(ring, 1, "first", 5));
    assert_oldest(ring, 1, "first", 5);
}

static void a_full_ring_refuses(void **state)
{
    struct ring *ring = *state;
    for (uint32_t i = 0; i < 4; i++)
        assert_true(ring_put(ring, i, "8 bytes.", 8));
    assert_false(ring_put(ring, 4, "8 bytes.", 8));
    assert_false(ring_put(ring, 4, "", 0));
    for (uint32_t i = 0; i < 4; i++) {
        assert_oldest(ring, i, "8 bytes.", 8);
        ring_consume(ring);
    }
    assert_empty(ring);
}

/* Of any length, and wherever the ring's end is. */
static void what_fits_is_told_before(void **state)
{
    struct ring *ring = *state;
    static const unsigned char record[NTH_SIZE_MAX];
    size_t taken = 0, refused = 0;
    for (size_t n = 0; n < 20000; n++) {
        size_t length = n * 37 % (NTH_SIZE_MAX + 1);
        bool fits = ring_fits(ring, length);
        assert_int_equal(ring_put(ring, 0, record, length), fits);
        taken += fits;
        refused += !fits;
        if (!fits || n % 3 == 0)
            ring_consume(ring);
    }
    assert_true(taken > 1000 && refused > 1000);
    assert_false(ring_fits(ring, 1024));
    assert_false(ring_fits(ring, SIZE_MAX));
}

static void a_consumed_record_makes_room_for_one_more(void **state)
{
    struct ring *ring = *state;
    for (uint32_t i = 0; i < 4; i++)
        assert_true(ring_put(ring, i, "8 bytes.", 8));
    for (uint32_t i = 4; i < 100; i++) {
        assert_oldest(ring, i - 4, "8 bytes.", 8);
        ring_consume(ring);
        assert_true(ring_put(ring, i, "8 bytes.", 8));
        assert_false(ring_put(ring, i, "", 0));
    }
}

static void a_record_may_fill_the_whole_ring(void **state)
{
    struct ring *ring = *state;
    char record[64];
    memset(record, 'r', sizeof(record));
    assert_true(ring_put(ring, 1, record, 64 - HEADER_SIZE));
    assert_oldest(ring, 1, record, 64 - HEADER_SIZE);
}

static void a_record_larger_than_the_ring_is_refused(void **state)
{
    struct ring *ring = *state;
    char record[128] = "";
    assert_false(ring_put(ring, 1, record, 64 - HEADER_SIZE + 1));
    assert_false(ring_put(ring, 1, record, 64));
    assert_false(ring_put(ring, 1, record, 128));
    /* Rounded up or cut to 32 bits, these would be small. */
    assert_false(ring_put(ring, 1, record, SIZE_MAX));
    assert_false(ring_put(ring, 1, record, SIZE_MAX - HEADER_SIZE));
    assert_false(ring_put(ring, 1, record, (size_t)UINT32_MAX + 2));
    assert_empty(ring);
}

/* The part before the end is too short here, so the record starts at the beginning: in one piece.
 */
static void a_record_is_never_split_by_the_rings_end(void **state)
{
    struct ring *ring = *state;
    assert_true(ring_put(ring, 1, "24 bytes, and header: 32", 24));
    assert_true(ring_put(ring, 2, "8 bytes.", 8));
    ring_consume(ring);
    assert_true(ring_put(ring, 3, "16 bytes to wrap", 16));
    assert_oldest(ring, 2, "8 bytes.", 8);
    ring_consume(ring);
    assert_oldest(ring, 3, "16 bytes to wrap", 16);
    ring_consume(ring);
    assert_empty(ring);
}

static void what_is_skipped_at_the_end_counts_as_full(void **state)
{
    struct ring *ring = *state;
    assert_true(ring_put(ring, 1, "8 bytes.", 8));
    assert_true(ring_put(ring, 2, "24 bytes, and header: 32", 24));
    ring_consume(ring);
    /* 16 bytes are free on either side of the second record, and 24 are wanted. */
    assert_false(ring_put(ring, 3, "16 bytes to wrap", 16));
    assert_true(ring_put(ring, 4, "8 bytes.", 8));
    assert_true(ring_put(ring, 5, "8 bytes.", 8));
    assert_oldest(ring, 2, "24 bytes, and header: 32", 24);
}

static void half_of_an_empty_ring_is_free_wherever_it_stands(void **state)
{
    struct ring *ring = *state;
    char record[512 - HEADER_SIZE];
    memset(record, 'h', sizeof(record));
    for (uint32_t i = 0; i < 300; i++) {
        assert_true(ring_put(ring, i, record, sizeof(record)));
        assert_oldest(ring, i, record, sizeof(record));
        ring_consume(ring);
        assert_true(ring_put(ring, i, record, i % 30));
        ring_consume(ring);
        assert_empty(ring);
    }
}

static void records_are_aligned_for_numbers(void **state)
{
    struct ring *ring = *state;
    for (size_t i = 0; i < 500; i++) {
        uint32_t tag;
        size_t length;
        assert_true(put_nth(ring, i));
        assert_int_equal((uintptr_t)ring_peek(ring, &tag, &length) % sizeof(uint64_t), 0);
        ring_consume(ring);
    }
}

static void assert_nth(struct ring *ring, size_t n)
{
    uint32_t tag;
    size_t length;
    const void *record = ring_peek(ring, &tag, &length);
    assert_non_null(record);
    assert_true(is_nth(n, tag, record, length));
    ring_consume(ring);
}

static void many_rounds_lose_and_change_nothing(struct ring *ring)
{
    size_t put = 0, consumed = 0;
    for (int round = 0; round < 2000; round++) {
        while (put_nth(ring, put))
            put++;
        assert_true(put > consumed);
        for (size_t i = (size_t)round % 5 + 1; i > 0 && consumed < put; i--)
            assert_nth(ring, consumed++);
    }
    while (consumed < put)
        assert_nth(ring, consumed++);
    assert_empty(ring);
}

static void records_of_all_lengths_go_round_and_round(void **state)
{
    many_rounds_lose_and_change_nothing(*state);
}

/* Positions only grow; on 32 bits they run over after 4 GiB of records. */
static void positions_may_run_over(void **state)
{
    struct ring *ring = *state;
    atomic_store(&ring->head, SIZE_MAX - 1023);
    atomic_store(&ring->tail, SIZE_MAX - 1023);
    many_rounds_lose_and_change_nothing(ring);
}

#define THREAD_RECORDS 200000

static void *write_records(void *context)
{
    for (size_t i = 0; i < THREAD_RECORDS; i++)
        while (!put_nth(context, i))
            sched_yield();
    return NULL;
}

static void one_thread_reads_what_another_writes(void **state)
{
    struct ring *ring = *state;
    pthread_t writer;
    size_t wrong = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_records, ring), 0);
    for (size_t i = 0; i < THREAD_RECORDS; i++) {
        uint32_t tag;
        size_t length;
        const void *record;
        while ((record = ring_peek(ring, &tag, &length)) == NULL)
            sched_yield();
        wrong += !is_nth(i, tag, record, length);
        ring_consume(ring);
    }
    pthread_join(writer, NULL);
    assert_int_equal(wrong, 0);
    assert_empty(ring);
}

#define small(test) cmocka_unit_test_setup_teardown(test, make_small_ring, drop_ring)
#define middle(test) cmocka_unit_test_setup_teardown(test, make_middle_ring, drop_ring)

int main(void)
{
    const struct CMUnitTest tests[] = {
        small(records_come_out_in_the_order_they_went_in),
        small(a_record_stays_until_it_is_consumed),
        small(a_record_is_a_copy),
        small(a_record_may_come_in_two_pieces),
        small(an_empty_ring_has_nothing_to_peek_or_consume),
        small(a_full_ring_refuses),
        small(a_consumed_record_makes_room_for_one_more),
        small(a_record_may_fill_the_whole_ring),
        small(a_record_larger_than_the_ring_is_refused),
        small(a_record_is_never_split_by_the_rings_end),
        small(what_is_skipped_at_the_end_counts_as_full),
        middle(half_of_an_empty_ring_is_free_wherever_it_stands),
        middle(what_fits_is_told_before),
        middle(records_are_aligned_for_numbers),
        middle(records_of_all_lengths_go_round_and_round),
        middle(positions_may_run_over),
        middle(one_thread_reads_what_another_writes),
    };
    return cmocka_run_group_tests_name("core/ring", tests, NULL, NULL);
}
