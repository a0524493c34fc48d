/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/dns_stream.h"

#include <stdlib.h>
#include <string.h>

/* What has come out: messages, separated by blanks. */
struct outcome {
    struct dns_streams *streams;
    char text[1024];
    size_t count, longest;
};

static int open_streams(void **state)
{
    struct outcome *outcome = calloc(1, sizeof(*outcome));
    *state = outcome;
    outcome->streams = calloc(1, sizeof(*outcome->streams));
    return outcome->streams != NULL ? 0 : -1;
}

static int close_streams(void **state)
{
    struct outcome *outcome = *state;
    dns_streams_fini(outcome->streams);
    free(outcome->streams);
    free(outcome);
    return 0;
}

static void note_message(void *context, const uint8_t *bytes, size_t length)
{
    struct outcome *outcome = context;
    const size_t used = strlen(outcome->text);
    outcome->count++;
    if (length > outcome->longest)
        outcome->longest = length;
    if (length < 64)
        snprintf(outcome->text + used, sizeof(outcome->text) - used, "%s%.*s", used > 0 ? " " : "",
                 (int)length, (const char *)bytes);
}

/* From this port to a resolver. */
static void feed_bytes(struct outcome *outcome, uint16_t port, uint32_t sequence, const void *bytes,
                       size_t length, bool starts, bool ends)
{
    struct flow flow = {.protocol = IPPROTO_TCP};
    assert_true(address_parse(&flow.device, "192.0.2.50:1"));
    assert_true(address_parse(&flow.origin, "192.0.2.1:53"));
    flow.device.port = port;
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    if (length > 0)
        memcpy(copy, bytes, length);
    const struct packet_segment segment = {
        .sequence = sequence, .starts = starts, .ends = ends, .payload = reader_of(copy, length)};
    dns_streams_feed(outcome->streams, &flow, &segment, note_message, outcome);
    free(copy);
}

#define feed(outcome, sequence, text) \
    feed_bytes(outcome, 1, sequence, text, sizeof(text) - 1, false, false)

/* The last acknowledgement of the handshake: what comes begins here. */
static void begin(struct outcome *outcome, uint32_t sequence)
{
    feed(outcome, sequence, "");
}

static void assert_messages(const struct outcome *outcome, const char *expected)
{
    assert_string_equal(outcome->text, expected);
}

static void a_message_in_one_segment_is_handed_out(void **state)
{
    struct outcome *outcome = *state;
    begin(outcome, 100);
    feed(outcome, 100, "\0\3one");
    assert_messages(outcome, "one");
}

static void several_in_one_segment_are_handed_out_in_order(void **state)
{
    struct outcome *outcome = *state;
    feed(outcome, 100, "\0\3one\0\3two\0");
    assert_messages(outcome, "one two");
    feed(outcome, 111, "\5three");
    assert_messages(outcome, "one two three");
}

static void the_segment_that_completes_a_message_hands_it_out(void **state)
{
    struct outcome *outcome = *state;
    const char text[] = "\0\5hello\0\2ok";
    for (uint32_t i = 0; i < sizeof(text) - 1; i++) {
        assert_messages(outcome, i < 7 ? "" : "hello");
        feed_bytes(outcome, 1, 100 + i, text + i, 1, false, false);
    }
    assert_messages(outcome, "hello ok");
}

static void segments_may_come_in_any_order(void **state)
{
    struct outcome *outcome = *state;
    begin(outcome, 100);
    feed(outcome, 106, "r");
    feed(outcome, 104, "te");
    feed(outcome, 107, "\0\1x");
    assert_messages(outcome, "");
    feed(outcome, 100, "\0\5la");
    assert_messages(outcome, "later x");
}

static void what_comes_again_is_not_read_twice(void **state)
{
    struct outcome *outcome = *state;
    feed(outcome, 100, "\0\3one");
    feed(outcome, 100, "\0\3one");
    feed(outcome, 102, "one\0\3t");
    feed(outcome, 105, "\0\3two");
    assert_messages(outcome, "one two");
}

static void sequence_numbers_go_round(void **state)
{
    struct outcome *outcome = *state;
    begin(outcome, UINT32_MAX - 2);
    feed(outcome, UINT32_MAX - 2, "\0\5ro");
    feed(outcome, 1, "und");
    assert_messages(outcome, "round");
}

static void an_empty_message_is_one(void **state)
{
    struct outcome *outcome = *state;
    feed(outcome, 100, "\0\0\0\1x");
    assert_messages(outcome, "x");
    assert_int_equal(outcome->count, 2);
}

static void the_longest_message_is_put_together(void **state)
{
    struct outcome *outcome = *state;
    static uint8_t text[2 + UINT16_MAX];
    memset(text, 'x', sizeof(text));
    text[0] = text[1] = 0xff;
    for (uint32_t at = 0; at < sizeof(text); at += 1440) {
        const size_t left = sizeof(text) - at;
        assert_int_equal(outcome->longest, 0);
        feed_bytes(outcome, 1, 100 + at, text + at, left < 1440 ? left : 1440, false, false);
    }
    assert_int_equal(outcome->longest, UINT16_MAX);
    feed(outcome, 100 + sizeof(text), "\0\4next");
    assert_messages(outcome, "next");
}

static void what_is_too_far_ahead_gives_the_connection_up(void **state)
{
    struct outcome *outcome = *state;
    begin(outcome, 100);
    feed(outcome, 100 + 2 * (2 + UINT16_MAX), "x");
    feed(outcome, 100, "\0\3one");
    assert_messages(outcome, "");
    feed_bytes(outcome, 1, 900, "", 0, true, false); /* a new one with the same ports */
    feed(outcome, 900, "\0\3new");
    assert_messages(outcome, "new");
}

static void too_many_gaps_give_the_connection_up(void **state)
{
    struct outcome *outcome = *state;
    begin(outcome, 100);
    for (uint32_t i = 1; i < DNS_STREAM_PARTS; i++)
        feed(outcome, 100 + 4 * i, "x");
    feed(outcome, 100, "\0\1a");
    assert_messages(outcome, "a");
    feed(outcome, 200, "x");
    feed(outcome, 300, "x");
    feed(outcome, 103, "\0\1b");
    assert_messages(outcome, "a");
}

static void gaps_are_closed_by_what_overlaps_them(void **state)
{
    struct outcome *outcome = *state;
    begin(outcome, 100);
    for (uint32_t i = 1; i <= DNS_STREAM_PARTS; i++)
        feed(outcome, 100 + 2 * i, "x");
    feed(outcome, 101, "\x10xxxxxxxxxxxxxxxx\0\1y");
    assert_messages(outcome, "");
    feed(outcome, 100, "\0");
    assert_messages(outcome, "xxxxxxxxxxxxxxxx y");
}

static void a_connection_that_ends_is_forgotten(void **state)
{
    struct outcome *outcome = *state;
    feed(outcome, 100, "\0\3o");
    feed_bytes(outcome, 1, 103, "", 0, false, true);
    feed(outcome, 5000, "\0\3two");
    assert_messages(outcome, "two");
    feed_bytes(outcome, 1, 5005, "\0\4last", 6, false, true); /* with the FIN */
    assert_messages(outcome, "two last");
}

static void connections_are_kept_apart(void **state)
{
    struct outcome *outcome = *state;
    feed_bytes(outcome, 1, 100, "\0\3o", 3, false, false);
    feed_bytes(outcome, 2, 100, "\0\3t", 3, false, false);
    feed_bytes(outcome, 1, 103, "ne", 2, false, false);
    feed_bytes(outcome, 2, 103, "wo", 2, false, false);
    assert_messages(outcome, "one two");
}

/* Each message takes its time, even one of nothing. */
static void too_many_messages_in_a_segment_give_the_connection_up(void **state)
{
    struct outcome *outcome = *state;
    static const uint8_t zeros[65000];
    feed_bytes(outcome, 1, 100, zeros, 2 * DNS_STREAM_MESSAGES, false, false);
    assert_int_equal(outcome->count, DNS_STREAM_MESSAGES);
    feed_bytes(outcome, 1, 100 + 2 * DNS_STREAM_MESSAGES, zeros, sizeof(zeros), false, false);
    assert_int_equal(outcome->count, 2 * DNS_STREAM_MESSAGES);
    feed(outcome, 100 + 2 * DNS_STREAM_MESSAGES + sizeof(zeros), "\0\3one");
    assert_messages(outcome, "");
    feed_bytes(outcome, 2, 100, "\0\3two", 5, false, false);
    assert_messages(outcome, "two");
}

static void of_too_many_the_one_that_was_silent_longest_goes(void **state)
{
    struct outcome *outcome = *state;
    for (uint16_t port = 1; port <= DNS_STREAMS; port++)
        feed_bytes(outcome, port, 100, "\0\1", 2, false, false);
    feed_bytes(outcome, 1, 102, "a\0\1", 3, false, false);
    feed_bytes(outcome, 1000, 100, "\0\1b", 3, false, false); /* in place of the second */
    feed_bytes(outcome, 1, 105, "c", 1, false, false);
    feed_bytes(outcome, 3, 102, "d", 1, false, false);
    assert_messages(outcome, "a b c d");
    feed_bytes(outcome, 2, 102, "e", 1, false, false);
    assert_messages(outcome, "a b c d");
}

#define stream_test(function) cmocka_unit_test_setup_teardown(function, open_streams, close_streams)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stream_test(a_message_in_one_segment_is_handed_out),
        stream_test(several_in_one_segment_are_handed_out_in_order),
        stream_test(the_segment_that_completes_a_message_hands_it_out),
        stream_test(segments_may_come_in_any_order),
        stream_test(what_comes_again_is_not_read_twice),
        stream_test(sequence_numbers_go_round),
        stream_test(an_empty_message_is_one),
        stream_test(the_longest_message_is_put_together),
        stream_test(what_is_too_far_ahead_gives_the_connection_up),
        stream_test(too_many_gaps_give_the_connection_up),
        stream_test(gaps_are_closed_by_what_overlaps_them),
        stream_test(a_connection_that_ends_is_forgotten),
        stream_test(connections_are_kept_apart),
        stream_test(too_many_messages_in_a_segment_give_the_connection_up),
        stream_test(of_too_many_the_one_that_was_silent_longest_goes),
    };
    return cmocka_run_group_tests_name("gate/dns_stream", tests, NULL, NULL);
}
