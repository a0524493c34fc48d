/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forge.h"
#include "tls/leaf_cache.h"

#include <pthread.h>
#include <unistd.h>

#define ROOMY 1024

static struct leaf_cache *new_cache(size_t limit)
{
    struct leaf_cache *cache = leaf_cache_new(limit);
    assert_non_null(cache);
    return cache;
}

static struct identity any_origin(void)
{
    return make_identity(&(struct recipe){.common_name = "a.test", .names = "DNS:a.test"});
}

/* As connections do it: a leaf that is not there is forged, and kept. */
static struct leaf *find_or_forge(struct leaf_cache *cache, const struct leaf_request *request,
                                  bool *cached)
{
    struct leaf_cache_key key;
    if (!leaf_cache_key(request, &key))
        return NULL;
    struct leaf *leaf = leaf_cache_find(cache, &key);
    *cached = leaf != NULL;
    if (leaf != NULL)
        return leaf;
    leaf = forge_any(request);
    if (leaf != NULL)
        leaf_cache_keep(cache, &key, leaf);
    return leaf;
}

static struct leaf *get(struct leaf_cache *cache, const struct leaf_request *request, bool cached)
{
    bool was_cached = !cached;
    struct leaf *leaf = find_or_forge(cache, request, &was_cached);
    assert_non_null(leaf);
    assert_int_equal(was_cached, cached);
    return leaf;
}

static void assert_numbers(struct leaf_cache *cache, uint64_t hits, uint64_t misses,
                           uint64_t leaves)
{
    struct leaf_cache_numbers numbers = leaf_cache_numbers(cache);
    assert_int_equal(numbers.hits, hits);
    assert_int_equal(numbers.misses, misses);
    assert_int_equal(numbers.leaves, leaves);
}

static void the_second_request_gets_the_first_ones_leaf(void **state)
{
    (void)state;
    struct leaf_cache *cache = new_cache(ROOMY);
    struct identity origin = any_origin();
    const struct leaf_request request = {.origin = origin.certificate};
    assert_numbers(cache, 0, 0, 0);
    struct leaf *first = get(cache, &request, false);
    assert_numbers(cache, 0, 1, 1);
    struct leaf *second = get(cache, &request, true);
    assert_ptr_equal(first, second);
    assert_numbers(cache, 1, 1, 1);
    assert_int_equal(verify_strictly(first->certificate, any_anchor(), "a.test"), X509_V_OK);
    leaf_unref(first);
    leaf_unref(second);
    leaf_cache_free(cache);
    free_identity(&origin);
}

static void the_origins_certificate_counts_not_the_object(void **state)
{
    (void)state;
    struct leaf_cache *cache = new_cache(ROOMY);
    struct identity origin = any_origin();
    X509 *copy = X509_dup(origin.certificate);
    struct leaf *first = get(cache, &(struct leaf_request){.origin = origin.certificate}, false);
    struct leaf *second = get(cache, &(struct leaf_request){.origin = copy}, true);
    assert_ptr_equal(first, second);
    leaf_unref(first);
    leaf_unref(second);
    X509_free(copy);
    free_identity(&origin);
    leaf_cache_free(cache);
}

/* K1: never by the name alone. */
static void whatever_differs_in_the_request_is_another_leaf(void **state)
{
    (void)state;
    const time_t soon = time(NULL) + 2 * DAY;
    struct identity origin = any_origin(), renewed = any_origin();
    const struct leaf_request requests[] = {
        {.origin = origin.certificate},
        {.origin = renewed.certificate},
        {.origin = origin.certificate, .signer = LEAF_BY_UNTRUSTED},
        {.origin = origin.certificate, .signer = LEAF_BY_ITSELF},
        {.origin = origin.certificate, .key = LEAF_KEY_RSA},
        {.origin = origin.certificate, .good_dates = true},
        {.origin = origin.certificate, .add_name = "b.test"},
        {.origin = origin.certificate, .add_name = "b.test."},
        {.origin = origin.certificate, .add_name = "c.test"},
        {.origin = origin.certificate, .not_before = soon},
        {.origin = origin.certificate, .not_after = soon},
        {.origin = origin.certificate, .not_before = soon, .not_after = soon},
    };
    struct leaf *leaves[ARRAY_SIZE(requests)];
    struct leaf_cache *cache = new_cache(ROOMY);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        leaves[i] = get(cache, &requests[i], false);
    assert_numbers(cache, 0, ARRAY_SIZE(requests), ARRAY_SIZE(requests));
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct leaf *again = get(cache, &requests[i], true);
        assert_ptr_equal(again, leaves[i]);
        leaf_unref(again);
        leaf_unref(leaves[i]);
    }
    leaf_cache_free(cache);
    free_identity(&origin);
    free_identity(&renewed);
}

static void the_longest_names_are_told_apart_by_their_last_character(void **state)
{
    (void)state;
    char names[2][256];
    struct identity origin = any_origin();
    struct leaf_cache *cache = new_cache(ROOMY);
    for (size_t i = 0; i < 2; i++) {
        memset(names[i], 'a', 255);
        names[i][254] = (char)('a' + i);
        names[i][255] = '\0';
        struct leaf_request request = {.origin = origin.certificate, .add_name = names[i]};
        leaf_unref(get(cache, &request, false));
    }
    leaf_cache_free(cache);
    free_identity(&origin);
}

static time_t start; /* of this program: requests that shall be equal must not depend on the time */

/* Ends of their own are what makes requests, and leaves, differ cheaply. */
static struct leaf_request numbered_request(const struct identity *origin, unsigned number)
{
    return (struct leaf_request){.origin = origin->certificate,
                                 .not_after = start + 10 * DAY + (time_t)number};
}

/* So many that each part of a cache, of whatever part a key is, gets some. */
#define MANY 600

static void no_more_leaves_are_kept_than_the_limit(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 16, 64};
    struct identity origin = any_origin();
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        struct leaf_cache *cache = new_cache(limits[i]);
        for (unsigned number = 0; number < MANY; number++) {
            const struct leaf_request request = numbered_request(&origin, number);
            leaf_unref(get(cache, &request, false));
            assert_true(leaf_cache_numbers(cache).leaves <= limits[i]);
        }
        assert_int_equal(leaf_cache_numbers(cache).leaves, limits[i]);
        leaf_cache_free(cache);
    }
    free_identity(&origin);
}

static void what_is_used_stays_and_what_is_not_goes(void **state)
{
    (void)state;
    struct identity origin = any_origin();
    struct leaf_cache *cache = new_cache(32);
    const struct leaf_request used = numbered_request(&origin, 1000000),
                              unused = numbered_request(&origin, 1000001);
    leaf_unref(get(cache, &used, false));
    leaf_unref(get(cache, &unused, false));
    for (unsigned number = 0; number < MANY; number++) {
        const struct leaf_request request = numbered_request(&origin, number);
        leaf_unref(get(cache, &request, false));
        leaf_unref(get(cache, &used, true));
    }
    leaf_unref(get(cache, &unused, false));
    leaf_cache_free(cache);
    free_identity(&origin);
}

static void a_leaf_outlives_its_place_in_the_cache_and_the_cache(void **state)
{
    (void)state;
    struct identity origin = any_origin();
    struct leaf_cache *cache = new_cache(16);
    const struct leaf_request request = numbered_request(&origin, 1000000);
    struct leaf *leaf = get(cache, &request, false);
    for (unsigned number = 0; number < MANY; number++) {
        const struct leaf_request other = numbered_request(&origin, number);
        leaf_unref(get(cache, &other, false));
    }
    struct leaf *again = get(cache, &request, false); /* it was dropped */
    assert_ptr_not_equal(leaf, again);
    leaf_cache_free(cache);
    assert_int_equal(X509_check_private_key(leaf->certificate, leaf->key), 1);
    assert_int_equal(X509_check_private_key(again->certificate, again->key), 1);
    leaf_unref(leaf);
    leaf_unref(again);
    free_identity(&origin);
}

static void a_leaf_is_forged_anew_before_it_ends(void **state)
{
    (void)state;
    const time_t now = time(NULL);
    struct identity origin = any_origin();
    struct leaf_cache *cache = new_cache(ROOMY);
    const struct leaf_request ending = {.origin = origin.certificate, .not_after = now + 2},
                              short_lived = {.origin = origin.certificate, .not_after = now + 3600},
                              ended = {.origin = origin.certificate, .not_after = now - 3600};
    leaf_unref(get(cache, &short_lived, false));
    leaf_unref(get(cache, &short_lived, true));
    struct leaf *first = get(cache, &ending, false);
    sleep(2);
    struct leaf *second = get(cache, &ending, false);
    assert_ptr_not_equal(first, second);
    assert_int_equal(leaf_cache_numbers(cache).leaves, 2);
    leaf_unref(first);
    leaf_unref(second);
    leaf_unref(get(cache, &ended, false)); /* of this one there is nothing to wait for */
    leaf_unref(get(cache, &ended, true));
    leaf_cache_free(cache);
    free_identity(&origin);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    leaf_cache_free(NULL);
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 60

struct hammer {
    pthread_t thread;
    struct leaf_cache *cache;
    const struct identity *origin;
    unsigned first, keys; /* it asks for `keys` different leaves, from number `first` on */
    unsigned wrong;
};

static void *swing(void *argument)
{
    struct hammer *hammer = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool cached;
        const struct leaf_request request =
            numbered_request(hammer->origin, hammer->first + i % hammer->keys);
        struct leaf *leaf = find_or_forge(hammer->cache, &request, &cached);
        struct tm parts;
        if (leaf == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(leaf->certificate), &parts) != 1 ||
            timegm(&parts) != request.not_after)
            hammer->wrong++;
        leaf_unref(leaf);
    }
    return NULL;
}

static void swing_all(struct leaf_cache *cache, unsigned keys, unsigned apart)
{
    struct hammer hammers[THREADS];
    struct identity origin = any_origin();
    for (unsigned i = 0; i < THREADS; i++) {
        hammers[i] =
            (struct hammer){.cache = cache, .origin = &origin, .first = i * apart, .keys = keys};
        assert_int_equal(pthread_create(&hammers[i].thread, NULL, swing, &hammers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(hammers[i].thread, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(hammers[i].wrong, 0);
    struct leaf_cache_numbers numbers = leaf_cache_numbers(cache);
    assert_int_equal(numbers.hits + numbers.misses, THREADS * ROUNDS);
    free_identity(&origin);
}

static void threads_may_ask_for_the_same_leaf(void **state)
{
    (void)state;
    struct leaf_cache *cache = new_cache(ROOMY);
    swing_all(cache, 1, 0);
    struct leaf_cache_numbers numbers = leaf_cache_numbers(cache);
    assert_int_equal(numbers.leaves, 1);
    assert_in_range(numbers.misses, 1, THREADS);
    leaf_cache_free(cache);
}

static void threads_may_ask_for_leaves_of_their_own(void **state)
{
    (void)state;
    struct leaf_cache *cache = new_cache(ROOMY);
    swing_all(cache, 10, 100);
    assert_numbers(cache, THREADS * (ROUNDS - 10), THREADS * 10, THREADS * 10);
    leaf_cache_free(cache);
}

static void threads_may_push_out_each_others_leaves(void **state)
{
    (void)state;
    struct leaf_cache *cache = new_cache(16);
    swing_all(cache, 40, 20);
    assert_true(leaf_cache_numbers(cache).leaves <= 16);
    leaf_cache_free(cache);
}

int main(void)
{
    start = time(NULL);
    (void)any_maker(); /* before there are threads */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_request_gets_the_first_ones_leaf),
        cmocka_unit_test(the_origins_certificate_counts_not_the_object),
        cmocka_unit_test(whatever_differs_in_the_request_is_another_leaf),
        cmocka_unit_test(the_longest_names_are_told_apart_by_their_last_character),
        cmocka_unit_test(no_more_leaves_are_kept_than_the_limit),
        cmocka_unit_test(what_is_used_stays_and_what_is_not_goes),
        cmocka_unit_test(a_leaf_outlives_its_place_in_the_cache_and_the_cache),
        cmocka_unit_test(a_leaf_is_forged_anew_before_it_ends),
        cmocka_unit_test(nothing_can_be_freed),
        cmocka_unit_test(threads_may_ask_for_the_same_leaf),
        cmocka_unit_test(threads_may_ask_for_leaves_of_their_own),
        cmocka_unit_test(threads_may_push_out_each_others_leaves),
    };
    return cmocka_run_group_tests_name("tls/leaf_cache", tests, NULL, NULL);
}
