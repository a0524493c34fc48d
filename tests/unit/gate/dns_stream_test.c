/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/dns_stream.h"

#include <string.h>

static struct dns_streams streams;
static char heard[1 << 18];
static size_t heard_length;

static int set_up(void **state)
{
    (void)state;
    heard_length = 0;
    heard[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dns_streams_fini(&streams);
    memset(&streams, 0, sizeof(streams));
    return 0;
}

static void hear(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    heard_length += (size_t)snprintf(heard + heard_length, sizeof(heard) - heard_length, "[%.*s]",
                                     (int)length, (const char *)bytes);
}

static void feed_from(const char *from, uint32_t sequence, const void *bytes, size_t length,
                      bool starts, bool ends)
{
    struct flow flow = {.protocol = IPPROTO_TCP};
    /* The bytes stand alone in memory, so that AddressSanitizer sees a read behind them. */
    uint8_t *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    assert_true(address_parse(&flow.device, from));
    assert_true(address_parse(&flow.origin, "10.0.0.7:40000"));
    const struct packet_segment segment = {
        .sequence = sequence, .starts = starts, .ends = ends, .payload = reader_of(exact, length)};
    dns_streams_feed(&streams, &flow, &segment, hear, NULL);
    free(exact);
}

static void feed(uint32_t sequence, const char *text, size_t length)
{
    feed_from("10.0.0.1:53", sequence, text, length, false, false);
}

#define STREAM "\0\5hello\0\1a\0\0\0\3xyz"
#define STREAM_LENGTH (sizeof(STREAM) - 1)
#define MESSAGES "[hello][a][][xyz]"

static void messages_in_one_segment(void **state)
{
    (void)state;
    feed(1000, STREAM, STREAM_LENGTH);
    assert_string_equal(heard, MESSAGES);
}

static void messages_in_single_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < STREAM_LENGTH; i++)
        feed(1000 + (uint32_t)i, STREAM + i, 1);
    assert_string_equal(heard, MESSAGES);
}

static void messages_cut_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= STREAM_LENGTH; cut++) {
        set_up(state);
        feed_from("10.0.0.1:53", 1000, "", 0, true, false);
        feed(1000, STREAM, cut);
        feed(1000 + (uint32_t)cut, STREAM + cut, STREAM_LENGTH - cut);
        assert_string_equal(heard, MESSAGES);
        tear_down(state);
    }
}

static void segments_may_come_in_another_order_and_twice(void **state)
{
    (void)state;
    feed_from("10.0.0.1:53", 1000, "", 0, true, false);
    feed(1010, STREAM + 10, STREAM_LENGTH - 10);
    feed(1005, STREAM + 5, 5);
    assert_string_equal(heard, "");
    feed(1000, STREAM, 3);
    feed(1000, STREAM, 4);
    feed(1002, STREAM + 2, 5);
    assert_string_equal(heard, MESSAGES);
    feed(1000, STREAM, STREAM_LENGTH); /* all of it once more */
    assert_string_equal(heard, MESSAGES);
    feed(1000 + STREAM_LENGTH, STREAM, 7);
    assert_string_equal(heard, MESSAGES "[hello]");
}

static void sequence_numbers_go_round(void **state)
{
    (void)state;
    const uint32_t start = 0xfffffffc;
    for (size_t i = 0; i < STREAM_LENGTH; i++)
        feed(start + (uint32_t)i, STREAM + i, 1);
    assert_string_equal(heard, MESSAGES);
}

static void the_longest_message(void **state)
{
    (void)state;
    static char message[2 + 65535];
    memset(message, 'x', sizeof(message));
    message[0] = message[1] = '\xff';
    for (size_t at = 0; at < sizeof(message); at += 1400)
        feed(7 + (uint32_t)at, message + at,
             sizeof(message) - at < 1400 ? sizeof(message) - at : 1400);
    assert_int_equal(heard_length, 65535 + 2);
}

static void what_is_too_far_ahead_is_given_up(void **state)
{
    (void)state;
    feed(1000, STREAM, 7);
    feed(1000 + 200000, STREAM, 7);
    feed(1007, STREAM, 7);
    assert_string_equal(heard, "[hello]");
    feed_from("10.0.0.1:53", 5000, STREAM, 7, true, false); /* another connection */
    assert_string_equal(heard, "[hello][hello]");
}

static void too_many_holes_are_given_up(void **state)
{
    (void)state;
    feed_from("10.0.0.1:53", 0, "", 0, true, false);
    for (uint32_t i = 1; i <= DNS_STREAM_PARTS; i++)
        feed(i * 10, STREAM, 1);
    feed(DNS_STREAM_PARTS * 10 + 10, STREAM, 1);
    feed(0, STREAM, 7);
    assert_string_equal(heard, "");
}

static void an_end_is_an_end(void **state)
{
    (void)state;
    feed(1000, STREAM, 3);
    feed_from("10.0.0.1:53", 1003, STREAM + 3, 4, false, true);
    assert_string_equal(heard, "[hello]");
    feed(9000, STREAM, 7); /* the same ports again */
    assert_string_equal(heard, "[hello][hello]");
}

static void connections_do_not_mix(void **state)
{
    (void)state;
    feed_from("10.0.0.1:53", 0, STREAM, 3, false, false);
    feed_from("10.0.0.2:53", 0, STREAM, 7, false, false);
    feed_from("10.0.0.1:54", 3, STREAM + 3, 4, false, false);
    assert_string_equal(heard, "[hello]");
    feed_from("10.0.0.1:53", 3, STREAM + 3, 4, false, false);
    assert_string_equal(heard, "[hello][hello]");
}

static void the_one_silent_for_longest_goes_where_there_is_no_room(void **state)
{
    (void)state;
    char from[32];
    feed_from("10.0.0.1:1", 0, STREAM, 3, false, false);
    feed_from("10.0.0.1:2", 0, STREAM, 3, false, false);
    for (int i = 3; i <= DNS_STREAMS; i++) {
        snprintf(from, sizeof(from), "10.0.0.1:%d", i);
        feed_from(from, 0, STREAM, 1, false, false);
    }
    feed_from("10.0.0.1:1", 3, STREAM + 3, 1, false, false); /* it speaks */
    feed_from("10.0.0.1:999", 0, STREAM, 1, false, false);
    feed_from("10.0.0.1:1", 4, STREAM + 4, 3, false, false);
    assert_string_equal(heard, "[hello]");
    feed_from("10.0.0.1:2", 3, STREAM + 3, 4, false, false); /* forgotten */
    assert_string_equal(heard, "[hello]");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_in_one_segment),
        TEST(messages_in_single_bytes),
        TEST(messages_cut_anywhere),
        TEST(segments_may_come_in_another_order_and_twice),
        TEST(sequence_numbers_go_round),
        TEST(the_longest_message),
        TEST(what_is_too_far_ahead_is_given_up),
        TEST(too_many_holes_are_given_up),
        TEST(an_end_is_an_end),
        TEST(connections_do_not_mix),
        TEST(the_one_silent_for_longest_goes_where_there_is_no_room),
    };
    return cmocka_run_group_tests_name("gate/dns_stream", tests, NULL, NULL);
}
