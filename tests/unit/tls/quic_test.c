/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quic_seal.h"
#include "quic_vectors.h"
#include "tls/quic.h"

#include <stdlib.h>

static struct quic_reader *quic;
static struct quic_hello hello;
static struct bytes message, frames, datagram;

static const struct seal one = {.version = QUIC_V1, .id = "12345678"};

static void start_over(void)
{
    hello = (struct quic_hello){0};
    frames.length = datagram.length = 0;
}

/* A ClientHello for the name, as long as one with a post-quantum key share. */
static void make_message(const char *name)
{
    static struct bytes extensions;
    static const uint16_t cipher = 0x1301;
    static const uint8_t key_share[1300];
    extensions.length = message.length = 0;
    put_extension(&extensions, 51, key_share, sizeof(key_share));
    put_name_extension(&extensions, name, strlen(name));
    put_hello(&message, 0x0303, &cipher, 1, &extensions);
}

/* From memory of just that size: a sanitizer sees what is read behind it. */
static enum quic_result read_bytes(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum quic_result result = quic_read(quic, &hello, copy, length);
    free(copy);
    return result;
}

static enum quic_result read_datagram(void)
{
    enum quic_result result = read_bytes(datagram.at, datagram.length);
    datagram.length = 0;
    return result;
}

static void assert_name(const char *name)
{
    struct hello parsed;
    size_t length = crypto_stream_message(&hello.stream);
    assert_true(length > 0);
    assert_int_equal(hello_parse_message(&parsed, hello.stream.bytes, length), HELLO_COMPLETE);
    assert_string_equal(parsed.name, name);
}

/* One packet with this part of the hello, padded to what a client's first datagrams have. */
static void put_part(const struct seal *seal, size_t offset, size_t length)
{
    frames.length = 0;
    put_crypto(&frames, &message, offset, length);
    if (frames.length < QUIC_DATAGRAM_MINIMUM)
        put_zeros(&frames, QUIC_DATAGRAM_MINIMUM - frames.length);
    put_packet(&datagram, seal, &frames);
}

/* ---- what the RFCs print ---- */

static void the_rfcs_own_packets_are_read(void **state)
{
    (void)state;
    start_over();
    assert_int_equal(quic_version(client_initial_v1, sizeof(client_initial_v1)), QUIC_V1);
    assert_int_equal(read_bytes(client_initial_v1, sizeof(client_initial_v1)), QUIC_COMPLETE);
    assert_name("example.com");
    start_over();
    assert_int_equal(quic_version(client_initial_v2, sizeof(client_initial_v2)), QUIC_V2);
    assert_int_equal(read_bytes(client_initial_v2, sizeof(client_initial_v2)), QUIC_COMPLETE);
    assert_name("example.com");
}

/* RFC 9001, appendix A.1, and RFC 9369, appendix A.1. */
static void the_keys_are_the_rfcs(void **state)
{
    (void)state;
    static const uint8_t key[] = {0x1f, 0x36, 0x96, 0x13, 0xdd, 0x76, 0xd5, 0x46,
                                  0x77, 0x30, 0xef, 0xcb, 0xe3, 0xb1, 0xa2, 0x2d};
    static const uint8_t iv[] = {0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3,
                                 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c};
    static const uint8_t header_key[] = {0x9f, 0x50, 0x44, 0x9e, 0x04, 0xa0, 0xe8, 0x10,
                                         0x28, 0x3a, 0x1e, 0x99, 0x33, 0xad, 0xed, 0xd2};
    start_over();
    assert_int_equal(read_bytes(client_initial_v1, sizeof(client_initial_v1)), QUIC_COMPLETE);
    assert_memory_equal(hello.keys.key, key, sizeof(key));
    assert_memory_equal(hello.keys.iv, iv, sizeof(iv));
    assert_memory_equal(hello.keys.header_key, header_key, sizeof(header_key));
}

/* They come the other way, with other keys; padded, since they are short. */
static void a_servers_packets_tell_nothing(void **state)
{
    (void)state;
    start_over();
    put(&datagram, server_initial_v1, sizeof(server_initial_v1));
    put_zeros(&datagram, QUIC_DATAGRAM_MINIMUM);
    assert_int_equal(read_datagram(), QUIC_NONE);
    start_over();
    put(&datagram, server_initial_v2, sizeof(server_initial_v2));
    put_zeros(&datagram, QUIC_DATAGRAM_MINIMUM);
    assert_int_equal(read_datagram(), QUIC_NONE);
}

static void a_packet_that_was_changed_tells_nothing(void **state)
{
    (void)state;
    uint8_t changed[sizeof(client_initial_v1)];
    for (size_t at = 0; at < sizeof(changed); at += 7) {
        start_over();
        memcpy(changed, client_initial_v1, sizeof(changed));
        changed[at] ^= 0x40;
        assert_int_not_equal(read_bytes(changed, sizeof(changed)), QUIC_COMPLETE);
    }
}

static void a_datagram_that_is_cut_tells_nothing(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(client_initial_v1); length++) {
        start_over();
        assert_int_equal(read_bytes(client_initial_v1, length), QUIC_NONE);
        assert_int_equal(quic_version(client_initial_v1, length), 0);
    }
}

/* ---- how clients send ---- */

static void a_hello_may_come_in_two_datagrams_in_any_order(void **state)
{
    (void)state;
    static const uint32_t the_versions[] = {QUIC_V1, QUIC_V2};
    make_message("pq.test");
    for (size_t i = 0; i < ARRAY_SIZE(the_versions); i++) {
        const struct seal first = {.version = the_versions[i], .id = "abcdefgh", .number = 1},
                          second = {.version = the_versions[i], .id = "abcdefgh", .number = 2};
        start_over();
        put_part(&first, 0, 1000);
        assert_int_equal(read_datagram(), QUIC_MORE);
        put_part(&second, 1000, message.length - 1000);
        assert_int_equal(read_datagram(), QUIC_COMPLETE);
        assert_name("pq.test");
        start_over();
        put_part(&second, 1000, message.length - 1000);
        assert_int_equal(read_datagram(), QUIC_MORE);
        put_part(&second, 1000, message.length - 1000); /* once more */
        assert_int_equal(read_datagram(), QUIC_MORE);
        put_part(&first, 0, 1000);
        assert_int_equal(read_datagram(), QUIC_COMPLETE);
        assert_name("pq.test");
    }
}

static void datagrams_that_the_kernel_has_joined_are_read(void **state)
{
    (void)state;
    make_message("gso.test");
    start_over();
    put_part(&one, 0, 1000);
    put_part(&one, 1000, message.length - 1000);
    assert_int_equal(read_datagram(), QUIC_COMPLETE);
    assert_name("gso.test");
}

static void packets_share_a_datagram(void **state)
{
    (void)state;
    const struct seal early = {.version = QUIC_V1, .id = "12345678", .type = 1};
    make_message("coalesced.test");
    start_over();
    frames.length = 0;
    put_crypto(&frames, &message, 700, message.length - 700);
    put_packet(&datagram, &one, &frames);
    put_part(&early, 0, 100); /* 0-RTT: not to be opened */
    frames.length = 0;
    put_crypto(&frames, &message, 0, 700);
    put_packet(&datagram, &one, &frames);
    assert_int_equal(read_datagram(), QUIC_COMPLETE);
    assert_name("coalesced.test");
}

static void early_data_may_overtake_the_hello(void **state)
{
    (void)state;
    const struct seal early = {.version = QUIC_V2, .id = "12345678", .type = 1};
    const struct seal initial = {.version = QUIC_V2, .id = "12345678"};
    make_message("early.test");
    start_over();
    put_part(&early, 0, 100);
    assert_int_equal(read_datagram(), QUIC_MORE);
    put_part(&initial, 0, message.length);
    assert_int_equal(read_datagram(), QUIC_COMPLETE);
    assert_name("early.test");
}

static void a_token_is_looked_over(void **state)
{
    (void)state;
    const struct seal with_token = {.version = QUIC_V1,
                                    .id = "after-it",
                                    .token = "a token that the server gave before, of "
                                             "more than sixty-three bytes"};
    make_message("token.test");
    start_over();
    put_part(&with_token, 0, message.length);
    assert_int_equal(read_datagram(), QUIC_COMPLETE);
    assert_name("token.test");
}

static void packet_numbers_have_one_to_four_bytes(void **state)
{
    (void)state;
    make_message("number.test");
    for (uint8_t length = 1; length <= 4; length++) {
        const struct seal seal = {.version = QUIC_V1,
                                  .id = "12345678",
                                  .number = 0x81828384u & (0xffffffffu >> (32 - 8 * length)),
                                  .number_length = length};
        start_over();
        put_part(&seal, 0, message.length);
        assert_int_equal(read_datagram(), QUIC_COMPLETE);
    }
}

static void another_connection_on_the_way_changes_nothing(void **state)
{
    (void)state;
    const struct seal other = {.version = QUIC_V1, .id = "87654321"};
    start_over();
    make_message("one.test");
    put_part(&one, 0, 1000);
    assert_int_equal(read_datagram(), QUIC_MORE);
    make_message("two.test");
    put_part(&other, 0, message.length);
    assert_int_equal(read_datagram(), QUIC_MORE);
    make_message("one.test");
    put_part(&one, 1000, message.length - 1000);
    assert_int_equal(read_datagram(), QUIC_COMPLETE);
    assert_name("one.test");
}

/* ---- what is no QUIC, or none that can be read ---- */

static void an_unknown_version_is_told_and_not_read(void **state)
{
    (void)state;
    const struct seal seal = {.version = 0x709a50c4, .id = "12345678"};
    make_message("draft.test");
    start_over();
    put_part(&seal, 0, message.length);
    assert_int_equal(quic_version(datagram.at, datagram.length), 0x709a50c4);
    assert_int_equal(read_datagram(), QUIC_NONE);
}

static void what_no_client_begins_with_is_not_read(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[16];
        uint32_t version;
    } cases[] = {
        {"a short header", {0x40, 1, 2, 3, 4, 5, 6, 7, 8}, 0},
        {"version negotiation", {0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0},
        {"a Retry", {0xf0, 0, 0, 0, 1, 0, 0}, 1},
        {"a Handshake packet", {0xe0, 0, 0, 0, 1, 0, 0, 0x44, 0x9e}, 1},
        {"an identifier of 21 bytes", {0xc0, 0, 0, 0, 1, 21}, 0},
        {"an identifier of no bytes", {0xc0, 0, 0, 0, 1, 0, 0, 0, 0x44, 0x9e}, 1},
        {"zeros", {0}, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start_over();
        put(&datagram, cases[i].bytes, sizeof(cases[i].bytes));
        put_zeros(&datagram, QUIC_DATAGRAM_MINIMUM);
        assert_int_equal(quic_version(datagram.at, datagram.length), cases[i].version);
        assert_int_equal(read_datagram(), QUIC_NONE);
    }
}

static void a_client_that_breaks_the_rules_is_given_up(void **state)
{
    (void)state;
    make_message("broken.test");
    start_over();
    put_part(&one, 0, 1000);
    assert_int_equal(read_datagram(), QUIC_MORE);
    message.at[500] ^= 1;
    put_part(&one, 0, 1000);
    assert_int_equal(read_datagram(), QUIC_NONE);
    message.at[500] ^= 1;
    put_part(&one, 1000, message.length - 1000);
    assert_int_equal(read_datagram(), QUIC_NONE);
}

static int open_means(void **state)
{
    (void)state;
    quic = quic_reader_new();
    return quic == NULL;
}

static int close_means(void **state)
{
    (void)state;
    quic_reader_free(quic);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_own_packets_are_read),
        cmocka_unit_test(the_keys_are_the_rfcs),
        cmocka_unit_test(a_servers_packets_tell_nothing),
        cmocka_unit_test(a_packet_that_was_changed_tells_nothing),
        cmocka_unit_test(a_datagram_that_is_cut_tells_nothing),
        cmocka_unit_test(a_hello_may_come_in_two_datagrams_in_any_order),
        cmocka_unit_test(datagrams_that_the_kernel_has_joined_are_read),
        cmocka_unit_test(packets_share_a_datagram),
        cmocka_unit_test(early_data_may_overtake_the_hello),
        cmocka_unit_test(a_token_is_looked_over),
        cmocka_unit_test(packet_numbers_have_one_to_four_bytes),
        cmocka_unit_test(another_connection_on_the_way_changes_nothing),
        cmocka_unit_test(an_unknown_version_is_told_and_not_read),
        cmocka_unit_test(what_no_client_begins_with_is_not_read),
        cmocka_unit_test(a_client_that_breaks_the_rules_is_given_up),
    };
    return cmocka_run_group_tests_name("tls/quic", tests, open_means, close_means);
}
