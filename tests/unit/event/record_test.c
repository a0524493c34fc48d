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

static struct flow flow_between(const char *device, const char *origin, uint8_t protocol)
{
    struct flow flow = {.protocol = protocol};
    assert_true(address_parse(&flow.device, device));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static void *hash_flow(void *context)
{
    return (void *)(uintptr_t)record_flow_id(context);
}

/* What else is known of it does not count: the threads that tell of it do not know the same. */
static void a_connection_has_the_same_flow_id_whoever_tells_of_it(void **state)
{
    (void)state;
    struct flow flow = flow_between("10.0.0.7:50012", "192.0.2.1:443", IPPROTO_TCP);
    uint64_t id = record_flow_id(&flow);
    strcpy(flow.interface, "br-lan");
    flow.has_mac = true;
    flow.sni = "a.test";
    pthread_t thread;
    void *other;
    assert_int_equal(pthread_create(&thread, NULL, hash_flow, &flow), 0);
    pthread_join(thread, &other);
    assert_int_equal((uintptr_t)other, id);
    assert_in_range(id, 1, (UINT64_C(1) << 51) - 1);
}

static void what_tells_connections_apart_tells_their_flow_ids_apart(void **state)
{
    (void)state;
    const struct flow flows[] = {
        flow_between("10.0.0.7:50012", "192.0.2.1:443", IPPROTO_TCP),
        flow_between("10.0.0.7:50012", "192.0.2.1:443", IPPROTO_UDP),
        flow_between("10.0.0.7:50013", "192.0.2.1:443", IPPROTO_TCP),
        flow_between("10.0.0.8:50012", "192.0.2.1:443", IPPROTO_TCP),
        flow_between("10.0.0.7:50012", "192.0.2.1:444", IPPROTO_TCP),
        flow_between("10.0.0.7:50012", "192.0.2.2:443", IPPROTO_TCP),
        flow_between("192.0.2.1:443", "10.0.0.7:50012", IPPROTO_TCP),
        flow_between("[2001:db8::1]:50012", "[2001:db8::2]:443", IPPROTO_TCP),
        flow_between("[2001:db8::1]:50012", "[2001:db8::2:0]:443", IPPROTO_TCP),
        flow_between("[a00:7:c000:201::]:50012", "[::]:443",
                     IPPROTO_TCP), /* the first one's bytes */
    };
    for (size_t i = 0; i < ARRAY_SIZE(flows); i++)
        for (size_t k = 0; k < i; k++)
            assert_true(record_flow_id(&flows[i]) != record_flow_id(&flows[k]));
}

/* One bit of the connection changes half of the id's, and every one of them some time. */
static void flow_ids_of_neighbours_have_nothing_in_common(void **state)
{
    (void)state;
    struct flow flow = flow_between("10.0.0.7:0", "192.0.2.1:443", IPPROTO_TCP);
    uint64_t seen = 0;
    unsigned differing = 0;
    for (unsigned port = 0; port < 1000; port++) {
        flow.device.port = (uint16_t)(2 * port);
        uint64_t id = record_flow_id(&flow);
        flow.device.port++;
        id ^= record_flow_id(&flow);
        seen |= id;
        differing += (unsigned)__builtin_popcountll(id);
    }
    assert_int_equal(seen, (UINT64_C(1) << 51) - 1);
    assert_in_range(differing, 24000, 27000);
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
        cmocka_unit_test(a_connection_has_the_same_flow_id_whoever_tells_of_it),
        cmocka_unit_test(what_tells_connections_apart_tells_their_flow_ids_apart),
        cmocka_unit_test(flow_ids_of_neighbours_have_nothing_in_common),
        cmocka_unit_test(every_ending_has_a_name_of_its_own_and_a_sentence),
    };
    return cmocka_run_group_tests_name("event/record", tests, NULL, NULL);
}
