/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/beginnings.h"

#include <string.h>

static struct loop loop;
static struct beginnings beginnings;
static struct arena arena;
static struct beginning *expired[BEGINNINGS_LIMIT];
static size_t expired_count;

/* As the gate does: who has waited long enough is decided. */
static void note_expired(struct beginnings *table, struct beginning *beginning)
{
    assert_ptr_equal(table, &beginnings);
    expired[expired_count++] = beginning;
    beginnings_decide(&beginnings, beginning, 7, &arena);
}

static int open_table(void **state)
{
    (void)state;
    expired_count = 0;
    return !loop_init(&loop) || !beginnings_init(&beginnings, &loop, note_expired);
}

static int close_table(void **state)
{
    (void)state;
    beginnings_fini(&beginnings);
    loop_fini(&loop);
    arena_fini(&arena);
    return 0;
}

static void pass_time(uint64_t ms)
{
    loop.now += ms;
    timers_fire(&loop.timeouts, loop.now);
}

static struct flow flow_from(uint16_t port)
{
    struct flow flow = {.protocol = IPPROTO_UDP};
    assert_true(address_parse(&flow.device, "192.0.2.7:0"));
    assert_true(address_parse(&flow.origin, "198.51.100.9:443"));
    flow.device.port = port;
    return flow;
}

static struct beginning *get(uint16_t port, const char *id)
{
    struct flow flow = flow_from(port);
    return beginnings_get(&beginnings, &flow, reader_of(id, strlen(id)));
}

/* One more datagram comes; true if it is kept. */
static bool wait_with(struct beginning *beginning)
{
    beginning->packets.count++;
    return beginnings_wait(&beginnings, beginning);
}

static void who_is_known_is_found_again(void **state)
{
    (void)state;
    struct beginning *first = get(1000, "one");
    assert_false(first->decided);
    assert_int_equal(first->flow.device.port, 1000);
    assert_true(wait_with(first));
    assert_ptr_equal(get(1000, "one"), first);
    assert_ptr_not_equal(get(1001, "one"), first);
    assert_ptr_not_equal(get(1000, "two"), first);
    assert_ptr_not_equal(get(1000, ""), first);
    struct flow flow = flow_from(1000);
    assert_true(address_parse(&flow.origin, "198.51.100.10:443"));
    assert_ptr_not_equal(beginnings_get(&beginnings, &flow, reader_of("one", 3)), first);
    assert_true(address_parse(&flow.device, "[2001:db8::7]:1000"));
    assert_true(address_parse(&flow.origin, "[2001:db8::9]:443"));
    assert_ptr_not_equal(beginnings_get(&beginnings, &flow, reader_of("one", 3)), first);
}

static void what_was_decided_is_known_for_half_a_minute(void **state)
{
    (void)state;
    struct beginning *beginning = get(1000, "");
    beginnings_decide(&beginnings, beginning, 42, &arena);
    pass_time(BEGINNINGS_KEPT_MS - 1);
    assert_true(get(1000, "")->decided);
    assert_int_equal(get(1000, "")->answer, 42);
    pass_time(1);
    assert_false(get(1000, "")->decided);
}

static void datagrams_wait_for_so_long_from_the_first_on(void **state)
{
    (void)state;
    struct beginning *beginning = get(1000, "");
    assert_true(wait_with(beginning));
    pass_time(BEGINNINGS_WAIT_MS / 2);
    assert_true(wait_with(beginning));
    pass_time(BEGINNINGS_WAIT_MS / 2 - 1);
    assert_int_equal(expired_count, 0);
    pass_time(1);
    assert_int_equal(expired_count, 1);
    assert_ptr_equal(expired[0], beginning);
    assert_int_equal(beginnings.waiting, 0);
    assert_int_equal(get(1000, "")->answer, 7);
}

static void who_is_decided_waits_no_more(void **state)
{
    (void)state;
    struct beginning *beginning = get(1000, "");
    assert_true(wait_with(beginning));
    assert_int_equal(beginnings.waiting, 1);
    beginnings_decide(&beginnings, beginning, 1, &arena);
    assert_int_equal(beginnings.waiting, 0);
    pass_time(10 * BEGINNINGS_WAIT_MS);
    assert_int_equal(expired_count, 0);
}

static void so_many_datagrams_wait_for_one_another_and_no_more(void **state)
{
    (void)state;
    struct beginning *beginning = get(1000, "");
    for (int i = 1; i < BEGINNINGS_DATAGRAMS; i++)
        assert_true(wait_with(beginning));
    assert_false(wait_with(beginning));
    assert_int_equal(beginning->packets.count, BEGINNINGS_DATAGRAMS);
}

static void so_many_wait_and_no_more(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < BEGINNINGS_WAITING; i++)
        assert_true(wait_with(get(i, "")));
    struct beginning *late = get(5000, "");
    assert_false(wait_with(late));
    beginnings_decide(&beginnings, late, 1, &arena);
    assert_int_equal(beginnings.waiting, BEGINNINGS_WAITING);
    beginnings_decide(&beginnings, get(0, ""), 1, &arena);
    assert_true(wait_with(get(5001, "")));
    pass_time(BEGINNINGS_WAIT_MS);
    assert_int_equal(expired_count, BEGINNINGS_WAITING);
    assert_int_equal(beginnings.waiting, 0);
}

/* Who waits is not forgotten, however many come. */
static void the_oldest_are_forgotten_for_new_ones(void **state)
{
    (void)state;
    struct beginning *waiting = get(60000, "");
    assert_true(wait_with(waiting));
    for (uint16_t i = 0; i < 2 * BEGINNINGS_LIMIT; i++)
        beginnings_decide(&beginnings, get(i, ""), i, &arena);
    assert_ptr_equal(get(60000, ""), waiting);
    assert_int_equal(waiting->packets.count, 1);
    struct beginning *last = get(2 * BEGINNINGS_LIMIT - 1, "");
    assert_true(last->decided);
    assert_int_equal(last->answer, 2 * BEGINNINGS_LIMIT - 1);
    assert_false(get(BEGINNINGS_LIMIT - 1, "")->decided);
}

static void a_new_policy_knows_no_decisions(void **state)
{
    (void)state;
    struct beginning *waiting = get(1000, "");
    assert_true(wait_with(waiting));
    beginnings_decide(&beginnings, get(1001, ""), 1, &arena);
    beginnings_forget(&beginnings);
    assert_false(get(1001, "")->decided);
    assert_ptr_equal(get(1000, ""), waiting);
    assert_int_equal(waiting->packets.count, 1);
}

static void what_was_read_outlives_the_decision(void **state)
{
    (void)state;
    struct beginning *beginning = get(1000, "");
    beginning->flow.sni = arena_strdup(&beginning->arena, "a.test");
    struct flow flow = beginning->flow;
    beginnings_decide(&beginnings, beginning, 1, &arena);
    beginnings_forget(&beginnings);
    assert_string_equal(flow.sni, "a.test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_known_is_found_again, open_table, close_table),
        cmocka_unit_test_setup_teardown(what_was_decided_is_known_for_half_a_minute, open_table,
                                        close_table),
        cmocka_unit_test_setup_teardown(datagrams_wait_for_so_long_from_the_first_on, open_table,
                                        close_table),
        cmocka_unit_test_setup_teardown(who_is_decided_waits_no_more, open_table, close_table),
        cmocka_unit_test_setup_teardown(so_many_datagrams_wait_for_one_another_and_no_more,
                                        open_table, close_table),
        cmocka_unit_test_setup_teardown(so_many_wait_and_no_more, open_table, close_table),
        cmocka_unit_test_setup_teardown(the_oldest_are_forgotten_for_new_ones, open_table,
                                        close_table),
        cmocka_unit_test_setup_teardown(a_new_policy_knows_no_decisions, open_table, close_table),
        cmocka_unit_test_setup_teardown(what_was_read_outlives_the_decision, open_table,
                                        close_table),
    };
    return cmocka_run_group_tests_name("gate/beginnings", tests, NULL, NULL);
}
