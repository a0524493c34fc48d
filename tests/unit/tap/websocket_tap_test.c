/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/websocket_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include <cmocka.h>

#include "listening.h"

#define REQUEST                                                                           \
    "GET /chat HTTP/1.1\r\nHost: x.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
#define RESPONSE                                                                        \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Extensions: %s\r\n\r\n"
#define UPGRADED "0 http HTTP/1.1 GET x.test /chat 0 -> 101 0\n"
#define UP true
#define DOWN false
#define FIN 0x80
#define COMPRESSED 0x40

/* What goes up after the handshake, and what goes down. */
struct stream {
    uint8_t bytes[2][200000];
    size_t length[2];
};

static struct stream stream;

static void add(bool up, const void *bytes, size_t length)
{
    CHECK(stream.length[up] + length <= sizeof(stream.bytes[up]));
    memcpy(stream.bytes[up] + stream.length[up], bytes, length);
    stream.length[up] += length;
}

/* A device's are masked, as they have to be. */
static void frame(bool up, unsigned first, const void *payload, size_t length)
{
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t header[10] = {(uint8_t)first, (uint8_t)(up ? 0x80 : 0)};
    size_t size = 2;
    if (length < 126) {
        header[1] |= (uint8_t)length;
    } else if (length < 65536) {
        header[1] |= 126;
        header[2] = (uint8_t)(length >> 8);
        header[3] = (uint8_t)length;
        size = 4;
    } else {
        header[1] |= 127;
        for (size_t i = 0; i < 8; i++)
            header[2 + i] = (uint8_t)((uint64_t)length >> (56 - 8 * i));
        size = 10;
    }
    add(up, header, size);
    if (up)
        add(up, mask, sizeof(mask));
    for (size_t i = 0; i < length; i++)
        add(up, &(uint8_t){((const uint8_t *)payload)[i] ^ (up ? mask[i % 4] : 0)}, 1);
}

static char *hear_all(const char *extensions, size_t bodies, size_t piece)
{
    char response[400];
    struct listening listening = {0};
    snprintf(response, sizeof(response), RESPONSE, extensions);
    listen_start(&listening, &(struct tap_options){.bodies = bodies}, "", 443);
    listen_to(&listening, UP, REQUEST, strlen(REQUEST), piece);
    /* The first frame may come with the answer. */
    add(DOWN, "", 0);
    size_t length = strlen(response);
    uint8_t *down = malloc(length + stream.length[DOWN]);
    CHECK(down != NULL);
    memcpy(down, response, length);
    memcpy(down + length, stream.bytes[DOWN], stream.length[DOWN]);
    listen_to(&listening, DOWN, down, length + stream.length[DOWN], piece);
    listen_to(&listening, UP, stream.bytes[UP], stream.length[UP], piece);
    free(down);
    listen_end(&listening);
    return listening.told;
}

static void assert_told(const char *extensions, size_t bodies, const char *expected)
{
    for (size_t piece = 1; piece < 300000; piece = piece < 8 ? piece + 1 : piece * 7) {
        char *told = hear_all(extensions, bodies, piece);
        assert_string_equal(told, expected);
        free(told);
    }
    stream.length[UP] = stream.length[DOWN] = 0;
}

static void messages_are_told_with_their_length_and_no_more(void **state)
{
    static const uint8_t large[70000];
    (void)state;
    frame(DOWN, FIN | WEBSOCKET_TEXT, "hello", 5);
    frame(DOWN, FIN | WEBSOCKET_BINARY, large, 126);
    frame(DOWN, FIN | WEBSOCKET_BINARY, large, sizeof(large));
    frame(UP, FIN | WEBSOCKET_TEXT, "", 0);
    assert_told("x", 0,
                UPGRADED "1 websocket down opcode 1, 5 bytes in 1 frames\n"
                         "2 websocket down opcode 2, 126 bytes in 1 frames\n"
                         "3 websocket down opcode 2, 70000 bytes in 1 frames\n"
                         "4 websocket up opcode 1, 0 bytes in 1 frames, masked\n");
}

static void a_messages_start_is_unmasked_and_kept_if_asked_for(void **state)
{
    (void)state;
    frame(DOWN, FIN | WEBSOCKET_TEXT, "from the server", 15);
    frame(UP, FIN | WEBSOCKET_TEXT, "hello", 5);
    frame(UP, FIN | WEBSOCKET_TEXT, "a longer message", 16);
    assert_told("x", 10,
                UPGRADED
                "1 websocket down opcode 1, 15 bytes in 1 frames: from the s (10, cut)\n"
                "2 websocket up opcode 1, 5 bytes in 1 frames, masked: hello (5)\n"
                "3 websocket up opcode 1, 16 bytes in 1 frames, masked: a longer m (10, cut)\n");
}

static void fragments_are_one_message_and_control_frames_may_come_between(void **state)
{
    (void)state;
    frame(UP, WEBSOCKET_TEXT, "one ", 4);
    frame(UP, FIN | WEBSOCKET_PING, "ping", 4);
    frame(UP, WEBSOCKET_CONTINUATION, "two ", 4);
    frame(UP, FIN | WEBSOCKET_CONTINUATION, "three", 5);
    frame(DOWN, FIN | WEBSOCKET_PONG, "ping", 4);
    frame(DOWN, FIN | WEBSOCKET_CLOSE,
          "\x03\xe8"
          "bye",
          5);
    frame(UP, FIN | WEBSOCKET_CLOSE, "", 0);
    frame(UP, WEBSOCKET_BINARY, "not", 3);
    assert_told("x", 100,
                UPGRADED
                "1 websocket down opcode 10, 4 bytes in 1 frames: ping (4)\n"
                "2 websocket down opcode 8, 5 bytes in 1 frames, code 1000 bye: ..bye (5)\n"
                "3 websocket up opcode 9, 4 bytes in 1 frames, masked: ping (4)\n"
                "4 websocket up opcode 1, 13 bytes in 3 frames, masked: one two three (13)\n"
                "5 websocket up opcode 8, 0 bytes in 1 frames, masked\n"
                "6 websocket up opcode 2, 3 bytes in 1 frames, masked, unfinished: not (3)\n");
}

/* ---- compression ---- */

static z_stream deflater;

static void deflate_start(void)
{
    deflater = (z_stream){0};
    CHECK(deflateInit2(&deflater, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
}

/* RFC 7692, section 7.2.1: without the last four bytes. */
static void compressed(bool up, const char *text, size_t length, bool forgets)
{
    static uint8_t out[200000];
    if (forgets)
        CHECK(deflateReset(&deflater) == Z_OK);
    deflater.next_in = (Bytef *)text;
    deflater.avail_in = (uInt)length;
    deflater.next_out = out;
    deflater.avail_out = sizeof(out);
    CHECK(deflate(&deflater, Z_SYNC_FLUSH) == Z_OK);
    frame(up, FIN | COMPRESSED | WEBSOCKET_TEXT, out, sizeof(out) - deflater.avail_out - 4);
}

static void compressed_messages_may_refer_to_those_before(void **state)
{
    (void)state;
    deflate_start();
    compressed(UP, "hello hello hello", 17, false);
    compressed(UP, "hello hello hello", 17, false);
    frame(UP, FIN | WEBSOCKET_TEXT, "not compressed", 14);
    compressed(UP, "hello again", 11, false);
    char *told = hear_all("permessage-deflate", 100, 1000);
    assert_non_null(strstr(told, ", compressed: hello hello hello (17)\n2 websocket up"));
    free(told);
    assert_told("permessage-deflate; client_max_window_bits=15", 100,
                UPGRADED
                "1 websocket up opcode 1, 11 bytes in 1 frames, masked, compressed: "
                "hello hello hello (17)\n"
                "2 websocket up opcode 1, 5 bytes in 1 frames, masked, compressed: "
                "hello hello hello (17)\n"
                "3 websocket up opcode 1, 14 bytes in 1 frames, masked: not compressed (14)\n"
                "4 websocket up opcode 1, 9 bytes in 1 frames, masked, compressed: "
                "hello again (11)\n");
    deflateEnd(&deflater);
}

static void compressed_messages_may_stand_for_themselves(void **state)
{
    (void)state;
    deflate_start();
    compressed(DOWN, "hello hello hello", 17, true);
    compressed(DOWN, "hello hello hello", 17, true);
    assert_told("foo, permessage-deflate; server_no_context_takeover", 12,
                UPGRADED "1 websocket down opcode 1, 11 bytes in 1 frames, compressed: "
                         "hello hello  (12, cut)\n"
                         "2 websocket down opcode 1, 11 bytes in 1 frames, compressed: "
                         "hello hello  (12, cut)\n");
    deflateEnd(&deflater);
}

static void nothing_is_inflated_that_nobody_wants(void **state)
{
    (void)state;
    deflate_start();
    compressed(UP, "hello", 5, false);
    assert_told("permessage-deflate", 0,
                UPGRADED "1 websocket up opcode 1, 7 bytes in 1 frames, masked, compressed\n");
    deflateEnd(&deflater);
}

/* 20 KB that stand for 20 MB. */
static void a_bomb_is_not_inflated_any_further(void **state)
{
    static char zeros[1 << 20];
    (void)state;
    deflate_start();
    uint8_t *out = malloc(1 << 20);
    size_t length = 0;
    CHECK(out != NULL);
    for (int i = 0; i < 20; i++) {
        deflater.next_in = (Bytef *)zeros;
        deflater.avail_in = sizeof(zeros);
        deflater.next_out = out + length;
        deflater.avail_out = (1 << 20) - (uInt)length;
        CHECK(deflate(&deflater, Z_SYNC_FLUSH) == Z_OK);
        length = (1 << 20) - deflater.avail_out;
    }
    frame(UP, FIN | COMPRESSED | WEBSOCKET_TEXT, out, length - 4);
    compressed(UP, "hello", 5, false);
    free(out);
    char *told = hear_all("permessage-deflate", 4, 5000);
    assert_non_null(strstr(told, "compressed: .... (4, cut)\n"));
    assert_non_null(
        strstr(told, "2 websocket up opcode 1, 7 bytes in 1 frames, masked, compressed\n"));
    free(told);
    stream.length[UP] = 0;
    deflateEnd(&deflater);
}

/* ---- what is none ---- */

static void assert_gives_up(const char *reason)
{
    char *told = hear_all("x", 10, 3);
    const char *found = strstr(told, "gives up on the client: ");
    if (found == NULL || strstr(found, reason) == NULL)
        fail_msg("not \"%s\", but:\n%s", reason, told);
    free(told);
    stream.length[UP] = 0;
}

static void what_is_no_websocket_ends_the_reading_with_a_note(void **state)
{
    static const uint8_t bytes[200];
    (void)state;
    frame(UP, FIN | COMPRESSED | WEBSOCKET_TEXT, "x", 1);
    assert_gives_up("bits of an extension");
    frame(UP, FIN | 0x10 | WEBSOCKET_TEXT, "x", 1);
    assert_gives_up("bits of an extension");
    frame(UP, FIN | WEBSOCKET_PING, bytes, 126);
    assert_gives_up("control frame is too long");
    frame(UP, WEBSOCKET_PING, bytes, 1);
    assert_gives_up("or a fragment");
    frame(UP, FIN | WEBSOCKET_CONTINUATION, "x", 1);
    assert_gives_up("out of order");
    frame(UP, WEBSOCKET_TEXT, "x", 1);
    frame(UP, FIN | WEBSOCKET_TEXT, "x", 1);
    assert_gives_up("out of order");
    add(UP, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10);
    assert_gives_up("out of range");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_told_with_their_length_and_no_more),
        cmocka_unit_test(a_messages_start_is_unmasked_and_kept_if_asked_for),
        cmocka_unit_test(fragments_are_one_message_and_control_frames_may_come_between),
        cmocka_unit_test(compressed_messages_may_refer_to_those_before),
        cmocka_unit_test(compressed_messages_may_stand_for_themselves),
        cmocka_unit_test(nothing_is_inflated_that_nobody_wants),
        cmocka_unit_test(a_bomb_is_not_inflated_any_further),
        cmocka_unit_test(what_is_no_websocket_ends_the_reading_with_a_note),
    };
    return cmocka_run_group_tests_name("tap/websocket_tap", tests, NULL, NULL);
}
