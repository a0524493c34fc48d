/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/packet_sinks.h"
#include "packets.h"

/* Who counts. */
struct counting {
    struct packet_sink sink;
    const struct captured *unwanted;
    size_t flushes, removals;
};

static bool wants(struct packet_sink *sink, const struct captured *captured)
{
    return container_of(sink, struct counting, sink)->unwanted != captured;
}

static void put(struct packet_sink *sink, const struct captured *captured,
                const struct frame *frame)
{
    (void)captured, (void)frame;
    sink->packets++;
}

static void flush(struct packet_sink *sink)
{
    container_of(sink, struct counting, sink)->flushes++;
}

static void removed(struct packet_sink *sink)
{
    container_of(sink, struct counting, sink)->removals++;
}

static const struct packet_sink_kind choosy = {
    .wants = wants, .put = put, .flush = flush, .removed = removed};
static const struct packet_sink_kind plain = {.put = put};

static void make_captured(struct captured *captured)
{
    *captured = (struct captured){0};
    captured->stream.device.address = address_of("10.0.0.7:50012");
    captured->stream.origin.address = address_of("93.184.216.34:443");
    tcp_stream_init(&captured->stream, 1);
}

static void say(struct captured *captured)
{
    tcp_stream_data(&captured->stream, 1, true, (const unsigned char *)"x", 1);
}

static void who_comes_later_gets_whole_connections_alone(void **state)
{
    (void)state;
    struct packet_sinks set;
    struct captured first, second;
    struct counting early = {.sink.kind = &choosy}, late = {.sink.kind = &plain};
    packet_sinks_init(&set);
    make_captured(&first);
    make_captured(&second);
    assert_true(packet_sinks_add(&set, &early.sink));
    packet_sinks_begin(&set, &first, 1);
    assert_true(packet_sinks_add(&set, &late.sink));
    assert_int_equal(atomic_load(&set.count), 2);
    say(&first);
    assert_int_equal(early.sink.packets, 5);
    assert_int_equal(late.sink.packets, 0);
    packet_sinks_begin(&set, &second, 1);
    say(&second);
    assert_int_equal(early.sink.packets, 10);
    assert_int_equal(late.sink.packets, 5);
    assert_int_equal(early.sink.flows, 2);
    assert_int_equal(late.sink.flows, 1);
    packet_sinks_end(&first);
    packet_sinks_end(&second);
}

static void a_sink_chooses_when_a_connection_begins(void **state)
{
    (void)state;
    struct packet_sinks set;
    struct captured captured;
    struct counting sink = {.sink.kind = &choosy, .unwanted = &captured};
    packet_sinks_init(&set);
    make_captured(&captured);
    assert_true(packet_sinks_add(&set, &sink.sink));
    packet_sinks_begin(&set, &captured, 1);
    assert_int_equal(captured.sinks, 0);
    sink.unwanted = NULL;
    say(&captured);
    assert_int_equal(sink.sink.packets, 0);
    assert_int_equal(sink.sink.flows, 0);
    packet_sinks_end(&captured);
}

static void who_has_gone_gets_nothing_more_and_nobody_else_gets_it(void **state)
{
    (void)state;
    struct packet_sinks set;
    struct captured captured;
    struct counting gone = {.sink.kind = &plain}, next = {.sink.kind = &plain};
    packet_sinks_init(&set);
    make_captured(&captured);
    assert_true(packet_sinks_add(&set, &gone.sink));
    packet_sinks_begin(&set, &captured, 1);
    packet_sinks_remove(&set, &gone.sink);
    assert_int_equal(captured.sinks, 0);
    assert_true(packet_sinks_add(&set, &next.sink)); /* in the same slot */
    say(&captured);
    assert_int_equal(gone.sink.packets, 3);
    assert_int_equal(next.sink.packets, 0);
    packet_sinks_end(&captured);
}

static void what_is_over_is_removed_at_the_next_flush(void **state)
{
    (void)state;
    struct packet_sinks set;
    struct captured captured;
    struct counting sink = {.sink.kind = &choosy};
    packet_sinks_init(&set);
    make_captured(&captured);
    assert_true(packet_sinks_add(&set, &sink.sink));
    packet_sinks_begin(&set, &captured, 1);
    packet_sinks_flush(&set);
    assert_int_equal(sink.flushes, 1);
    sink.sink.over = true;
    say(&captured);
    assert_int_equal(sink.sink.packets, 3);
    packet_sinks_flush(&set);
    packet_sinks_flush(&set);
    assert_int_equal(sink.flushes, 1);
    assert_int_equal(sink.removals, 1);
    assert_int_equal(atomic_load(&set.count), 0);
    packet_sinks_end(&captured);
}

static void there_are_so_many_slots(void **state)
{
    (void)state;
    struct packet_sinks set;
    struct counting sinks[PACKET_SINKS_LIMIT + 1];
    packet_sinks_init(&set);
    for (size_t i = 0; i < PACKET_SINKS_LIMIT; i++) {
        sinks[i] = (struct counting){.sink.kind = &plain};
        assert_true(packet_sinks_add(&set, &sinks[i].sink));
    }
    assert_false(packet_sinks_add(&set, &sinks[PACKET_SINKS_LIMIT].sink));
    packet_sinks_remove(&set, &sinks[31].sink);
    assert_true(packet_sinks_add(&set, &sinks[31].sink));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_later_gets_whole_connections_alone),
        cmocka_unit_test(a_sink_chooses_when_a_connection_begins),
        cmocka_unit_test(who_has_gone_gets_nothing_more_and_nobody_else_gets_it),
        cmocka_unit_test(what_is_over_is_removed_at_the_next_flush),
        cmocka_unit_test(there_are_so_many_slots),
    };
    return cmocka_run_group_tests_name("event/packet_sinks", tests, NULL, NULL);
}
