/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/packet.h"

#include <string.h>

/* The packets here go from port 0xc350 = 50000 to port 0x01bb = 443. */
#define PORTS 0xc3, 0x50, 0x01, 0xbb
#define IPV4(first, fragment_high, fragment_low, protocol)                                      \
    first, 0, 0, 60, 0x12, 0x34, fragment_high, fragment_low, 64, protocol, 0, 0, 192, 0, 2, 7, \
        198, 51, 100, 9
#define IPV6(next)                                                                                 \
    0x60, 0, 0, 0, 0, 40, next, 64, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x07, \
        0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x09

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

struct packet {
    const char *what;
    const uint8_t *bytes;
    size_t length;
};

/* In memory of its own, so that a sanitizer sees a read behind its end. */
static bool parse(struct flow *flow, const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    bool parsed = packet_parse(flow, copy, length);
    free(copy);
    return parsed;
}

static void assert_endpoints(const struct flow *flow, const char *device, const char *origin,
                             uint8_t protocol)
{
    char text[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_text(&flow->device, text), device);
    assert_string_equal(address_text(&flow->origin, text), origin);
    assert_int_equal(flow->protocol, protocol);
}

static void assert_parsed(const struct packet *packets, size_t count, const char *device,
                          const char *origin, uint8_t protocol)
{
    for (size_t i = 0; i < count; i++) {
        struct flow flow = {0};
        if (!parse(&flow, packets[i].bytes, packets[i].length))
            fail_msg("%s", packets[i].what);
        assert_endpoints(&flow, device, origin, protocol);
    }
}

static void assert_refused(const struct packet *packets, size_t count)
{
    struct flow flow = {0};
    for (size_t i = 0; i < count; i++)
        if (parse(&flow, packets[i].bytes, packets[i].length))
            fail_msg("%s", packets[i].what);
}

static void ipv4_tells_addresses_ports_and_protocol(void **state)
{
    (void)state;
    const struct packet tcp[] = {
        {"a SYN's start", BYTES(IPV4(0x45, 0x40, 0, 6), PORTS)},
        {"more of it", BYTES(IPV4(0x45, 0x40, 0, 6), PORTS, 1, 2, 3, 4, 0, 0, 0, 0, 0xa0, 2)},
        {"options", BYTES(IPV4(0x47, 0, 0, 6), 7, 7, 4, 0, 0, 0, 0, 1, PORTS)},
        {"the first fragment", BYTES(IPV4(0x45, 0x20, 0, 6), PORTS)},
    };
    const struct packet udp[] = {{"UDP", BYTES(IPV4(0x45, 0, 0, 17), PORTS)}};
    assert_parsed(tcp, ARRAY_SIZE(tcp), "192.0.2.7:50000", "198.51.100.9:443", IPPROTO_TCP);
    assert_parsed(udp, ARRAY_SIZE(udp), "192.0.2.7:50000", "198.51.100.9:443", IPPROTO_UDP);
}

static void the_longest_ipv4_header_is_skipped(void **state)
{
    (void)state;
    uint8_t bytes[64] = {IPV4(0x4f, 0, 0, 6)};
    const uint8_t ports[] = {PORTS};
    struct flow flow = {0};
    memset(bytes + 20, 1, 40);
    memcpy(bytes + 60, ports, sizeof(ports));
    assert_true(parse(&flow, bytes, 64));
    assert_endpoints(&flow, "192.0.2.7:50000", "198.51.100.9:443", IPPROTO_TCP);
    assert_false(parse(&flow, bytes, 63));
}

static void ipv6_tells_addresses_ports_and_protocol(void **state)
{
    (void)state;
    const struct packet tcp[] = {
        {"a SYN's start", BYTES(IPV6(6), PORTS)},
        {"hop-by-hop options", BYTES(IPV6(0), 6, 0, 5, 2, 0, 0, 1, 0, PORTS)},
        {"long destination options",
         BYTES(IPV6(60), 6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, PORTS)},
        {"a routing header", BYTES(IPV6(43), 6, 0, 0, 0, 0, 0, 0, 0, PORTS)},
        {"the first fragment", BYTES(IPV6(44), 6, 0, 0, 1, 1, 2, 3, 4, PORTS)},
        {"authentication, counted in words",
         BYTES(IPV6(51), 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, PORTS)},
        {"one after the other", BYTES(IPV6(0), 60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44,
                                      0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1, 2, 3, 4, PORTS)},
    };
    const struct packet udp[] = {{"UDP", BYTES(IPV6(17), PORTS)}};
    assert_parsed(tcp, ARRAY_SIZE(tcp), "[2001:db8::7]:50000", "[2001:db8:1::9]:443", IPPROTO_TCP);
    assert_parsed(udp, ARRAY_SIZE(udp), "[2001:db8::7]:50000", "[2001:db8:1::9]:443", IPPROTO_UDP);
}

static void a_packet_cut_before_the_end_of_its_ports_is_refused(void **state)
{
    (void)state;
    const struct packet packets[] = {
        {"IPv4", BYTES(IPV4(0x45, 0, 0, 6), PORTS)},
        {"IPv4 with options", BYTES(IPV4(0x46, 0, 0, 17), 1, 1, 1, 1, PORTS)},
        {"IPv6", BYTES(IPV6(17), PORTS)},
        {"IPv6 with headers", BYTES(IPV6(0), 51, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 6, 0,
                                    0, 0, 1, 2, 3, 4, PORTS)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct flow flow = {0};
        assert_true(parse(&flow, packets[i].bytes, packets[i].length));
        for (size_t length = 0; length < packets[i].length; length++)
            if (parse(&flow, packets[i].bytes, length))
                fail_msg("%s, cut at %zu", packets[i].what, length);
    }
}

static void a_later_fragment_is_refused(void **state)
{
    (void)state;
    const struct packet packets[] = {
        {"IPv4, offset 8", BYTES(IPV4(0x45, 0, 1, 6), PORTS)},
        {"IPv4, more to come", BYTES(IPV4(0x45, 0x20, 1, 6), PORTS)},
        {"IPv4, far behind", BYTES(IPV4(0x45, 0x10, 0, 6), PORTS)},
        {"IPv6, offset 8", BYTES(IPV6(44), 6, 0, 0, 8, 1, 2, 3, 4, PORTS)},
        {"IPv6, far behind", BYTES(IPV6(44), 6, 0, 0x80, 1, 1, 2, 3, 4, PORTS)},
    };
    assert_refused(packets, ARRAY_SIZE(packets));
}

static void other_protocols_are_refused(void **state)
{
    (void)state;
    const struct packet packets[] = {
        {"ICMP", BYTES(IPV4(0x45, 0, 0, 1), PORTS)},
        {"SCTP", BYTES(IPV4(0x45, 0, 0, 132), PORTS)},
        {"IPv6 in IPv4", BYTES(IPV4(0x45, 0, 0, 41), PORTS)},
        {"ICMPv6", BYTES(IPV6(58), PORTS)},
        {"no next header", BYTES(IPV6(59), PORTS)},
        {"ESP", BYTES(IPV6(50), PORTS)},
        {"ICMPv6 behind options", BYTES(IPV6(0), 58, 0, 1, 4, 0, 0, 0, 0, PORTS)},
        {"hop-by-hop options are IPv6's alone",
         BYTES(IPV4(0x45, 0, 0, 0), 6, 0, 1, 4, 0, 0, 0, 0, PORTS)},
    };
    assert_refused(packets, ARRAY_SIZE(packets));
}

static void what_is_no_ip_packet_is_refused(void **state)
{
    (void)state;
    const struct packet packets[] = {
        {"version 0", BYTES(IPV4(0x05, 0, 0, 6), PORTS)},
        {"version 5", BYTES(IPV4(0x55, 0, 0, 6), PORTS)},
        {"version 15", BYTES(IPV4(0xf5, 0, 0, 6), PORTS)},
        {"a header of 16 bytes", BYTES(IPV4(0x44, 0, 0, 6), PORTS)},
        {"a header of none", BYTES(IPV4(0x40, 0, 0, 6), PORTS)},
        {"a header longer than all of it", BYTES(IPV4(0x4f, 0, 0, 6), PORTS)},
        {"options longer than all of it", BYTES(IPV6(60), 6, 255, 1, 4, 0, 0, 0, 0, PORTS)},
        {"authentication longer than all of it",
         BYTES(IPV6(51), 6, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, PORTS)},
    };
    struct flow flow = {0};
    assert_refused(packets, ARRAY_SIZE(packets));
    assert_false(packet_parse(&flow, NULL, 0));
}

/* What the gate knows of a packet beside its bytes. */
static void the_rest_of_the_flow_is_left_as_it_was(void **state)
{
    (void)state;
    const uint8_t bytes[] = {IPV4(0x45, 0, 0, 6), PORTS};
    struct flow flow = {
        .has_mac = true, .mac = {1, 2, 3, 4, 5, 6}, .interface = "br0", .to_this_box = true};
    assert_true(parse(&flow, bytes, sizeof(bytes)));
    assert_true(flow.has_mac && flow.to_this_box && !flow.opened && flow.sni == NULL);
    assert_int_equal(flow.mac[5], 6);
    assert_string_equal(flow.interface, "br0");
}

static void assert_payload(const uint8_t *bytes, size_t length, const char *expected)
{
    uint8_t *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    struct reader payload = packet_payload(copy, length);
    assert_false(payload.failed);
    assert_int_equal(payload.left, strlen(expected));
    assert_memory_equal(payload.at, expected, payload.left);
    free(copy);
}

#define UDP(length, ...) PORTS, 0, length, 0, 0, __VA_ARGS__

static void the_payload_of_udp_ends_with_the_datagram_or_the_copy(void **state)
{
    (void)state;
    assert_payload(BYTES(IPV4(0x45, 0, 0, 17), UDP(11, 'a', 'b', 'c')), "abc");
    assert_payload(BYTES(IPV4(0x46, 0, 0, 17), 1, 1, 1, 1, UDP(11, 'a', 'b', 'c')), "abc");
    assert_payload(BYTES(IPV6(17), UDP(11, 'a', 'b', 'c')), "abc");
    assert_payload(BYTES(IPV6(0), 17, 0, 1, 4, 0, 0, 0, 0, UDP(11, 'a', 'b', 'c')), "abc");
    assert_payload(BYTES(IPV4(0x45, 0, 0, 17), UDP(10, 'a', 'b', 'c')), "ab");  /* and padding */
    assert_payload(BYTES(IPV4(0x45, 0, 0, 17), UDP(99, 'a', 'b', 'c')), "abc"); /* cut */
    assert_payload(BYTES(IPV4(0x45, 0, 0, 17), UDP(8, 'a')), "");
    assert_payload(BYTES(IPV4(0x45, 0, 0, 17), UDP(7, 'a')), "");
    assert_payload(BYTES(IPV4(0x45, 0, 0, 17), PORTS, 0, 9), "");
    assert_payload(BYTES(IPV4(0x45, 0, 0, 17), PORTS), "");
}

static void what_is_no_udp_has_no_payload(void **state)
{
    (void)state;
    assert_payload(BYTES(IPV4(0x45, 0, 0, 6), UDP(11, 'a', 'b', 'c')), "");
    assert_payload(BYTES(IPV4(0x45, 0, 0, 1), UDP(11, 'a', 'b', 'c')), "");
    assert_payload(BYTES(IPV4(0x55, 0, 0, 17), UDP(11, 'a', 'b', 'c')), "");
    assert_payload(BYTES(IPV4(0x45, 0, 9, 17), UDP(11, 'a', 'b', 'c')), "");
}

/* From port 50000 to 443, with the sequence number 1000. */
#define TCP(words, flags, ...) \
    PORTS, 0, 0, 0x03, 0xe8, 0, 0, 0, 9, (words) << 4, flags, 0, 0, 0, 0, 0, 0, __VA_ARGS__
enum { FIN = 1, SYN = 2, RST = 4, PUSH = 8, ACK = 16 };

/* What of the packet is payload is then read from `bytes`. */
static bool read_segment(struct packet_segment *segment, const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    const bool good = packet_segment(segment, copy, length);
    assert_true(!good || segment->payload.at + segment->payload.left == copy + length);
    segment->payload.at = bytes + length - (good ? segment->payload.left : 0);
    free(copy);
    return good;
}

static void assert_segment(const uint8_t *bytes, size_t length, uint32_t sequence, bool starts,
                           bool ends, const char *payload)
{
    struct packet_segment segment;
    assert_true(read_segment(&segment, bytes, length));
    assert_int_equal(segment.sequence, sequence);
    assert_int_equal(segment.starts, starts);
    assert_int_equal(segment.ends, ends);
    assert_int_equal(segment.payload.left, strlen(payload));
    assert_memory_equal(segment.payload.at, payload, strlen(payload));
}

static void a_segment_tells_where_its_payload_belongs(void **state)
{
    (void)state;
    assert_segment(BYTES(IPV4(0x45, 0, 0, 6), TCP(5, ACK | PUSH, 'a', 'b')), 1000, false, false,
                   "ab");
    assert_segment(BYTES(IPV6(6), TCP(5, ACK, 'a')), 1000, false, false, "a");
    assert_segment(BYTES(IPV4(0x46, 0, 0, 6), 1, 1, 1, 1, TCP(6, ACK, 1, 1, 1, 1, 'a')), 1000,
                   false, false, "a");
    /* A SYN is counted as a byte; what comes with it is behind that. */
    assert_segment(BYTES(IPV4(0x45, 0, 0, 6), TCP(5, SYN, 'a')), 1001, true, false, "a");
    assert_segment(BYTES(IPV4(0x45, 0, 0, 6), TCP(5, ACK | FIN, 'a')), 1000, false, true, "a");
    assert_segment(BYTES(IPV4(0x45, 0, 0, 6), TCP(5, RST, 'a')), 1000, false, true, "a");
}

static void what_is_no_whole_segment_is_refused(void **state)
{
    (void)state;
    struct packet_segment segment;
    const uint8_t whole[] = {IPV4(0x45, 0, 0, 6), TCP(6, ACK, 1, 1, 1, 1, 'a')};
    for (size_t length = 1; length < sizeof(whole) - 1; length++)
        assert_false(read_segment(&segment, whole, length));
    assert_true(read_segment(&segment, whole, sizeof(whole) - 1));
    assert_false(read_segment(&segment, BYTES(IPV4(0x45, 0, 0, 17), TCP(5, ACK, 'a'))));
    assert_false(read_segment(&segment, BYTES(IPV4(0x45, 0, 9, 6), TCP(5, ACK, 'a'))));
    assert_false(read_segment(&segment, BYTES(IPV4(0x45, 0, 0, 6), TCP(4, ACK, 'a'))));
    assert_false(read_segment(&segment, BYTES(IPV4(0x45, 0, 0, 6), TCP(15, ACK, 'a'))));
}

static void assert_id(const uint8_t *bytes, size_t length, const char *expected)
{
    struct reader id = packet_quic_id(reader_of(bytes, length));
    assert_false(id.failed);
    assert_int_equal(id.left, strlen(expected));
    assert_memory_equal(id.at, expected, id.left);
}

static void a_long_header_of_quic_has_an_identifier(void **state)
{
    (void)state;
    assert_id(BYTES(0xc0, 0, 0, 0, 1, 3, 'a', 'b', 'c', 0), "abc");
    assert_id(BYTES(0x80, 9, 9, 9, 9, 3, 'a', 'b', 'c'), "abc");
    assert_id(BYTES(0xc0, 0, 0, 0, 1, 21, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k',
                    'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u'),
              "abcdefghijklmnopqrst");
    assert_id(BYTES(0xc0, 0, 0, 0, 1, 4, 'a', 'b', 'c'), "");
    assert_id(BYTES(0xc0, 0, 0, 0, 1), "");
    assert_id(BYTES(0xc0, 0, 0, 0, 1, 0, 0), "");
    assert_id(BYTES(0x40, 0, 0, 0, 1, 3, 'a', 'b', 'c', 0), "");
    assert_id(NULL, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_tells_addresses_ports_and_protocol),
        cmocka_unit_test(the_longest_ipv4_header_is_skipped),
        cmocka_unit_test(ipv6_tells_addresses_ports_and_protocol),
        cmocka_unit_test(a_packet_cut_before_the_end_of_its_ports_is_refused),
        cmocka_unit_test(a_later_fragment_is_refused),
        cmocka_unit_test(other_protocols_are_refused),
        cmocka_unit_test(what_is_no_ip_packet_is_refused),
        cmocka_unit_test(the_rest_of_the_flow_is_left_as_it_was),
        cmocka_unit_test(the_payload_of_udp_ends_with_the_datagram_or_the_copy),
        cmocka_unit_test(what_is_no_udp_has_no_payload),
        cmocka_unit_test(a_segment_tells_where_its_payload_belongs),
        cmocka_unit_test(what_is_no_whole_segment_is_refused),
        cmocka_unit_test(a_long_header_of_quic_has_an_identifier),
    };
    return cmocka_run_group_tests_name("gate/packet", tests, NULL, NULL);
}
