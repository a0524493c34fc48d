/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK_SIZE 48
#define SPARE_LIMIT 4
#define BLOCKS 10

static int make_slab(void **state)
{
    static struct slab slab;
    slab_init(&slab, BLOCK_SIZE, SPARE_LIMIT);
    *state = &slab;
    return 0;
}

static int drop_slab(void **state)
{
    slab_fini(*state);
    return 0;
}

static void take_all(struct slab *slab, unsigned char *blocks[BLOCKS])
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = slab_alloc(slab);
        assert_non_null(blocks[i]);
    }
}

static void free_all(struct slab *slab, unsigned char *blocks[BLOCKS])
{
    for (size_t i = 0; i < BLOCKS; i++)
        slab_free(slab, blocks[i]);
}

static void blocks_do_not_overlap(void **state)
{
    struct slab *slab = *state;
    unsigned char *blocks[BLOCKS], expected[BLOCK_SIZE];
    /* The second round has blocks that were used before. */
    for (int round = 0; round < 2; round++) {
        take_all(slab, blocks);
        for (int i = 0; i < BLOCKS; i++)
            memset(blocks[i], 'a' + i, BLOCK_SIZE);
        for (int i = 0; i < BLOCKS; i++) {
            memset(expected, 'a' + i, BLOCK_SIZE);
            assert_memory_equal(blocks[i], expected, BLOCK_SIZE);
        }
        free_all(slab, blocks);
    }
}

static void a_freed_block_is_the_next_one_given(void **state)
{
    struct slab *slab = *state;
    void *first = slab_alloc(slab), *second = slab_alloc(slab);
    slab_free(slab, first);
    slab_free(slab, second);
    assert_int_equal(slab->spares, 2);
    assert_ptr_equal(slab_alloc(slab), second);
    assert_ptr_equal(slab_alloc(slab), first);
    assert_int_equal(slab->spares, 0);
    slab_free(slab, first);
    slab_free(slab, second);
}

/* That the others are really freed, and none twice, is AddressSanitizer's to say. */
static void no_more_spares_are_kept_than_the_limit(void **state)
{
    struct slab *slab = *state;
    unsigned char *blocks[BLOCKS];
    take_all(slab, blocks);
    free_all(slab, blocks);
    assert_int_equal(slab->spares, SPARE_LIMIT);
    size_t kept = 0;
    for (void *block = slab->free; block != NULL; block = *(void **)block)
        kept++;
    assert_int_equal(kept, SPARE_LIMIT);
}

static void freeing_nothing_is_harmless(void **state)
{
    struct slab *slab = *state;
    slab_free(slab, NULL);
    assert_int_equal(slab->spares, 0);
    void *block = slab_alloc(slab);
    assert_non_null(block);
    slab_free(slab, block);
}

static void without_a_limit_no_block_is_kept(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, sizeof(void *), 0);
    slab_free(&slab, slab_alloc(&slab));
    assert_int_equal(slab.spares, 0);
    assert_null(slab.free);
    slab_fini(&slab);
}

/* A connection may outlive the worker's slab for a moment. */
static void a_block_may_come_back_after_the_end(void **state)
{
    struct slab *slab = *state;
    void *spare = slab_alloc(slab), *late = slab_alloc(slab);
    slab_free(slab, spare);
    slab_fini(slab);
    slab_free(slab, late);
    assert_null(slab->free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_do_not_overlap, make_slab, drop_slab),
        cmocka_unit_test_setup_teardown(a_freed_block_is_the_next_one_given, make_slab, drop_slab),
        cmocka_unit_test_setup_teardown(no_more_spares_are_kept_than_the_limit, make_slab,
                                        drop_slab),
        cmocka_unit_test_setup_teardown(freeing_nothing_is_harmless, make_slab, drop_slab),
        cmocka_unit_test(without_a_limit_no_block_is_kept),
        cmocka_unit_test_setup_teardown(a_block_may_come_back_after_the_end, make_slab, drop_slab),
    };
    return cmocka_run_group_tests_name("core/slab", tests, NULL, NULL);
}
