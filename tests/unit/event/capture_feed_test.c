/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packets.h"

#include <jansson.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_SIZE 4096

struct studio {
    struct subject subject;
    atomic_uint wanted;
    struct capture_alarm alarm;
    struct capture_feed feed;
};

static int make_studio(void **state)
{
    struct studio *studio = aligned_alloc(_Alignof(struct studio), sizeof(*studio));
    *state = studio;
    if (studio == NULL)
        return -1;
    make_subject(&studio->subject, "10.0.0.7:50012", "93.184.216.34:443");
    atomic_init(&studio->wanted, 1);
    studio->alarm.news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    atomic_init(&studio->alarm.asleep, true);
    capture_feed_init(&studio->feed, &studio->wanted, &studio->alarm, RING_SIZE);
    return 0;
}

static int drop_studio(void **state)
{
    struct studio *studio = *state;
    struct capture_note note;
    assert_false(capture_feed_next(&studio->feed, &note));
    assert_int_equal(studio->feed.open, 0);
    capture_feed_fini(&studio->feed);
    close(studio->alarm.news);
    free(studio);
    return 0;
}

static struct capture_flow *begin(struct studio *studio)
{
    return capture_begin(&studio->feed, &studio->subject.record);
}

static struct capture_note take(struct studio *studio, enum capture_note_kind kind,
                                const struct capture_flow *flow)
{
    struct capture_note note;
    assert_true(capture_feed_next(&studio->feed, &note));
    assert_int_equal(note.kind, kind);
    assert_ptr_equal(note.flow, flow);
    return note;
}

static void taken(struct studio *studio)
{
    capture_feed_taken(&studio->feed);
}

static void take_end(struct studio *studio, struct capture_flow *flow)
{
    (void)take(studio, CAPTURE_END, flow);
    taken(studio);
    capture_flow_free(flow);
}

static void a_connection_comes_out_as_it_went_in(void **state)
{
    struct studio *studio = *state;
    struct capture_flow *flow = begin(studio);
    assert_non_null(flow);
    capture_data(flow, true, (const unsigned char *)"request", 7);
    capture_data(flow, false, (const unsigned char *)"answer", 6);
    capture_half_end(flow, false);
    capture_end(flow, CAPTURE_RESET_BY_DEVICE);
    (void)take(studio, CAPTURE_BEGIN, flow);
    taken(studio);
    struct capture_note note = take(studio, CAPTURE_DATA, flow);
    assert_true(note.up && note.length == 7);
    assert_memory_equal(note.bytes, "request", 7);
    const uint64_t time = note.time;
    taken(studio);
    note = take(studio, CAPTURE_DATA, flow);
    assert_true(!note.up && note.length == 6 && note.time >= time);
    assert_memory_equal(note.bytes, "answer", 6);
    taken(studio);
    assert_false(take(studio, CAPTURE_HALF_END, flow).up);
    taken(studio);
    assert_int_equal(take(studio, CAPTURE_END, flow).ending, CAPTURE_RESET_BY_DEVICE);
    take_end(studio, flow);
}

static void what_is_known_of_it_goes_with_it(void **state)
{
    struct studio *studio = *state;
    studio->subject.flow.device_name = "cam";
    snprintf(studio->subject.flow.interface, IFNAMSIZ, "lan0");
    struct capture_flow *flow = begin(studio);
    const struct captured *captured = &flow->captured;
    assert_string_equal(captured->comment,
                        "flow_id=320255973458211 mac=02:00:5e:10:00:01 device=cam");
    assert_int_equal(captured->comment_length, strlen(captured->comment));
    assert_string_equal(flow->interface, "lan0");
    assert_int_equal(captured->stream.device.mac[2], 0x5e);
    json_t *event = json_loadb(captured->event, captured->event_length, 0, NULL);
    assert_non_null(event);
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "tls"), "sni")),
                        "origin.test");
    json_decref(event);
    capture_flow_forget(flow);
    assert_null(captured->event);
    assert_non_null(captured->comment);
    capture_end(flow, CAPTURE_CLOSED);
    (void)take(studio, CAPTURE_BEGIN, flow);
    taken(studio);
    take_end(studio, flow);
}

static void a_device_without_a_name_has_its_address(void **state)
{
    struct studio *studio = *state;
    studio->subject.flow.has_mac = false;
    struct capture_flow *flow = begin(studio);
    assert_string_equal(flow->captured.comment, "flow_id=320255973458211 device=10.0.0.7");
    capture_end(flow, CAPTURE_CLOSED);
    (void)take(studio, CAPTURE_BEGIN, flow);
    taken(studio);
    take_end(studio, flow);
}

/* And the end always finds room. */
static void what_does_not_fit_is_counted_and_told_with_what_comes_next(void **state)
{
    struct studio *studio = *state;
    unsigned char bytes[1000] = {0};
    struct capture_flow *flow = begin(studio);
    for (size_t i = 0; i < 10; i++)
        capture_data(flow, i % 2 == 0, bytes, sizeof(bytes));
    (void)take(studio, CAPTURE_BEGIN, flow);
    taken(studio);
    size_t fitted = 0;
    struct capture_note note;
    while (capture_feed_next(&studio->feed, &note)) {
        assert_int_equal(note.lost[0] + note.lost[1], 0);
        fitted++;
        taken(studio);
    }
    assert_int_equal(fitted, 3);
    assert_int_equal(counter_read(&studio->feed.lost_bytes), 7000);
    capture_data(flow, true, bytes, 1);
    note = take(studio, CAPTURE_DATA, flow);
    assert_int_equal(note.lost[true], 3000);
    assert_int_equal(note.lost[false], 4000);
    taken(studio);
    for (size_t i = 0; i < 10; i++)
        capture_data(flow, true, bytes, sizeof(bytes));
    capture_half_end(flow, true);
    capture_end(flow, CAPTURE_CLOSED);
    while (capture_feed_next(&studio->feed, &note) && note.kind != CAPTURE_END)
        taken(studio);
    assert_int_equal(note.lost[true] + fitted * 1000, 10000);
    take_end(studio, flow);
}

/* As many as the ring could ever tell the ends of, and no more. */
static void there_is_room_for_the_end_of_each_connection(void **state)
{
    struct studio *studio = *state;
    struct capture_flow *flows[RING_SIZE];
    const unsigned char bytes[300] = {0};
    struct capture_note note;
    size_t count = 0;
    while ((flows[count] = begin(studio)) != NULL) {
        if (count++ % 4 == 0)
            capture_data(flows[0], true, bytes, sizeof(bytes));
        while (count % 2 == 0 && capture_feed_next(&studio->feed, &note))
            taken(studio);
    }
    assert_true(count > 10 && counter_read(&studio->feed.lost_flows) == 1);
    for (size_t i = 0; i < count; i++)
        capture_data(flows[i], true, bytes, 100);
    for (size_t i = 0; i < count; i++)
        capture_end(flows[i], CAPTURE_CLOSED);
    size_t ended = 0;
    while (capture_feed_next(&studio->feed, &note)) {
        taken(studio);
        if (note.kind == CAPTURE_END)
            capture_flow_free(note.flow);
        ended += note.kind == CAPTURE_END;
    }
    assert_int_equal(ended, count);
}

static void what_nobody_wants_is_not_put_there(void **state)
{
    struct studio *studio = *state;
    assert_true(capture_wants(&studio->feed));
    atomic_store(&studio->wanted, 0);
    assert_false(capture_wants(&studio->feed));
    struct capture_flow *flow = begin(studio);
    (void)take(studio, CAPTURE_BEGIN, flow);
    taken(studio);
    atomic_store(&flow->unwanted, true);
    capture_data(flow, true, (const unsigned char *)"x", 1);
    capture_end(flow, CAPTURE_CLOSED);
    take_end(studio, flow);
    assert_int_equal(counter_read(&studio->feed.lost_bytes), 0);
}

static void it_rings_once_for_a_sleeper(void **state)
{
    struct studio *studio = *state;
    uint64_t rung = 0;
    struct capture_flow *flow = begin(studio);
    capture_data(flow, true, (const unsigned char *)"x", 1);
    assert_int_equal(read(studio->alarm.news, &rung, sizeof(rung)), sizeof(rung));
    assert_int_equal(rung, 1);
    assert_false(atomic_load(&studio->alarm.asleep));
    capture_end(flow, CAPTURE_CLOSED);
    assert_int_equal(read(studio->alarm.news, &rung, sizeof(rung)), -1);
    (void)take(studio, CAPTURE_BEGIN, flow);
    taken(studio);
    (void)take(studio, CAPTURE_DATA, flow);
    taken(studio);
    take_end(studio, flow);
}

/* ---- two threads ---- */

#define ROUNDS 20000

static void *relay(void *context)
{
    struct studio *studio = context;
    unsigned char bytes[256];
    struct capture_flow *flow = NULL;
    for (size_t i = 0; i < ROUNDS; i++) {
        if (flow == NULL)
            flow = begin(studio);
        if (flow == NULL)
            continue;
        memset(bytes, (int)(i % 251), sizeof(bytes));
        capture_data(flow, true, bytes, 1 + i % sizeof(bytes));
        if (i % 7 == 0) {
            capture_end(flow, CAPTURE_CLOSED);
            flow = NULL;
        }
    }
    if (flow != NULL)
        capture_end(flow, CAPTURE_CLOSED);
    atomic_store(&studio->wanted, 0);
    return NULL;
}

static uint64_t drain(struct studio *studio)
{
    struct capture_note note;
    uint64_t seen = 0;
    while (capture_feed_next(&studio->feed, &note)) {
        seen += note.lost[true];
        if (note.kind == CAPTURE_DATA) {
            for (size_t i = 1; i < note.length; i++)
                assert_int_equal(note.bytes[i], note.bytes[0]);
            seen += note.length;
        }
        if (note.kind == CAPTURE_END)
            capture_flow_free(note.flow);
        taken(studio);
    }
    return seen;
}

static void each_byte_is_there_or_counted(void **state)
{
    struct studio *studio = *state;
    pthread_t thread;
    uint64_t seen = 0, expected = 0;
    assert_int_equal(pthread_create(&thread, NULL, relay, studio), 0);
    while (capture_wants(&studio->feed))
        seen += drain(studio);
    pthread_join(thread, NULL);
    seen += drain(studio);
    for (size_t i = 0; i < ROUNDS; i++)
        expected += 1 + i % 256;
    /* Of connections that found no room nothing is known. */
    if (counter_read(&studio->feed.lost_flows) == 0)
        assert_int_equal(seen, expected);
    else
        assert_true(seen < expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_studio, drop_studio)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_comes_out_as_it_went_in),
        TEST(what_is_known_of_it_goes_with_it),
        TEST(a_device_without_a_name_has_its_address),
        TEST(what_does_not_fit_is_counted_and_told_with_what_comes_next),
        TEST(there_is_room_for_the_end_of_each_connection),
        TEST(what_nobody_wants_is_not_put_there),
        TEST(it_rings_once_for_a_sleeper),
        TEST(each_byte_is_there_or_counted),
    };
    return cmocka_run_group_tests_name("event/capture_feed", tests, NULL, NULL);
}
