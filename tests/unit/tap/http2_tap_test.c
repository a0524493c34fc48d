/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/http2_tap.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listening.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define END_STREAM NGHTTP2_FLAG_END_STREAM
#define END_HEADERS NGHTTP2_FLAG_END_HEADERS
#define UP true
#define DOWN false

/* What was said so far, in both directions, in turns. */
struct stream {
    struct turn {
        bool up;
        uint8_t *bytes;
        size_t length;
    } turns[600];
    size_t count;
    nghttp2_hd_deflater *deflaters[2];
};

static void say(struct stream *stream, bool up, const void *bytes, size_t length)
{
    CHECK(stream->count < ARRAY_SIZE(stream->turns));
    struct turn *turn = &stream->turns[stream->count++];
    *turn = (struct turn){.up = up, .bytes = malloc(length + 1), .length = length};
    CHECK(turn->bytes != NULL);
    if (length > 0)
        memcpy(turn->bytes, bytes, length);
}

static void frame(struct stream *stream, bool up, uint8_t type, uint8_t flags, uint32_t id,
                  const void *payload, size_t length)
{
    uint8_t bytes[9 + 70000];
    CHECK(length <= 70000);
    const uint8_t header[9] = {
        (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length,    type,       flags,
        (uint8_t)(id >> 24),     (uint8_t)(id >> 16),    (uint8_t)(id >> 8), (uint8_t)id};
    memcpy(bytes, header, sizeof(header));
    if (length > 0)
        memcpy(bytes + sizeof(header), payload, length);
    say(stream, up, bytes, sizeof(header) + length);
}

static void begin(struct stream *stream)
{
    *stream = (struct stream){0};
    for (int i = 0; i < 2; i++)
        CHECK(nghttp2_hd_deflate_new(&stream->deflaters[i], 4096) == 0);
    say(stream, UP, PREFACE, strlen(PREFACE));
    frame(stream, UP, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(stream, DOWN, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    frame(stream, UP, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    frame(stream, DOWN, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

/* "name=value" texts, NULL behind them, as a block. */
static size_t deflate_headers(struct stream *stream, bool up, const char *const *headers,
                              uint8_t *out, size_t size)
{
    nghttp2_nv list[16];
    size_t count = 0;
    for (; headers[count] != NULL; count++) {
        const char *sign = strchr(headers[count] + 1, '=');
        list[count] = (nghttp2_nv){.name = (uint8_t *)headers[count],
                                   .namelen = (size_t)(sign - headers[count]),
                                   .value = (uint8_t *)(sign + 1),
                                   .valuelen = strlen(sign + 1)};
    }
    ssize_t length = nghttp2_hd_deflate_hd(stream->deflaters[up ? 1 : 0], out, size, list, count);
    CHECK(length >= 0);
    return (size_t)length;
}

static void headers(struct stream *stream, bool up, uint8_t flags, uint32_t id,
                    const char *const *list)
{
    uint8_t block[4096];
    size_t length = deflate_headers(stream, up, list, block, sizeof(block));
    frame(stream, up, NGHTTP2_HEADERS, flags | END_HEADERS, id, block, length);
}

static const char *const get[] = {":method=GET", ":scheme=https", ":authority=x.test:8443",
                                  ":path=/a", NULL};
static const char *const ok[] = {":status=200", "content-type=text/plain", NULL};
#define GET "HTTP/2 GET x.test:8443 /a 0 -> "

static char *hear_all(const struct stream *stream, const struct tap_options *options, size_t piece)
{
    struct listening listening = {.headers = options->bodies == 1};
    listen_start(&listening, options, "h2", 443);
    for (size_t i = 0; i < stream->count; i++)
        listen_to(&listening, stream->turns[i].up, stream->turns[i].bytes, stream->turns[i].length,
                  piece);
    listen_end(&listening);
    return listening.told;
}

static void end(struct stream *stream)
{
    for (int i = 0; i < 2; i++)
        nghttp2_hd_deflate_del(stream->deflaters[i]);
    for (size_t i = 0; i < stream->count; i++)
        free(stream->turns[i].bytes);
}

static void assert_told_with(struct stream *stream, const char *expected,
                             const struct tap_options *options)
{
    for (size_t piece = 1; piece < 100000; piece = piece < 12 ? piece + 1 : piece * 7) {
        char *told = hear_all(stream, options, piece);
        assert_string_equal(told, expected);
        free(told);
    }
    end(stream);
}

static void assert_told(struct stream *stream, const char *expected)
{
    assert_told_with(stream, expected, &(struct tap_options){0});
}

/* ---- messages ---- */

static void streams_are_told_as_they_end(void **state)
{
    struct stream stream;
    (void)state;
    begin(&stream);
    headers(&stream, UP, END_STREAM, 1, get);
    headers(&stream, UP, 0, 3, get);
    frame(&stream, UP, NGHTTP2_DATA, 0, 3, "abc", 3);
    headers(&stream, DOWN, 0, 3, ok);
    headers(&stream, DOWN, 0, 1, ok);
    frame(&stream, DOWN, NGHTTP2_DATA, END_STREAM, 3, "hello", 5);
    frame(&stream, UP, NGHTTP2_DATA, END_STREAM, 3, "de", 2);
    frame(&stream, DOWN, NGHTTP2_DATA, 0, 1, "he", 2);
    frame(&stream, DOWN, NGHTTP2_DATA, END_STREAM, 1, NULL, 0);
    headers(&stream, UP, END_STREAM, 5, get);
    assert_told(&stream, "1 http2 @3 HTTP/2 GET x.test:8443 /a 5 -> 200 5\n"
                         "0 http2 @1 " GET "200 2\n"
                         "2 http2 @5 " GET "0 0 unfinished response\n");
}

static void headers_are_as_they_were_sent_and_trailers_behind_them(void **state)
{
    static const char *const request[] = {":method=POST", ":path=/a?token=s", "cookie=a=b", "x-a=b",
                                          NULL};
    static const char *const interim[] = {":status=103", "link=x", NULL};
    static const char *const trailers[] = {"x-checksum=1", NULL};
    struct stream stream;
    (void)state;
    begin(&stream);
    headers(&stream, UP, 0, 1, request);
    headers(&stream, DOWN, 0, 1, interim);
    headers(&stream, DOWN, 0, 1, ok);
    frame(&stream, DOWN, NGHTTP2_DATA, 0, 1, "y", 1);
    headers(&stream, DOWN, END_STREAM, 1, trailers);
    headers(&stream, UP, END_STREAM, 1, trailers);
    assert_told_with(&stream,
                     "0 http2 @1 HTTP/2 POST - /a?token=(redacted) 0 -> 200 1\n"
                     "  > :method: POST\n  > :path: /a?token=(redacted)\n"
                     "  > cookie: (redacted)\n  > x-a: b\n  > x-checksum: 1\n"
                     "  < :status: 200\n  < content-type: text/plain\n  < x-checksum: 1\n"
                     "  < body y (1)\n",
                     &(struct tap_options){.bodies = 1});
}

static void a_header_of_nothing_is_told_as_that(void **state)
{
    static const uint8_t block[] = {0, 0, 0}; /* RFC 7541, 6.2.2: no name, no value */
    static const char *const response[] = {":status=200", NULL};
    struct stream stream;
    (void)state;
    begin(&stream);
    frame(&stream, UP, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, block, sizeof(block));
    headers(&stream, DOWN, END_STREAM, 1, response);
    assert_told_with(&stream, "0 http2 @1 HTTP/2 - - - 0 -> 200 0\n  > : \n  < :status: 200\n",
                     &(struct tap_options){.bodies = 1});
}

static void padding_priority_and_continuation_are_no_content(void **state)
{
    struct stream stream;
    uint8_t block[4096], payload[5000] = {0};
    (void)state;
    begin(&stream);
    size_t length = deflate_headers(&stream, UP, get, block, sizeof(block));
    payload[0] = 7; /* padding */
    memcpy(payload + 6, block, 3);
    frame(&stream, UP, NGHTTP2_HEADERS, NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY | END_STREAM, 1,
          payload, 6 + 3 + 7);
    frame(&stream, UP, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
    frame(&stream, UP, NGHTTP2_CONTINUATION, 0, 1, block + 3, 1);
    frame(&stream, UP, NGHTTP2_CONTINUATION, END_HEADERS, 1, block + 4, length - 4);
    frame(&stream, UP, NGHTTP2_PRIORITY, 0, 1, payload, 5);
    frame(&stream, UP, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\1\0", 4);
    frame(&stream, UP, 0xfa, 0xff, 0x12345, "an unknown frame", 16);
    headers(&stream, DOWN, 0, 1, ok);
    payload[0] = 200;
    frame(&stream, DOWN, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, payload, 1 + 4 + 200);
    payload[0] = 0;
    frame(&stream, DOWN, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED | END_STREAM, 1, payload, 1 + 2);
    assert_told(&stream, "0 http2 @1 " GET "200 6\n");
}

static void resets_and_what_comes_behind_them(void **state)
{
    struct stream stream;
    (void)state;
    begin(&stream);
    headers(&stream, UP, END_STREAM, 1, get);
    headers(&stream, UP, 0, 3, get);
    frame(&stream, UP, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\10", 4);
    headers(&stream, DOWN, 0, 1, ok); /* it has not heard of that yet: the headers still count */
    frame(&stream, DOWN, NGHTTP2_DATA, END_STREAM, 1, "x", 1);
    headers(&stream, DOWN, END_STREAM, 3, ok);
    frame(&stream, DOWN, NGHTTP2_RST_STREAM, 0, 3, "\0\0\0\0", 4);
    frame(&stream, UP, NGHTTP2_DATA, END_STREAM, 3, "x", 1);
    frame(&stream, DOWN, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\3\0\0\0\0", 8);
    assert_told(&stream, "0 http2 @1 " GET "0 0 unfinished response reset 8 by the client\n"
                         "1 http2 @3 " GET "200 0 unfinished request reset 0 by the server\n");
}

static void what_a_server_promises_is_told(void **state)
{
    static const char *const pushed[] = {":method=GET", ":authority=x.test", ":path=/style", NULL};
    uint8_t payload[4096] = {0, 0, 0, 2};
    struct stream stream;
    (void)state;
    begin(&stream);
    headers(&stream, UP, END_STREAM, 1, get);
    size_t length = deflate_headers(&stream, DOWN, pushed, payload + 4, sizeof(payload) - 4);
    frame(&stream, DOWN, NGHTTP2_PUSH_PROMISE, 0, 1, payload, 4 + 1);
    frame(&stream, DOWN, NGHTTP2_CONTINUATION, END_HEADERS, 1, payload + 5, length - 1);
    headers(&stream, DOWN, END_STREAM, 1, ok);
    headers(&stream, DOWN, 0, 2, ok);
    frame(&stream, DOWN, NGHTTP2_DATA, END_STREAM, 2, "css", 3);
    assert_told(&stream, "0 http2 @1 " GET "200 0\n"
                         "1 http2 @2 HTTP/2 GET x.test /style 0 -> 200 3 pushed\n");
}

static void grpc_has_its_messages_counted_and_its_status(void **state)
{
    static const char *const request[] = {":method=POST", ":authority=x.test",
                                          ":path=/test.Echo/Talk",
                                          "content-type=application/grpc+proto", NULL};
    static const char *const response[] = {":status=200", "content-type=application/grpc", NULL};
    static const char *const trailers[] = {"grpc-status=7", "grpc-message=no", NULL};
    static const char *const only_trailers[] = {":status=200", "content-type=application/grpc",
                                                "grpc-status=12", NULL};
    struct stream stream;
    (void)state;
    begin(&stream);
    headers(&stream, UP, 0, 1, request);
    frame(&stream, UP, NGHTTP2_DATA, 0, 1, "\0\0\0\0\3ab", 7);
    frame(&stream, UP, NGHTTP2_DATA, END_STREAM, 1, "c\0\0\0\0\0\1\0\0\0\1z", 12);
    headers(&stream, DOWN, 0, 1, response);
    frame(&stream, DOWN, NGHTTP2_DATA, 0, 1, "\0\0\0\0\1x", 6);
    headers(&stream, DOWN, END_STREAM, 1, trailers);
    headers(&stream, UP, END_STREAM, 3, request);
    headers(&stream, DOWN, END_STREAM, 3, only_trailers);
    assert_told(&stream, "0 http2 @1 HTTP/2 POST x.test /test.Echo/Talk 19 -> 200 6 grpc 7 3/1\n"
                         "1 http2 @3 HTTP/2 POST x.test /test.Echo/Talk 0 -> 200 0 grpc 12 0/0\n");
}

static void server_sent_events_are_told_one_by_one(void **state)
{
    static const char *const response[] = {":status=200", "content-type=text/event-stream", NULL};
    struct stream stream;
    (void)state;
    begin(&stream);
    headers(&stream, UP, END_STREAM, 1, get);
    headers(&stream, DOWN, 0, 1, response);
    frame(&stream, DOWN, NGHTTP2_DATA, 0, 1, "id: 1\ndata: a", 13);
    frame(&stream, DOWN, NGHTTP2_DATA, 0, 1, "b\n\nevent: x\ndata: c\n\n", 21);
    assert_told_with(&stream,
                     "1 http2 type -, id 1, data ab (2)\n2 http2 type x, id 1, data c (1)\n"
                     "0 http2 @1 " GET "200 34 unfinished response\n",
                     &(struct tap_options){.bodies = 50});
}

/* ---- header compression ---- */

static void table_setting(struct stream *stream, bool up, uint32_t size)
{
    const uint8_t payload[12] = {0,
                                 4,
                                 0,
                                 1,
                                 0,
                                 0,
                                 0,
                                 1,
                                 (uint8_t)(size >> 24),
                                 (uint8_t)(size >> 16),
                                 (uint8_t)(size >> 8),
                                 (uint8_t)size};
    frame(stream, up, NGHTTP2_SETTINGS, 0, 0, payload, sizeof(payload));
}

static void the_size_of_the_header_table_follows_the_settings(void **state)
{
    struct stream stream;
    (void)state;
    begin(&stream);
    nghttp2_hd_deflate_del(stream.deflaters[0]);
    CHECK(nghttp2_hd_deflate_new(&stream.deflaters[0], 65536) == 0);
    /* Larger, and used before it is acknowledged; then smaller, but not before that. */
    table_setting(&stream, UP, 65536);
    CHECK(nghttp2_hd_deflate_change_table_size(stream.deflaters[0], 65536) == 0);
    for (uint32_t id = 1; id < 7; id += 2) {
        headers(&stream, UP, END_STREAM, id, get);
        headers(&stream, DOWN, END_STREAM, id, ok);
    }
    frame(&stream, DOWN, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    table_setting(&stream, UP, 100);
    headers(&stream, UP, END_STREAM, 7, get);
    headers(&stream, DOWN, END_STREAM, 7, ok); /* from the old table */
    frame(&stream, DOWN, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    CHECK(nghttp2_hd_deflate_change_table_size(stream.deflaters[0], 100) == 0);
    headers(&stream, UP, END_STREAM, 9, get);
    headers(&stream, DOWN, END_STREAM, 9, ok);
    assert_told(&stream, "0 http2 @1 " GET "200 0\n1 http2 @3 " GET "200 0\n2 http2 @5 " GET
                         "200 0\n3 http2 @7 " GET "200 0\n4 http2 @9 " GET "200 0\n");
}

static void assert_gives_up(struct stream *stream, const char *expected)
{
    char *told = hear_all(stream, &(struct tap_options){0}, 5);
    const char *found = strstr(told, "gives up on the ");
    if (found == NULL || strstr(found, expected) == NULL)
        fail_msg("not \"%s\", but:\n%s", expected, told);
    free(told);
    end(stream);
}

static void what_cannot_be_http2_ends_the_reading_with_a_note(void **state)
{
    struct stream stream;
    (void)state;
    stream = (struct stream){0};
    begin(&stream);
    memcpy(stream.turns[0].bytes, "GET", 3);
    assert_gives_up(&stream, "client: HTTP/2 without its preface");
    begin(&stream);
    frame(&stream, UP, NGHTTP2_HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_gives_up(&stream, "client: compressed headers: ");
    begin(&stream);
    frame(&stream, UP, NGHTTP2_CONTINUATION, END_HEADERS, 1, "\x82", 1);
    assert_gives_up(&stream, "client: a header block that is interrupted, or was not begun");
    begin(&stream);
    frame(&stream, UP, NGHTTP2_HEADERS, 0, 1, "\x82", 1);
    frame(&stream, UP, NGHTTP2_PING, 0, 0, "12345678", 8);
    assert_gives_up(&stream, "client: a header block that is interrupted");
    begin(&stream);
    frame(&stream, DOWN, NGHTTP2_DATA, 0, 0, "x", 1);
    assert_gives_up(&stream, "server: a message on stream 0");
    begin(&stream);
    frame(&stream, DOWN, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\5xx", 3);
    assert_gives_up(&stream, "server: a frame that is too short");
    begin(&stream);
    frame(&stream, DOWN, NGHTTP2_RST_STREAM, 0, 1, "x", 1);
    assert_gives_up(&stream, "server: a frame that is too short");
    begin(&stream);
    frame(&stream, UP, NGHTTP2_PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2\x82", 5);
    assert_gives_up(&stream, "client: a promise by the client");
}

/* ---- memory ---- */

static void of_too_many_streams_the_oldest_are_told_first(void **state)
{
    struct stream stream;
    (void)state;
    begin(&stream);
    for (uint32_t i = 0; i < HTTP2_STREAMS + 2; i++)
        headers(&stream, UP, END_STREAM, 1 + 2 * i, get);
    char *told = hear_all(&stream, &(struct tap_options){0}, 1000);
    assert_memory_equal(told, "0 http2 @1 " GET "0 0 unfinished response\n1 http2 @3 ", 60);
    assert_non_null(strstr(told, "129 http2 @259 "));
    free(told);
    end(&stream);
}

static void memory_is_bounded_whatever_is_sent(void **state)
{
    static char value[3000];
    const char *list[] = {":method=GET", ":path=/", value, NULL};
    struct stream stream;
    (void)state;
    begin(&stream);
    memset(value, 'v', sizeof(value) - 1);
    memcpy(value, "x=", 2);
    for (uint32_t i = 0; i < HTTP2_STREAMS + 50; i++) {
        headers(&stream, UP, 0, 1 + 2 * i, list);
        frame(&stream, UP, NGHTTP2_DATA, 0, 1 + 2 * i, value, sizeof(value));
    }
    struct listening listening = {0};
    listen_start(&listening, &(struct tap_options){.bodies = 65536}, "h2", 443);
    for (size_t i = 0; i < stream.count; i++)
        listen_to(&listening, stream.turns[i].up, stream.turns[i].bytes, stream.turns[i].length,
                  9999);
    assert_true(listening.most_memory > TAP_MEMORY / 2);
    listen_end(&listening); /* looks whether it was kept within the limit, and given back */
    free(listening.told);
    end(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_told_as_they_end),
        cmocka_unit_test(headers_are_as_they_were_sent_and_trailers_behind_them),
        cmocka_unit_test(a_header_of_nothing_is_told_as_that),
        cmocka_unit_test(padding_priority_and_continuation_are_no_content),
        cmocka_unit_test(resets_and_what_comes_behind_them),
        cmocka_unit_test(what_a_server_promises_is_told),
        cmocka_unit_test(grpc_has_its_messages_counted_and_its_status),
        cmocka_unit_test(server_sent_events_are_told_one_by_one),
        cmocka_unit_test(the_size_of_the_header_table_follows_the_settings),
        cmocka_unit_test(what_cannot_be_http2_ends_the_reading_with_a_note),
        cmocka_unit_test(of_too_many_streams_the_oldest_are_told_first),
        cmocka_unit_test(memory_is_bounded_whatever_is_sent),
    };
    return cmocka_run_group_tests_name("tap/http2_tap", tests, NULL, NULL);
}
