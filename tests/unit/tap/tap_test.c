/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listening.h"

#define GET "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define GET_OK "0 http HTTP/1.1 GET x.test /a 0 -> 200 5\n"

static const struct tap_options plain;

/* The protocol, as it is known in the end. */
static const char *protocol_of(const char *alpn, uint16_t port, bool to_server, const char *bytes,
                               size_t length, size_t piece)
{
    struct listening listening = {0};
    listen_start(&listening, &plain, alpn, port);
    listen_to(&listening, to_server, bytes, length, piece);
    const char *protocol = listening.tap->protocol;
    listen_end(&listening);
    free(listening.told);
    return protocol;
}

static void what_was_agreed_on_comes_before_the_first_bytes_and_they_before_the_port(void **state)
{
    static const char zeros[200];
    (void)state;
    for (size_t piece = 1; piece <= sizeof(zeros); piece += 40) {
        assert_string_equal(protocol_of("h2", 443, true, GET, strlen(GET), piece), "http2");
        assert_string_equal(protocol_of("", 443, true, GET, strlen(GET), piece), "http");
        assert_string_equal(protocol_of("foo", 443, true, GET, strlen(GET), piece), "http");
        assert_string_equal(protocol_of("", 8883, true, GET, strlen(GET), piece), "http");
        assert_string_equal(protocol_of("", 853, true, zeros, sizeof(zeros), piece), "dns");
        assert_string_equal(protocol_of("", 443, false, "* OK ready\r\n", 12, piece), "imap");
        assert_string_equal(protocol_of("", 443, true, zeros, sizeof(zeros), piece), "failed");
    }
}

static void what_came_before_the_choice_is_read_too(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 60; piece++) {
        struct listening listening = {0};
        listen_start(&listening, &plain, "", 443);
        listen_to(&listening, true, GET, strlen(GET), piece);
        listen_to(&listening, false, OK, strlen(OK), piece);
        listen_end(&listening);
        assert_string_equal(listening.told, GET_OK);
        free(listening.told);
    }
}

static void of_what_is_known_and_not_read_nothing_is_kept(void **state)
{
    (void)state;
    struct listening listening = {0};
    listen_start(&listening, &plain, "", 443);
    listen_to(&listening, true, "SSH-2.0-OpenSSH_9.2\r\n", 21, 7);
    assert_true(listening.tap->over && listening.tap->kind == NULL);
    listen_end(&listening);
    assert_string_equal(listening.told, "");
    free(listening.told);
}

static void what_is_too_short_to_be_known_is_told_at_the_end(void **state)
{
    (void)state;
    struct listening listening = {0};
    listen_start(&listening, &plain, "", 443);
    listen_to(&listening, true, "hi", 2, 1);
    listen_to(&listening, false, "ho", 2, 1);
    assert_null(listening.tap->kind);
    tap_fini(listening.tap, 1);
    listen_end(&listening); /* once more */
    assert_string_equal(listening.told, "0 failed > hi (2, 1000) < ho (2, 1000)\n");
    free(listening.told);
    listening = (struct listening){0};
    listen_start(&listening, &plain, "", 443);
    listen_end(&listening);
    assert_string_equal(listening.told, "");
    free(listening.told);
}

static void after_a_note_nothing_more_is_told(void **state)
{
    (void)state;
    struct listening listening = {0};
    listen_start(&listening, &plain, "h2", 443);
    listen_to(&listening, true, GET, strlen(GET), 100);
    listen_to(&listening, false, OK, strlen(OK), 100);
    listen_to(&listening, true, GET, strlen(GET), 100);
    tap_end(listening.tap, true, 1);
    tap_fini(listening.tap, 1);
    listen_end(&listening); /* once more */
    assert_string_equal(listening.told,
                        "0 http2 gives up on the client: HTTP/2 without its preface\n");
    free(listening.told);
}

static void memory_is_given_up_to_a_limit_and_counted(void **state)
{
    (void)state;
    struct tap tap = {0};
    uint8_t *first = tap_alloc(&tap, 1000);
    assert_non_null(first);
    assert_int_equal(first[999], 0);
    assert_null(tap_alloc(&tap, TAP_MEMORY - 999));
    assert_null(tap_alloc(&tap, SIZE_MAX));
    void *rest = tap_alloc(&tap, TAP_MEMORY - 1000);
    assert_non_null(rest);
    assert_null(tap_realloc(&tap, first, 1001));
    first[0] = 7;
    first = tap_realloc(&tap, first, 500);
    assert_int_equal(first[0], 7);
    first = tap_realloc(&tap, first, 1000);
    assert_int_equal(first[0], 7);
    tap_free(&tap, first);
    tap_free(&tap, rest);
    tap_free(&tap, NULL);
    assert_int_equal(tap.memory, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_agreed_on_comes_before_the_first_bytes_and_they_before_the_port),
        cmocka_unit_test(what_came_before_the_choice_is_read_too),
        cmocka_unit_test(of_what_is_known_and_not_read_nothing_is_kept),
        cmocka_unit_test(what_is_too_short_to_be_known_is_told_at_the_end),
        cmocka_unit_test(after_a_note_nothing_more_is_told),
        cmocka_unit_test(memory_is_given_up_to_a_limit_and_counted),
    };
    return cmocka_run_group_tests_name("tap/tap", tests, NULL, NULL);
}
