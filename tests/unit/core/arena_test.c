/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_all_bytes(const unsigned char *bytes, size_t length, unsigned char expected)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != expected)
            fail_msg("byte %zu is %02x, not %02x", i, bytes[i], expected);
}

static void memory_is_zeroed_also_where_it_was_used_before(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 10; i++) {
            unsigned char *memory = arena_alloc(&arena, 700);
            assert_non_null(memory);
            assert_all_bytes(memory, 700, 0);
            memset(memory, 0xff, 700);
        }
        arena_fini(&arena);
    }
}

static void every_allocation_is_aligned_for_any_type(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (size_t size = 0; size < 200; size++) {
        void *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
    }
    arena_fini(&arena);
}

#define MANY 600
static size_t size_of_nth(size_t n)
{
    return n % 50 == 49 ? 5000 + n : n % 97 + 1; /* now and then one larger than a block */
}

static void allocations_do_not_overlap(void **state)
{
    (void)state;
    struct arena arena = {0};
    unsigned char *all[MANY];
    for (size_t i = 0; i < MANY; i++) {
        all[i] = arena_alloc(&arena, size_of_nth(i));
        assert_non_null(all[i]);
        memset(all[i], (int)(i & 0xff), size_of_nth(i));
    }
    for (size_t i = 0; i < MANY; i++)
        assert_all_bytes(all[i], size_of_nth(i), (unsigned char)(i & 0xff));
    arena_fini(&arena);
}

static void a_block_is_used_to_its_last_byte_and_not_beyond(void **state)
{
    (void)state;
    struct arena arena = {0};
    unsigned char *first = arena_alloc(&arena, 16);
    assert_non_null(first);
    size_t left = arena.size - arena.used;
    unsigned char *last = arena_alloc(&arena, left);
    assert_ptr_equal(last, first + 16);
    memset(last, 0xff, left);
    unsigned char *next = arena_alloc(&arena, 1);
    assert_non_null(next);
    assert_int_equal(*next, 0);
    arena_fini(&arena);
}

static void a_size_that_cannot_be_is_refused_and_the_arena_lives_on(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *before = arena_strdup(&arena, "before");
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8)); /* rounded up, this would be 0 */
    assert_null(arena_alloc(&arena, SIZE_MAX / 2 + 1));
    char *after = arena_strdup(&arena, "after");
    assert_string_equal(before, "before");
    assert_string_equal(after, "after");
    arena_fini(&arena);
}

static void a_copy_has_all_bytes_and_a_nul_behind(void **state)
{
    (void)state;
    struct arena arena = {0};
    memset(arena_copy(&arena, "xxxxxxxxxxxxxxxx", 16), 'x', 16);
    char *copy = arena_copy(&arena, "a\0b\0cd", 5);
    assert_non_null(copy);
    assert_memory_equal(copy, "a\0b\0c\0", 6);
    arena_fini(&arena);
}

static void a_copy_of_nothing_is_an_empty_string(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    assert_string_equal(arena_strdup(&arena, ""), "");
    arena_fini(&arena);
}

static void a_copy_does_not_follow_its_original(void **state)
{
    (void)state;
    struct arena arena = {0};
    char original[] = "original";
    char *copy = arena_strdup(&arena, original);
    memset(original, 'x', sizeof(original) - 1);
    assert_string_equal(copy, "original");
    arena_fini(&arena);
}

/* That the memory is given back is LeakSanitizer's to say. */
static void an_arena_that_was_ended_may_be_used_again(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (int round = 0; round < 3; round++) {
        assert_non_null(arena_alloc(&arena, 100000));
        assert_string_equal(arena_strdup(&arena, "again"), "again");
        arena_fini(&arena);
    }
}

/* Blocks of both, and room in the newest of them. */
static void what_was_adopted_lives_on(void **state)
{
    (void)state;
    struct arena arena = {0}, other = {0};
    char *mine = arena_strdup(&arena, "mine");
    arena_adopt(&arena, &other);
    assert_string_equal(mine, "mine");
    char *theirs = arena_strdup(&other, "theirs"), *more = arena_alloc(&other, 100000);
    assert_non_null(more);
    arena_adopt(&arena, &other);
    arena_fini(&other);
    more[99999] = 'x';
    assert_string_equal(arena_strdup(&arena, "and more"), "and more");
    assert_string_equal(mine, "mine");
    assert_string_equal(theirs, "theirs");
    assert_string_equal(arena_strdup(&other, "again"), "again");
    struct arena empty = {0};
    arena_adopt(&empty, &arena);
    assert_string_equal(mine, "mine");
    assert_null(arena.blocks);
    arena_fini(&empty);
    arena_fini(&other);
}

static void an_empty_arena_may_be_ended_more_than_once(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_fini(&arena);
    arena_fini(&arena);
    assert_null(arena.blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_also_where_it_was_used_before),
        cmocka_unit_test(every_allocation_is_aligned_for_any_type),
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(a_block_is_used_to_its_last_byte_and_not_beyond),
        cmocka_unit_test(a_size_that_cannot_be_is_refused_and_the_arena_lives_on),
        cmocka_unit_test(a_copy_has_all_bytes_and_a_nul_behind),
        cmocka_unit_test(a_copy_of_nothing_is_an_empty_string),
        cmocka_unit_test(a_copy_does_not_follow_its_original),
        cmocka_unit_test(an_arena_that_was_ended_may_be_used_again),
        cmocka_unit_test(what_was_adopted_lives_on),
        cmocka_unit_test(an_empty_arena_may_be_ended_more_than_once),
    };
    return cmocka_run_group_tests_name("core/arena", tests, NULL, NULL);
}
