/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/tcp_stream.h"
#include "packets.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* A packet, taken apart. */
struct seen {
    bool up;
    unsigned flags;
    uint32_t sequence, acknowledged;
    size_t length; /* of data */
    uint64_t time;
};

#define SEEN_LIMIT 64
struct wire {
    struct tcp_stream stream;
    struct seen seen[SEEN_LIMIT];
    size_t count;
    unsigned char data[2][8192]; /* that went down, up */
    size_t lengths[2];
};

/* Addresses are looked at as text, and everything that has a checksum is summed up. */
static size_t check_ip(const unsigned char *ip, size_t length, bool *up)
{
    const bool is_ipv4 = ip[0] >> 4 == 4;
    const size_t size = is_ipv4 ? 20 : 40;
    unsigned char pseudo[40] = {0};
    assert_int_equal(is_ipv4 ? number_at(ip + 2, 2) : number_at(ip + 4, 2) + 40, length);
    assert_int_equal(ip[is_ipv4 ? 9 : 6], IPPROTO_TCP);
    if (is_ipv4)
        assert_int_equal(sum_of(ip, size), 0xffff);
    const size_t addresses = is_ipv4 ? 8 : 32;
    memcpy(pseudo, ip + size - addresses, addresses);
    pseudo[addresses + 1] = IPPROTO_TCP;
    const uint32_t rest = (uint32_t)(length - size);
    pseudo[addresses + 2] = (unsigned char)(rest >> 8);
    pseudo[addresses + 3] = (unsigned char)rest;
    uint32_t sum = sum_of(pseudo, addresses + 4) + sum_of(ip + size, rest);
    assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
    *up = ip[size - addresses + addresses / 2 - 1] == 7;
    return size;
}

static void see(void *context, const struct frame *frame)
{
    struct wire *wire = context;
    unsigned char packet[TCP_STREAM_FRAME_SIZE];
    const size_t length = frame->head_length + frame->data_length;
    assert_true(length <= sizeof(packet) && wire->count < SEEN_LIMIT);
    memcpy(packet, frame->head, frame->head_length);
    if (frame->data_length > 0)
        memcpy(packet + frame->head_length, frame->data, frame->data_length);
    struct seen *seen = &wire->seen[wire->count++];
    const unsigned char *ip = packet + 14;
    const unsigned char *tcp = ip + check_ip(ip, length - 14, &seen->up);
    assert_int_equal(number_at(packet + 12, 2), ip[0] >> 4 == 4 ? 0x0800 : 0x86dd);
    assert_int_equal(packet[seen->up ? 6 : 0], 2); /* the device's MAC address, as the sender */
    assert_int_equal(number_at(tcp + (seen->up ? 0 : 2), 2), 50012);
    assert_int_equal(number_at(tcp + (seen->up ? 2 : 0), 2), 443);
    seen->sequence = number_at(tcp + 4, 4);
    seen->acknowledged = number_at(tcp + 8, 4);
    seen->flags = tcp[13];
    seen->length = (size_t)(packet + length - tcp) - (size_t)(tcp[12] >> 4) * 4;
    seen->time = frame->time;
    assert_int_equal(seen->length, frame->data_length);
    assert_true(wire->lengths[seen->up] + seen->length <= sizeof(wire->data[0]));
    if (seen->length > 0)
        memcpy(wire->data[seen->up] + wire->lengths[seen->up], frame->data, seen->length);
    wire->lengths[seen->up] += seen->length;
}

static int make_wire(void **state)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    *state = wire;
    if (wire == NULL)
        return -1;
    wire->stream.device.address = address_of("10.0.0.7:50012");
    wire->stream.origin.address = address_of("93.184.216.34:443");
    wire->stream.device.mac[0] = 2;
    wire->stream.emit = see;
    wire->stream.context = wire;
    tcp_stream_init(&wire->stream, 0xfffffffe12345678);
    return 0;
}

static int drop_wire(void **state)
{
    free(*state);
    return 0;
}

static void assert_seen(const struct wire *wire, size_t index, bool up, unsigned flags,
                        size_t length)
{
    assert_true(index < wire->count);
    assert_int_equal(wire->seen[index].up, up);
    assert_int_equal(wire->seen[index].flags, flags);
    assert_int_equal(wire->seen[index].length, length);
}

static void a_stream_begins_with_a_handshake(void **state)
{
    struct wire *wire = *state;
    tcp_stream_open(&wire->stream, 77);
    assert_int_equal(wire->count, 3);
    assert_seen(wire, 0, true, SYN, 0);
    assert_seen(wire, 1, false, SYN | ACK, 0);
    assert_seen(wire, 2, true, ACK, 0);
    const struct seen *seen = wire->seen;
    assert_int_equal(seen[0].acknowledged, 0);
    assert_int_equal(seen[1].acknowledged, seen[0].sequence + 1);
    assert_int_equal(seen[2].sequence, seen[0].sequence + 1);
    assert_int_equal(seen[2].acknowledged, seen[1].sequence + 1);
    assert_int_equal(seen[2].time, 77);
}

/* Of whatever length, and also where the numbers begin again from 0. */
static void check_data(struct wire *wire, size_t segment)
{
    unsigned char bytes[4000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7);
    tcp_stream_open(&wire->stream, 1);
    wire->stream.device.next = UINT32_MAX - 1000;
    const size_t parts[] = {sizeof(bytes), 1, segment, 0x101};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        wire->count = wire->lengths[true] = 0;
        const uint32_t first = wire->stream.device.next;
        tcp_stream_data(&wire->stream, 2, true, bytes, parts[i]);
        assert_int_equal(wire->lengths[true], parts[i]);
        assert_memory_equal(wire->data[true], bytes, parts[i]);
        assert_int_equal(wire->count, (parts[i] + segment - 1) / segment + 1);
        const struct seen *last = &wire->seen[wire->count - 1];
        assert_seen(wire, wire->count - 1, false, ACK, 0);
        assert_int_equal(last->acknowledged, (uint32_t)(first + parts[i]));
        assert_seen(wire, wire->count - 2, true, PSH | ACK, (parts[i] - 1) % segment + 1);
        if (wire->count > 2)
            assert_seen(wire, 0, true, ACK, segment);
    }
    wire->count = 0;
    tcp_stream_data(&wire->stream, 3, false, bytes, 5);
    assert_seen(wire, 0, false, PSH | ACK, 5);
    assert_seen(wire, 1, true, ACK, 0);
    assert_int_equal(wire->seen[1].acknowledged, wire->seen[0].sequence + 5);
}

static void data_comes_in_segments_and_is_acknowledged(void **state)
{
    check_data(*state, TCP_STREAM_SEGMENT_IPV4);
}

static void ipv6_has_smaller_segments(void **state)
{
    struct wire *wire = *state;
    wire->stream.device.address = address_of("[2001:db8::7]:50012");
    wire->stream.origin.address = address_of("[2001:db8:1::1]:443");
    check_data(wire, TCP_STREAM_SEGMENT_IPV6);
}

static void what_is_missing_is_a_gap(void **state)
{
    struct wire *wire = *state;
    tcp_stream_open(&wire->stream, 1);
    tcp_stream_data(&wire->stream, 2, true, (const unsigned char *)"one", 3);
    tcp_stream_skip(&wire->stream, true, 1000);
    tcp_stream_data(&wire->stream, 3, true, (const unsigned char *)"two", 3);
    assert_int_equal(wire->seen[5].sequence, wire->seen[3].sequence + 1003);
    assert_int_equal(wire->seen[6].acknowledged, wire->seen[3].sequence + 1006);
}

static void each_direction_ends_once(void **state)
{
    struct wire *wire = *state;
    tcp_stream_open(&wire->stream, 1);
    tcp_stream_end(&wire->stream, 2, false);
    tcp_stream_end(&wire->stream, 3, false);
    tcp_stream_end(&wire->stream, 4, true);
    assert_int_equal(wire->count, 7);
    assert_seen(wire, 3, false, FIN | ACK, 0);
    assert_seen(wire, 4, true, ACK, 0);
    assert_int_equal(wire->seen[4].acknowledged, wire->seen[3].sequence + 1);
    assert_seen(wire, 5, true, FIN | ACK, 0);
    assert_seen(wire, 6, false, ACK, 0);
    assert_int_equal(wire->seen[6].sequence, wire->seen[3].sequence + 1);
}

static void a_reset_is_one_packet_of_whoever_resets(void **state)
{
    struct wire *wire = *state;
    tcp_stream_open(&wire->stream, 1);
    tcp_stream_reset(&wire->stream, 2, true);
    tcp_stream_reset(&wire->stream, 3, false);
    assert_int_equal(wire->count, 5);
    assert_seen(wire, 3, true, RST | ACK, 0);
    assert_seen(wire, 4, false, RST | ACK, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_wire, drop_wire)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_begins_with_a_handshake), TEST(data_comes_in_segments_and_is_acknowledged),
        TEST(ipv6_has_smaller_segments),        TEST(what_is_missing_is_a_gap),
        TEST(each_direction_ends_once),         TEST(a_reset_is_one_packet_of_whoever_resets),
    };
    return cmocka_run_group_tests_name("event/tcp_stream", tests, NULL, NULL);
}
