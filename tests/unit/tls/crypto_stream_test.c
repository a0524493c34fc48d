/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quic_seal.h"
#include "tls/crypto_stream.h"

#include <stdlib.h>

static struct bytes message, frames;
static struct crypto_stream stream;

/* A ClientHello of about this length, and nothing of it read yet. */
static void start_with(size_t length)
{
    static struct bytes extensions;
    static const uint16_t cipher = 0x1301;
    static uint8_t key_share[8192];
    extensions.length = message.length = frames.length = 0;
    for (size_t i = 0; i < sizeof(key_share); i++)
        key_share[i] = (uint8_t)(i * 31 + 7);
    put_name_extension(&extensions, "a.test", 6);
    if (length > 100)
        put_extension(&extensions, 51, key_share, length - 100);
    put_hello(&message, 0x0303, &cipher, 1, &extensions);
    stream = (struct crypto_stream){0};
}

/* From memory of just that size: a sanitizer sees what is read behind it. */
static bool read_frames(void)
{
    uint8_t *copy = malloc(frames.length > 0 ? frames.length : 1);
    assert_non_null(copy);
    memcpy(copy, frames.at, frames.length);
    bool good = crypto_stream_read(&stream, copy, frames.length);
    free(copy);
    frames.length = 0;
    return good;
}

static void assert_whole(void)
{
    assert_int_equal(crypto_stream_message(&stream), message.length);
    assert_memory_equal(stream.bytes, message.at, message.length);
}

static void a_hello_in_one_frame_is_whole(void **state)
{
    (void)state;
    start_with(0);
    put_crypto(&frames, &message, 0, message.length);
    put_zeros(&frames, 900);
    assert_true(read_frames());
    assert_whole();
}

static void put_ack(struct bytes *bytes, bool ecn)
{
    put_number(bytes, ecn ? 3 : 2, 1);
    put_varint(bytes, 70); /* the largest */
    put_varint(bytes, 20000);
    put_varint(bytes, 2); /* ranges, beside the first */
    put_varint(bytes, 1);
    for (int i = 0; i < 4; i++)
        put_varint(bytes, 3);
    for (int i = 0; ecn && i < 3; i++)
        put_varint(bytes, 100);
}

/* What has no bytes of the hello in it. */
static void put_something_else(struct bytes *bytes, int kind)
{
    switch (kind) {
    case 0:
        put_zeros(bytes, 7);
        break;
    case 1:
        put_number(bytes, 1, 1);
        break;
    case 2:
        put_ack(bytes, false);
        break;
    case 3:
        put_ack(bytes, true);
        break;
    case 4: /* a connection that is given up */
        put_number(bytes, 0x1c, 1);
        put_varint(bytes, 300);
        put_varint(bytes, 0);
        put_varint(bytes, 3);
        put(bytes, "bye", 3);
        break;
    }
}

/* Chrome does that, to keep middleboxes from relying on an order. */
static void pieces_come_in_any_order_and_overlap(void **state)
{
    (void)state;
    srandom(1);
    for (int round = 0; round < 200; round++) {
        enum { PIECES = 12 };
        size_t order[PIECES];
        start_with(1800);
        const size_t step = message.length / PIECES + 1;
        for (size_t i = 0; i < PIECES; i++) {
            size_t j = (size_t)random() % (i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (size_t i = 0; i < PIECES; i++) {
            assert_int_equal(crypto_stream_message(&stream), 0);
            size_t offset = order[i] * step, length = step + (size_t)random() % 40;
            if (length > message.length - offset)
                length = message.length - offset;
            put_something_else(&frames, (int)(random() % 6));
            put_crypto(&frames, &message, offset, length);
            if (i % 3 == 2)
                assert_true(read_frames());
            else if (i == 0)
                assert_true(crypto_stream_read(&stream, frames.at, frames.length));
        }
        assert_true(read_frames());
        assert_whole();
    }
}

static void a_gap_is_waited_for(void **state)
{
    (void)state;
    start_with(1800);
    put_crypto(&frames, &message, 0, 600);
    put_crypto(&frames, &message, 601, message.length - 601);
    assert_true(read_frames());
    assert_int_equal(crypto_stream_message(&stream), 0);
    assert_int_equal(stream.whole, 600);
    put_crypto(&frames, &message, 600, 1);
    assert_true(read_frames());
    assert_whole();
}

static void what_follows_the_hello_does_not_matter(void **state)
{
    (void)state;
    start_with(0);
    size_t length = message.length;
    put(&message, "more", 4);
    put_crypto(&frames, &message, 0, message.length);
    assert_true(read_frames());
    message.length = length;
    assert_whole();
}

static void who_contradicts_itself_is_no_client(void **state)
{
    (void)state;
    start_with(600);
    put_crypto(&frames, &message, 0, 300);
    put_crypto(&frames, &message, 100, 200); /* repeating is no contradiction */
    assert_true(read_frames());
    message.at[299] ^= 1;
    put_crypto(&frames, &message, 299, message.length - 299);
    assert_false(read_frames());
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    start_with(CRYPTO_STREAM_LIMIT);
    while (message.length < CRYPTO_STREAM_LIMIT + 1)
        put_zeros(&message, 1);
    put_crypto(&frames, &message, 1, CRYPTO_STREAM_LIMIT - 1);
    assert_true(read_frames());
    put_crypto(&frames, &message, 1, CRYPTO_STREAM_LIMIT);
    assert_false(read_frames());

    start_with(CRYPTO_STREAM_LIMIT + 200); /* it says so in its first bytes */
    put_crypto(&frames, &message, 0, 4);
    assert_false(read_frames());

    static const uint8_t far_away[] = {6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'x'};
    start_with(0);
    put(&frames, far_away, sizeof(far_away));
    assert_false(read_frames());
}

static void another_message_is_refused(void **state)
{
    (void)state;
    start_with(0);
    message.at[0] = 2; /* ServerHello */
    put_crypto(&frames, &message, 0, 1);
    assert_false(read_frames());
}

static void frames_that_have_no_place_there_are_refused(void **state)
{
    (void)state;
    /* RESET_STREAM, NEW_TOKEN, STREAM, MAX_DATA, CONNECTION_CLOSE of an application,
     * HANDSHAKE_DONE, and one that nobody knows */
    static const uint8_t types[] = {0x04, 0x07, 0x08, 0x10, 0x1d, 0x1e, 0x3f};
    for (size_t i = 0; i < sizeof(types); i++) {
        start_with(0);
        put(&frames, &types[i], 1);
        put_zeros(&frames, 20);
        assert_false(read_frames());
    }
}

static void a_frame_that_is_cut_is_refused(void **state)
{
    (void)state;
    static struct bytes whole;
    for (int kind = 2; kind < 6; kind++) {
        start_with(0);
        whole.length = 0;
        if (kind < 5)
            put_something_else(&whole, kind);
        else
            put_crypto(&whole, &message, 0, message.length);
        for (size_t cut = 1; cut < whole.length; cut++) {
            stream = (struct crypto_stream){0};
            put(&frames, whole.at, cut);
            assert_false(read_frames());
        }
        stream = (struct crypto_stream){0};
        put(&frames, whole.at, whole.length);
        assert_true(read_frames());
    }
    static const uint8_t many_ranges[] = {2,    0,    0,    0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0};
    put(&frames, many_ranges, sizeof(many_ranges));
    assert_false(read_frames());
}

/* RFC 9000, appendix A.1. */
static void numbers_are_of_one_to_eight_bytes(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        uint64_t number;
        size_t length;
    } cases[] = {
        {{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 151288809941952652, 8},
        {{0x9d, 0x7f, 0x3e, 0x7d}, 494878333, 4},
        {{0x7b, 0xbd}, 15293, 2},
        {{0x25}, 37, 1},
        {{0x40, 0x25}, 37, 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct reader reader = reader_of(cases[i].bytes, cases[i].length);
        assert_int_equal(read_varint(&reader), cases[i].number);
        assert_int_equal(reader.left, 0);
        assert_false(reader.failed);
        reader = reader_of(cases[i].bytes, cases[i].length - 1);
        (void)read_varint(&reader);
        assert_true(reader.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_in_one_frame_is_whole),
        cmocka_unit_test(pieces_come_in_any_order_and_overlap),
        cmocka_unit_test(a_gap_is_waited_for),
        cmocka_unit_test(what_follows_the_hello_does_not_matter),
        cmocka_unit_test(who_contradicts_itself_is_no_client),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(another_message_is_refused),
        cmocka_unit_test(frames_that_have_no_place_there_are_refused),
        cmocka_unit_test(a_frame_that_is_cut_is_refused),
        cmocka_unit_test(numbers_are_of_one_to_eight_bytes),
    };
    return cmocka_run_group_tests_name("tls/crypto_stream", tests, NULL, NULL);
}
