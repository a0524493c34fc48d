/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/doh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listening.h"
#include "tap/dns_packet.h"

#define UP true
#define DOWN false

/* Of "a.test", type A: as bytes, and in base64url. */
#define QUERY "\0\0\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\1\0\1"
#define QUERY_TEXT "AAABAAABAAAAAAAAAWEEdGVzdAAAAQAB"
#define ANSWER                                        \
    "\0\0\x81\x80\0\1\0\1\0\0\0\0\1a\4test\0\0\1\0\1" \
    "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1"
#define TOLD_QUERY "0 http query 0000 flags 0100 a.test A https\n"
#define TOLD_ANSWER \
    "0 http answer 0000 flags 8180 a.test A | a.test A 300 192.0.2.1 https after 0\n"

static void add(uint8_t *out, size_t *length, const void *bytes, size_t count)
{
    memcpy(out + *length, bytes, count);
    *length += count;
}

/* A head, and a body with its length. */
static size_t message(uint8_t *out, const char *head, const char *body, size_t body_length)
{
    size_t length = 0;
    add(out, &length, head, strlen(head));
    char line[64];
    snprintf(line, sizeof(line), "Content-Length: %zu\r\n\r\n", body_length);
    add(out, &length, line, strlen(line));
    add(out, &length, body, body_length);
    return length;
}

static void assert_told(size_t bodies, const char *request, size_t request_length,
                        const char *response, size_t response_length, const char *expected)
{
    for (size_t piece = 1; piece < 1000; piece = piece * 4 + 1) {
        struct listening listening = {0};
        listen_start(&listening, &(struct tap_options){.bodies = bodies}, "http/1.1", 443);
        listen_to(&listening, UP, request, request_length, piece);
        listen_to(&listening, DOWN, response, response_length, piece);
        listen_end(&listening);
        assert_string_equal(listening.told, expected);
        free(listening.told);
    }
}

#define ASKS "POST /dns-query HTTP/1.1\r\nHost: x.test\r\nContent-Type: application/dns-message\r\n"
#define SAYS "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message; x=y\r\n"

static void bodies_of_dns_are_told_though_nobody_asks_for_bodies(void **state)
{
    uint8_t request[1000], response[1000];
    size_t sent = message(request, ASKS, QUERY, sizeof(QUERY) - 1);
    size_t got = message(response, SAYS, ANSWER, sizeof(ANSWER) - 1);
    (void)state;
    assert_told(0, (char *)request, sent, (char *)response, got,
                "0 http HTTP/1.1 POST x.test /dns-query 24 -> 200 40\n" TOLD_QUERY TOLD_ANSWER);
    assert_told(8, (char *)request, sent, (char *)response, got,
                "0 http HTTP/1.1 POST x.test /dns-query 24 -> 200 40\n"
                "  > body ........ (8, cut)\n  < body ........ (8, cut)\n" TOLD_QUERY TOLD_ANSWER);
}

static void a_query_may_stand_in_the_url(void **state)
{
    static const char *const urls[] = {"/dns-query?dns=" QUERY_TEXT, "/q?x=1&dns=" QUERY_TEXT "&y",
                                       "/dns-query?dns=" QUERY_TEXT "=="};
    uint8_t response[1000];
    size_t got = message(response, SAYS, ANSWER, sizeof(ANSWER) - 1);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        char request[200], expected[600];
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x.test\r\n\r\n", urls[i]);
        snprintf(expected, sizeof(expected), "0 http HTTP/1.1 GET x.test %s 0 -> 200 40\n%s%s",
                 urls[i], TOLD_QUERY, TOLD_ANSWER);
        assert_told(0, request, strlen(request), (char *)response, got, expected);
    }
}

static void what_is_no_dns_message_is_not_told_as_one(void **state)
{
    uint8_t request[1000], response[1000];
    (void)state;
    size_t sent = message(request, ASKS, "not one", 7);
    size_t got = message(response, SAYS, "nor this", 8);
    assert_told(0, (char *)request, sent, (char *)response, got,
                "0 http HTTP/1.1 POST x.test /dns-query 7 -> 200 8\n");
    sent = message(request, "POST / HTTP/1.1\r\nContent-Type: application/dns-messages\r\n", QUERY,
                   sizeof(QUERY) - 1);
    got = message(response, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", ANSWER,
                  sizeof(ANSWER) - 1);
    assert_told(0, (char *)request, sent, (char *)response, got,
                "0 http HTTP/1.1 POST - / 24 -> 200 40\n");
    static const char get[] = "GET /search?dns=" QUERY_TEXT " HTTP/1.1\r\n\r\n";
    assert_told(0, get, strlen(get), (char *)response, got,
                "0 http HTTP/1.1 GET - /search?dns=" QUERY_TEXT " 0 -> 200 40\n");
}

/* Its start is kept, and has the question; of one that breaks off earlier nothing is told. */
static void of_a_body_without_an_end_the_question_is_told(void **state)
{
    static char body[100000];
    static const char ask[] = "GET /dns-query?dns=" QUERY_TEXT " HTTP/1.1\r\n\r\n";
    static const char head[] = SAYS "Content-Length: 4000000000\r\n\r\n";
    char response[sizeof(head) + sizeof(body)];
    static const struct {
        size_t length;
        const char *told;
    } cases[] = {
        {sizeof(body), "0 http answer 0000 flags 8180 a.test A https after 0 cut\n"},
        {DNS_MESSAGE_LIMIT + 1, "0 http answer 0000 flags 8180 a.test A https after 0 cut\n"},
        {100, ""}};
    (void)state;
    memcpy(body, ANSWER, sizeof(ANSWER) - 1);
    body[7] = 100; /* answers: more than there are */
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t length = 0;
        char expected[600];
        add((uint8_t *)response, &length, head, strlen(head));
        add((uint8_t *)response, &length, body, cases[i].length);
        snprintf(expected, sizeof(expected),
                 "0 http HTTP/1.1 GET - /dns-query?dns=" QUERY_TEXT
                 " 0 -> 200 %zu unfinished response\n%s%s",
                 cases[i].length, TOLD_QUERY, cases[i].told);
        assert_told(0, ask, strlen(ask), response, length, expected);
    }
}

static void its_type_is_known_in_any_case_and_with_parameters(void **state)
{
    (void)state;
    assert_true(doh_is(text_from("application/dns-message", 23)));
    assert_true(doh_is(text_from("Application/DNS-Message ; x", 27)));
    assert_false(doh_is(text_from("application/dns-json", 20)));
    assert_false(doh_is(text_from("application/dns-message2", 24)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_dns_are_told_though_nobody_asks_for_bodies),
        cmocka_unit_test(a_query_may_stand_in_the_url),
        cmocka_unit_test(what_is_no_dns_message_is_not_told_as_one),
        cmocka_unit_test(of_a_body_without_an_end_the_question_is_told),
        cmocka_unit_test(its_type_is_known_in_any_case_and_with_parameters),
    };
    return cmocka_run_group_tests_name("tap/doh", tests, NULL, NULL);
}
