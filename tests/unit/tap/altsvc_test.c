/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/altsvc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define H3 "Alt-Svc: h3=\":443\"\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"

struct talk {
    const char *requests, *responses, *expected; /* NULL: the same */
};

/* Shown in pieces; the bytes stand alone in memory, so that AddressSanitizer sees a read behind
 * them. */
static void assert_talk(const struct talk *talk, size_t step)
{
    struct altsvc altsvc = {0};
    const char *expected = talk->expected != NULL ? talk->expected : talk->responses;
    size_t length = strlen(talk->responses), kept = 0, got_length = 0;
    char *got = calloc(1, length + 1), held[ALTSVC_LINE_LIMIT + 2];
    for (size_t at = 0; at < strlen(talk->requests); at += step) {
        size_t left = strlen(talk->requests) - at;
        altsvc_by_device(&altsvc, (const uint8_t *)talk->requests + at, left < step ? left : step);
    }
    for (size_t at = 0; at < length; at += step) {
        size_t count = length - at < step ? length - at : step;
        uint8_t *piece = malloc(kept + count);
        assert_non_null(piece);
        memcpy(piece, held, kept);
        memcpy(piece + kept, talk->responses + at, count);
        size_t on = altsvc_by_origin(&altsvc, piece, kept + count, &kept);
        memcpy(got + got_length, piece, on);
        got_length += on;
        assert_true(kept < sizeof(held));
        memcpy(held, piece + on, kept);
        free(piece);
    }
    memcpy(got + got_length, held, kept);
    assert_string_equal(got, expected);
    free(got);
}

static void assert_talks(const struct talk *talks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t step = 1; step < 300; step = step < 8 ? step + 1 : step * 6)
            assert_talk(&talks[i], step);
}

static void assert_line(const char *line, const char *expected)
{
    char response[512], wanted[512];
    snprintf(response, sizeof(response), OK "A: b\r\n%sC: d\r\n" EMPTY, line);
    snprintf(wanted, sizeof(wanted), OK "A: b\r\n%sC: d\r\n" EMPTY, expected);
    const struct talk whole = {GET, response, wanted};
    assert_talks(&whole, 1);
}

static void only_quic_entries_go(void **state)
{
    (void)state;
    assert_line("Alt-Svc: h3=\":443\", h2=\":8443\"\r\n", "Alt-Svc: h2=\":8443\"\r\n");
    assert_line("alt-svc:h2=\":8443\" , h3=\":443\"; ma=1\r\n", "alt-svc:h2=\":8443\" \r\n");
    assert_line("Alt-Svc:  h2=\"a:1\"; p=\"x,h3=\",h3-29=\":443\",quic=\":443\"; v=\"46,43\", "
                "h2=\":2\"\r\n",
                "Alt-Svc:  h2=\"a:1\"; p=\"x,h3=\", h2=\":2\"\r\n");
    assert_line("Alt-Svc: h2=\"\\\",h3=\"\r\n", "Alt-Svc: h2=\"\\\",h3=\"\r\n");
    assert_line("Alt-Svc: h3=\":443\"; ma=2592000,h3-29=\":443\",quic=\":443\"\r\n", "");
    assert_line("Alt-Svc: h3=\":443\",\r\n", "");
    assert_line(H3 "Alt-Svc: h2=\":1\"\r\n" H3, "Alt-Svc: h2=\":1\"\r\n");
}

static void what_is_not_quic_stays(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Alt-Svc: clear\r\n",
        "Alt-Svc:\r\n",
        "Alt-Svc: h2=\":1\" ,  h2=\":2\" \r\n",
        "Alt-Svc: h30=\":1\"\r\n",
        "Alt-Svc: h3\r\n",
        "Alt-Svc: h3=\":443\r\n",
        "X-Alt-Svc: h3=\":443\"\r\n",
        "Alt-Svc2: h3=\r\n",
        "Alt-Sv\r\n",
        "Strict-Transport-Security: max-age=1\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        assert_line(lines[i], lines[i]);
}

static void every_response_of_a_connection_is_found(void **state)
{
    (void)state;
    static const struct talk talks[] = {
        {GET GET, OK H3 "Content-Length: 22\r\n\r\nAlt-Svc: h3=\":443\"\r\n\r\n" OK H3 EMPTY,
         OK "Content-Length: 22\r\n\r\nAlt-Svc: h3=\":443\"\r\n\r\n" OK EMPTY},
        {GET GET,
         OK H3 "transfer-encoding:  chunked \r\n\r\n14;x=y\r\n\r\nAlt-Svc: h3=\":443\"\r\n"
               "1\r\nx\r\n0\r\n" H3 "\r\n" OK H3 EMPTY,
         OK "transfer-encoding:  chunked \r\n\r\n14;x=y\r\n\r\nAlt-Svc: h3=\":443\"\r\n"
            "1\r\nx\r\n0\r\n" H3 "\r\n" OK EMPTY},
        {HEAD GET, OK H3 "Content-Length: 5\r\n\r\n" OK H3 EMPTY,
         OK "Content-Length: 5\r\n\r\n" OK EMPTY},
        {GET GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" OK H3 EMPTY,
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" OK EMPTY},
        {GET GET, "HTTP/1.1 204 No Content\r\n\r\n" OK H3 EMPTY,
         "HTTP/1.1 204 No Content\r\n\r\n" OK EMPTY},
        {GET, "HTTP/1.1 103 Early\r\n" H3 "\r\n" OK H3 EMPTY,
         "HTTP/1.1 103 Early\r\n\r\n" OK EMPTY},
        {"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nHEAD /" GET, OK EMPTY OK H3 EMPTY,
         OK EMPTY OK EMPTY},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nHEAD /\r\n0\r\n\r\n" GET,
         OK EMPTY OK H3 EMPTY, OK EMPTY OK EMPTY},
        {GET, OK H3 "\r\nAlt-Svc: h3=\":443\"\r\n\r\n" OK H3 EMPTY,
         OK "\r\nAlt-Svc: h3=\":443\"\r\n\r\n" OK H3 EMPTY},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

static void what_is_odd_is_left_alone(void **state)
{
    (void)state;
    static const struct talk talks[] = {
        {"", OK H3 EMPTY, NULL},                             /* an answer to nothing */
        {"\x10\x01\r\n" GET, OK H3 EMPTY, NULL},             /* no HTTP */
        {"CONNECT a:1 HTTP/1.1\r\n\r\n", OK H3 EMPTY, NULL}, /* what follows is not HTTP */
        {"PRI * HTTP/2.0\r\n\r\n", OK H3 EMPTY, NULL},
        {GET, "HTTP/2 200\r\n" H3 EMPTY, NULL},
        {GET, OK H3 " , h2=\":1\"\r\n" EMPTY, NULL}, /* folded */
        {GET, OK " x\r\n" H3 EMPTY, NULL},
        {GET, OK "A: b\n" H3 EMPTY, NULL}, /* no CR */
        {GET, OK H3, NULL},                /* cut short */
        {GET, "HTTP/1.1 101 Switching\r\n\r\n" OK H3 EMPTY, NULL},
        {GET GET, OK "Content-Length: 0\r\nContent-Length: 9\r\n\r\n" OK H3 EMPTY, NULL},
        {GET GET, OK "Content-Length: 1x\r\n\r\nx" OK H3 EMPTY, NULL},
        {GET GET, OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" OK H3 EMPTY, NULL},
        {GET GET, OK "Transfer-Encoding: chunked\r\n" EMPTY OK H3 EMPTY, NULL},
        {GET GET, OK "Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n" OK H3 EMPTY, NULL},
        {GET GET, OK "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n" OK H3 EMPTY, NULL},
    };
    assert_talks(talks, ARRAY_SIZE(talks));
}

/* It is not held for ever. */
static void a_line_that_is_too_long_passes(void **state)
{
    (void)state;
    char *response = malloc(2 * HTTP1_HEADER_LIMIT);
    assert_non_null(response);
    for (size_t length = ALTSVC_LINE_LIMIT - 1; length <= ALTSVC_LINE_LIMIT + 1; length++) {
        int padding = (int)(length - strlen(H3) - strlen("; p="));
        sprintf(response, OK "Alt-Svc: h3=\":443\"; p=%0*d\r\n" EMPTY, padding, 0);
        const struct talk talk = {GET, response, length > ALTSVC_LINE_LIMIT ? NULL : OK EMPTY};
        assert_talk(&talk, 1000);
    }
    sprintf(response, OK "A: %0*d\r\n" H3 EMPTY, (int)HTTP1_HEADER_LIMIT, 0);
    const struct talk talk = {GET, response, NULL};
    assert_talk(&talk, 1000);
    free(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_quic_entries_go),
        cmocka_unit_test(what_is_not_quic_stays),
        cmocka_unit_test(every_response_of_a_connection_is_found),
        cmocka_unit_test(what_is_odd_is_left_alone),
        cmocka_unit_test(a_line_that_is_too_long_passes),
    };
    return cmocka_run_group_tests_name("tap/altsvc", tests, NULL, NULL);
}
