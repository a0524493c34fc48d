/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log.h"
#include "event/live_feed.h"
#include "event/pcapng.h"

#include "packets.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct studio {
    struct loop loop;
    struct packet_sinks sinks;
    struct live_feed feed;
    struct captured captured;
};

static int make_studio(void **state)
{
    struct studio *studio = calloc(1, sizeof(*studio));
    *state = studio;
    if (studio == NULL || !loop_init(&studio->loop))
        return -1;
    packet_sinks_init(&studio->sinks);
    live_feed_init(&studio->feed, &studio->loop, &studio->sinks);
    const struct address any = address_of("127.0.0.1:0");
    studio->captured.stream.device.address = address_of("10.0.0.7:50012");
    studio->captured.stream.origin.address = address_of("93.184.216.34:443");
    tcp_stream_init(&studio->captured.stream, 1);
    return live_feed_open(&studio->feed, &any) ? 0 : -1;
}

static int drop_studio(void **state)
{
    struct studio *studio = *state;
    live_feed_close(&studio->feed);
    live_feed_close(&studio->feed);
    assert_int_equal(atomic_load(&studio->sinks.count), 0);
    loop_fini(&studio->loop);
    free(studio);
    return 0;
}

static void turn(struct studio *studio)
{
    loop_turn(&studio->loop, 0);
}

static int connect_client(struct studio *studio)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getsockname(studio->feed.watch.fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
    turn(studio);
    turn(studio);
    return fd;
}

/* What is there by now; the engine's side has its turn meanwhile. */
static size_t read_some(struct studio *studio, int fd, unsigned char *bytes, size_t size)
{
    size_t length = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (length < size && poll(&ready, 1, 100) == 1) {
        ssize_t count = read(fd, bytes + length, size - length);
        if (count <= 0)
            break;
        length += (size_t)count;
        turn(studio);
    }
    return length;
}

static void a_client_gets_a_head_and_then_packets(void **state)
{
    struct studio *studio = *state;
    unsigned char bytes[1000], head[PCAP_HEAD_SIZE];
    int fd = connect_client(studio);
    assert_int_equal(studio->feed.count, 1);
    pcap_head(head);
    assert_int_equal(read_some(studio, fd, bytes, sizeof(bytes)), sizeof(head));
    assert_memory_equal(bytes, head, sizeof(head));
    packet_sinks_begin(&studio->sinks, &studio->captured, 1);
    packet_sinks_flush(&studio->sinks);
    const size_t length = read_some(studio, fd, bytes, sizeof(bytes));
    assert_int_equal(length, 3 * (PCAP_PACKET_SIZE + 14 + 40) + 2 * 4);
    packet_sinks_end(&studio->captured);
    close(fd);
}

/* Its buffer, which is a ring, comes round several times. */
static void a_slow_client_loses_whole_packets(void **state)
{
    struct studio *studio = *state;
    static const unsigned char data[1000];
    static unsigned char bytes[32 << 20];
    int fd = connect_client(studio);
    const struct packet_sink *sink = studio->sinks.slots[0];
    packet_sinks_begin(&studio->sinks, &studio->captured, 1);
    size_t length = 0, at = PCAP_HEAD_SIZE, packets = 0;
    for (size_t turns = 0; turns < 4; turns++) {
        for (size_t i = 0; i < 6000; i++)
            tcp_stream_data(&studio->captured.stream, 1, turns % 2 == 0, data, 100 + i % 900);
        packet_sinks_flush(&studio->sinks);
        assert_true(length < sizeof(bytes));
        length += read_some(studio, fd, bytes + length, 500000);
    }
    assert_true(sink->lost > 1000);
    const uint64_t expected = sink->packets;
    length += read_some(studio, fd, bytes + length, sizeof(bytes) - length);
    while (at + PCAP_PACKET_SIZE <= length) {
        uint32_t size;
        memcpy(&size, bytes + at + 8, sizeof(size));
        assert_true(size >= 54 && size <= TCP_STREAM_FRAME_SIZE);
        at += PCAP_PACKET_SIZE + size;
        packets++;
    }
    assert_int_equal(at, length);
    assert_int_equal(packets, expected);
    packet_sinks_end(&studio->captured);
    close(fd);
}

static void who_leaves_is_forgotten(void **state)
{
    struct studio *studio = *state;
    int staying = connect_client(studio), leaving = connect_client(studio);
    assert_int_equal(studio->feed.count, 2);
    close(leaving); /* with bytes unread: that is a reset */
    packet_sinks_begin(&studio->sinks, &studio->captured, 1);
    for (size_t i = 0; i < 10 && studio->feed.count > 1; i++) {
        packet_sinks_flush(&studio->sinks);
        turn(studio);
    }
    assert_int_equal(studio->feed.count, 1);
    packet_sinks_end(&studio->captured);
    close(staying);
}

static void there_are_so_many_clients(void **state)
{
    struct studio *studio = *state;
    int clients[LIVE_CLIENTS_LIMIT + 1];
    unsigned char byte;
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        clients[i] = connect_client(studio);
    assert_int_equal(studio->feed.count, LIVE_CLIENTS_LIMIT);
    assert_int_equal(studio->feed.refused, 1);
    assert_int_equal(read(clients[LIVE_CLIENTS_LIMIT], &byte, 1), 0);
    live_feed_close(&studio->feed);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        close(clients[i]);
}

static void an_address_that_is_taken_is_none(void **state)
{
    struct studio *studio = *state;
    struct sockaddr_storage local;
    socklen_t length = sizeof(local);
    struct address address;
    struct live_feed other;
    assert_int_equal(getsockname(studio->feed.watch.fd, (struct sockaddr *)&local, &length), 0);
    assert_true(address_from_sockaddr(&address, &local));
    live_feed_init(&other, &studio->loop, &studio->sinks);
    assert_false(live_feed_open(&other, &address));
    assert_int_equal(errno, EADDRINUSE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_studio, drop_studio)

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        TEST(a_client_gets_a_head_and_then_packets),
        TEST(a_slow_client_loses_whole_packets),
        TEST(who_leaves_is_forgotten),
        TEST(there_are_so_many_clients),
        TEST(an_address_that_is_taken_is_none),
    };
    return cmocka_run_group_tests_name("event/live_feed", tests, NULL, NULL);
}
