/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/http1_tap.h"

#include "tap/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listening.h"

#define GET "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define GET_OK "http HTTP/1.1 GET x.test /a 0 -> 200 5\n"

/* In the place of something said: the stream has ended well. */
#define END "\4"

/* What goes up and down in turns, NULL at the end; and what is told of it. */
struct talk {
    const char *said[9];
    const char *told;
};

static char *run_talk(const struct talk *talk, const struct tap_options *options, size_t piece,
                      bool headers)
{
    struct listening listening = {.headers = headers};
    listen_start(&listening, options, "http/1.1", 443);
    for (size_t i = 0; talk->said[i] != NULL; i++) {
        if (strcmp(talk->said[i], END) == 0)
            tap_end(listening.tap, i % 2 == 0, 1500);
        else
            listen_to(&listening, i % 2 == 0, talk->said[i], strlen(talk->said[i]), piece);
    }
    listen_end(&listening);
    return listening.told;
}

static void assert_talk_as(const struct talk *talk, const struct tap_options *options, bool headers)
{
    for (size_t piece = 1; piece < 3000; piece = piece < 4 ? piece + 1 : piece * 7) {
        char *told = run_talk(talk, options, piece, headers);
        assert_string_equal(told, talk->told);
        free(told);
    }
}

static void assert_talks(const struct talk *talks, size_t count)
{
    const struct tap_options options = {0};
    for (size_t i = 0; i < count; i++)
        assert_talk_as(&talks[i], &options, false);
}

static void an_exchange_is_told_when_it_is_whole(void **state)
{
    (void)state;
    const struct talk talks[] = {
        {{GET, OK}, "0 " GET_OK},
        {{GET, OK, GET, OK}, "0 " GET_OK "1 " GET_OK},
        {{"POST /p?q=1 HTTP/1.1\r\nHost: x.test:8443\r\nContent-Length: 3\r\n\r\nabc",
          "HTTP/1.1 201 Created\r\nTransfer-Encoding: "
          "chunked\r\n\r\n3;x=y\r\nabc\r\na\r\n0123456789\r\n"
          "0\r\nTrailer: t\r\n\r\n"},
         "0 http HTTP/1.1 POST x.test:8443 /p?q=1 3 -> 201 13\n"},
        {{"POST / HTTP/1.1\r\nHost: [2001:db8::1]\r\nTransfer-Encoding: "
          "chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
          "HTTP/1.1 204 No Content\r\n\r\n"},
         "0 http HTTP/1.1 POST [2001:db8::1] / 2 -> 204 0\n"},
        {{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nto the end", END, END},
         "0 http HTTP/1.0 GET - / 0 -> 200 10\n"},
        {{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nto the end"},
         "0 http HTTP/1.0 GET - / 0 -> 200 10 unfinished response\n"},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void pipelined_requests_have_their_responses_in_order(void **state)
{
    (void)state;
    const struct talk talks[] = {
        {{GET "HEAD /b HTTP/1.1\r\n\r\n"
              "GET /c HTTP/1.1\r\n\r\n",
          OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
             "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"},
         "0 " GET_OK "1 http HTTP/1.1 HEAD - /b 0 -> 200 0\n2 http HTTP/1.1 GET - /c 0 -> 304 0\n"},
        {{GET GET, OK}, "0 " GET_OK "1 http HTTP/1.1 GET x.test /a 0 -> 0 0 unfinished response\n"},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void interim_responses_are_looked_over(void **state)
{
    (void)state;
    const struct talk talk = {
        {"PUT /a HTTP/1.1\r\nHost: x.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "ab",
         "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n"},
        "0 http HTTP/1.1 PUT x.test /a 2 -> 200 0\n"
        "  > Host: x.test\n  > Expect: 100-continue\n  > Content-Length: 2\n"
        "  < A: b\n  < Content-Length: 0\n"};
    assert_talk_as(&talk, &(struct tap_options){0}, true);
}

static void a_response_may_come_before_its_request_has_ended(void **state)
{
    (void)state;
    const struct talk talks[] = {
        {{"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc",
          "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n", "def"},
         "0 http HTTP/1.1 POST - / 6 -> 413 0\n"},
        {{"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc",
          "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"},
         "0 http HTTP/1.1 POST - / 3 -> 413 0 unfinished request\n"},
        /* Even before its header is whole; and without any request. */
        {{"GET /slow HTT", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"},
         "0 http HTTP/1.1 - - - 0 -> 408 0 unfinished request\n"},
        {{GET, OK "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", GET, OK},
         "0 " GET_OK "1 http HTTP/1.1 - - - 0 -> 408 0\n2 " GET_OK},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void what_is_not_http_ends_the_reading_with_a_note(void **state)
{
    (void)state;
    const struct talk talks[] = {
        {{"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
         "0 http HTTP/1.1 - - - 0 -> 0 0"},
        {{GET, "nonsense"},
         "0 http HTTP/1.1 GET x.test /a 0 -> 0 0 unfinished response\n"
         "1 http gives up on the server: a response: "},
        {{GET, OK "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
         "0 " GET_OK "2 http "},
        {{"GET / HTTP/1.1\r\nBad(Header: x\r\n\r\n"}, "1 http gives up on the client: a request: "},
        {{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
         "0 http HTTP/1.1 POST - / 0 -> 0 0 unfinished request response\n"
         "1 http gives up on the client: a request: "},
        {{"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", OK OK},
         "0 http HTTP/1.1 POST - / 1 -> 200 5 unfinished request\n"
         "1 http gives up on the server: a second response to one request\n"},
    };
    for (size_t i = 1; i < ARRAY_SIZE(talks); i++) {
        char *told = run_talk(&talks[i], &(struct tap_options){0}, 5, false);
        assert_memory_equal(told, talks[i].told, strlen(talks[i].told));
        assert_non_null(strstr(told, "gives up"));
        free(told);
    }
    /* Smuggling: a length, and chunks. */
    char *told = run_talk(&talks[0], &(struct tap_options){0}, 5, false);
    assert_non_null(strstr(told, "http gives up on the client: a request: "));
    free(told);
}

static void nothing_is_read_behind_what_is_no_http_any_more(void **state)
{
    (void)state;
    const struct talk talks[] = {
        {{"CONNECT y.test:443 HTTP/1.1\r\nHost: y.test:443\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
          "\x16\x03\x01 anything", "anything"},
         "0 http HTTP/1.1 CONNECT y.test:443 y.test:443 0 -> 200 0\n"},
        {{"CONNECT y.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
          GET, OK},
         "0 http HTTP/1.1 CONNECT - y.test:443 0 -> 407 0\n1 " GET_OK},
        {{"GET / HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
          "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nanything", "more"},
         "0 http HTTP/1.1 GET - / 0 -> 101 0\n"},
        /* An upgrade that is refused was none. */
        {{"GET / HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" GET, OK OK, GET, OK},
         "0 http HTTP/1.1 GET - / 0 -> 200 5\n1 " GET_OK "2 " GET_OK},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void credentials_are_redacted_unless_they_are_to_be_kept(void **state)
{
    (void)state;
    const struct talk talk = {
        {"GET /x?access_token=s3cret&a=b HTTP/1.1\r\nHost: x.test\r\nAuthorization: Basic "
         "c2VjcmV0\r\n"
         "Cookie: a=s3cret\r\nReferer: "
         "https://u:s3cret@x.test/?password=s3cret#token=s3cret\r\n\r\n",
         "HTTP/1.1 302 Found\r\nSet-Cookie: s3cret\r\nLocation: /y?sig=s3cret\r\n"
         "Content-Length: 0\r\n\r\n"},
        "0 http HTTP/1.1 GET x.test /x?access_token=(redacted)&a=b 0 -> 302 0\n"
        "  > Host: x.test\n  > Authorization: (redacted)\n  > Cookie: (redacted)\n"
        "  > Referer: https://(redacted)@x.test/?password=(redacted)#token=(redacted)\n"
        "  < Set-Cookie: (redacted)\n  < Location: /y?sig=(redacted)\n  < Content-Length: 0\n"};
    assert_talk_as(&talk, &(struct tap_options){0}, true);
    char *told = run_talk(&talk, &(struct tap_options){.keep_credentials = true}, 100, true);
    assert_non_null(strstr(told, "  > Authorization: Basic c2VjcmV0\n"));
    assert_non_null(strstr(told, " /x?access_token=s3cret&a=b "));
    free(told);
}

static void bodies_are_kept_as_far_as_they_were_asked_for(void **state)
{
    (void)state;
    const struct talk talk = {{"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd",
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                               "chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
                              "0 http HTTP/1.1 POST - / 4 -> 200 11\n"
                              "  > body abcd (4)\n  < body hello wo (8, cut)\n"};
    assert_talk_as(&talk, &(struct tap_options){.bodies = 8}, false);
    char *told = run_talk(&talk, &(struct tap_options){0}, 100, false);
    assert_string_equal(told, "0 http HTTP/1.1 POST - / 4 -> 200 11\n");
    free(told);
}

static void an_encoded_body_is_kept_decoded(void **state)
{
    (void)state;
    static const char gzipped[] = {
        0x1f,       (char)0x8b, 8,    0,          0,          0,          0, 0, 0,
        3,          (char)0xcb, 0x48, (char)0xcd, (char)0xc9, (char)0xc9, 7, 0, (char)0x86,
        (char)0xa6, 0x10,       0x36, 5,          0,          0,          0};
    static const char header[] =
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n";
    struct listening listening = {0};
    listen_start(&listening, &(struct tap_options){.bodies = 100}, "http/1.1", 443);
    listen_to(&listening, true, GET, strlen(GET), 100);
    listen_to(&listening, false, header, strlen(header), 7);
    listen_to(&listening, false, gzipped, sizeof(gzipped), 3);
    listen_end(&listening);
    assert_string_equal(listening.told,
                        "0 http HTTP/1.1 GET x.test /a 0 -> 200 25\n  < body hello (5)\n");
    free(listening.told);
}

static void memory_does_not_grow_with_what_is_read(void **state)
{
    (void)state;
    static char header[3000], block[1 << 16];
    struct listening listening = {0};
    listen_start(&listening, &(struct tap_options){.bodies = 65536}, "http/1.1", 443);
    listen_to(&listening, true, GET, strlen(GET), 100);
    static const char start[] = "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
    listen_to(&listening, false, start, strlen(start), 100);
    size_t before = listening.tap->memory;
    for (uint64_t left = UINT64_C(10) << 30; left > 0; left -= sizeof(block))
        tap_read(listening.tap, false, (uint8_t *)block, sizeof(block), 0);
    assert_true(before < 4096 && listening.tap->memory == 0);
    /* A header of any length costs no more than what is kept of it. */
    listen_to(&listening, true, "GET / HTTP/1.1\r\n", 16, 100);
    for (int i = 0; i < 20000; i++) {
        int length = snprintf(header, sizeof(header), "X-%d: %0*d\r\n", i, i % 2000, 1);
        listen_to(&listening, true, header, (size_t)length, 3000);
    }
    assert_true(listening.most_memory < 200000);
    listen_to(&listening, true, "\r\n", 2, 2);
    listen_to(&listening, false, OK, strlen(OK), 100);
    listen_end(&listening);
    assert_non_null(strstr(listening.told, "1 http HTTP/1.1 GET - / 0 -> 200 5 headers cut\n"));
    free(listening.told);
}

/* Those that mean something are the first and the last. One more than the limit is left out. */
static void many_headers_are_all_told(void **state)
{
    (void)state;
    for (int count = 2; count <= EXCHANGE_HEADERS + 1; count++) {
        bool cut = count > EXCHANGE_HEADERS;
        char request[2000] = "GET / HTTP/1.1\r\nHost: x.test\r\n", expected[2000];
        sprintf(expected, "0 http HTTP/1.1 GET x.test / 0 -> 200 5%s\n  > Host: x.test\n",
                cut ? " headers cut" : "");
        for (int i = 1; i < count - 1; i++) {
            sprintf(request + strlen(request), "X-%d: %d\r\n", i, i);
            sprintf(expected + strlen(expected), "  > X-%d: %d\n", i, i);
        }
        strcat(request, "Cookie: s3cret\r\n\r\n");
        strcat(expected, cut ? "" : "  > Cookie: (redacted)\n");
        strcat(expected, "  < Content-Length: 5\n");
        assert_talk_as(&(struct talk){{request, OK}, expected}, &(struct tap_options){0}, true);
    }
}

static void headers_for_which_there_is_no_memory_are_left_out(void **state)
{
    (void)state;
    struct listening listening = {.headers = true};
    listen_start(&listening, &(struct tap_options){0}, "http/1.1", 443);
    static const char line[] = "GET / HTTP/1.1\r\n", header[] = "A: b\r\n", last[] = "C: d\r\n\r\n";
    listen_to(&listening, true, line, strlen(line), 100);
    for (int i = 0; i < EXCHANGE_FEW; i++)
        listen_to(&listening, true, header, strlen(header), 100);
    void *rest = tap_alloc(listening.tap, TAP_MEMORY - listening.tap->memory);
    assert_non_null(rest);
    listen_to(&listening, true, last, strlen(last), 100);
    tap_free(listening.tap, rest);
    listen_to(&listening, false, OK, strlen(OK), 100);
    listen_end(&listening);
    static const char start[] = "0 http HTTP/1.1 GET - / 0 -> 200 5 headers cut\n";
    assert_memory_equal(listening.told, start, strlen(start));
    assert_int_equal(strlen(listening.told), strlen(start) + EXCHANGE_FEW * strlen("  > A: b\n") +
                                                 strlen("  < Content-Length: 5\n"));
    free(listening.told);
}

/* Not that of an interim response; but also one behind the body. */
static void the_last_header_of_each_kind_is_at_hand(void **state)
{
    (void)state;
    static const char request[] = "GET /a HTTP/1.1\r\nuser-agent: a\r\nHOST: x.test\r\n"
                                  "User-Agent: b\r\nX: y\r\n\r\n";
    static const char response[] = "HTTP/1.1 103 Early\r\nLocation: /b\r\nReferer: /c\r\n\r\n"
                                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                                   "Content-Type: a/b\r\nUpgrade: d\r\n\r\n"
                                   "0\r\nContent-Type: c/d\r\n\r\n";
    for (size_t piece = 1; piece < 300; piece *= 3) {
        struct listening listening = {.fields = true};
        listen_start(&listening, &(struct tap_options){0}, "http/1.1", 443);
        listen_to(&listening, true, request, strlen(request), piece);
        listen_to(&listening, false, response, strlen(response), piece);
        listen_end(&listening);
        assert_string_equal(listening.told, "0 http HTTP/1.1 GET x.test /a 0 -> 200 0\n"
                                            "  > HOST: x.test\n  > User-Agent: b\n"
                                            "  < Content-Type: c/d\n  < Upgrade: d\n");
        free(listening.told);
    }
}

static void too_many_unanswered_requests_end_the_reading(void **state)
{
    (void)state;
    struct listening listening = {0};
    listen_start(&listening, &(struct tap_options){0}, "http/1.1", 443);
    for (int i = 0; i < 2 * HTTP1_WAITING; i++)
        listen_to(&listening, true, GET, strlen(GET), 100);
    listen_end(&listening);
    assert_non_null(strstr(listening.told, "63 http HTTP/1.1 GET x.test /a 0 -> 0 0 unfinished"));
    assert_non_null(strstr(listening.told, "64 http gives up on the client: more than 64 requests "
                                           "wait for a response\n"));
    free(listening.told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_is_told_when_it_is_whole),
        cmocka_unit_test(pipelined_requests_have_their_responses_in_order),
        cmocka_unit_test(interim_responses_are_looked_over),
        cmocka_unit_test(a_response_may_come_before_its_request_has_ended),
        cmocka_unit_test(what_is_not_http_ends_the_reading_with_a_note),
        cmocka_unit_test(nothing_is_read_behind_what_is_no_http_any_more),
        cmocka_unit_test(credentials_are_redacted_unless_they_are_to_be_kept),
        cmocka_unit_test(bodies_are_kept_as_far_as_they_were_asked_for),
        cmocka_unit_test(an_encoded_body_is_kept_decoded),
        cmocka_unit_test(memory_does_not_grow_with_what_is_read),
        cmocka_unit_test(many_headers_are_all_told),
        cmocka_unit_test(headers_for_which_there_is_no_memory_are_left_out),
        cmocka_unit_test(the_last_header_of_each_kind_is_at_hand),
        cmocka_unit_test(too_many_unanswered_requests_end_the_reading),
    };
    return cmocka_run_group_tests_name("tap/http1_tap", tests, NULL, NULL);
}
