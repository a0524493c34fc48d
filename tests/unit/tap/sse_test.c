/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listening.h"

static void assert_told(const char *body, size_t bodies, const char *expected)
{
    for (size_t piece = 1; piece < 300; piece = piece < 6 ? piece + 1 : piece * 7) {
        struct listening listening = {0};
        listen_start(&listening, &(struct tap_options){.bodies = bodies}, "", 443);
        struct sse *sse = sse_new(listening.tap, "http", 0);
        assert_non_null(sse);
        for (size_t at = 0; at < strlen(body); at += piece) {
            size_t left = strlen(body) - at;
            sse_read(sse, (const uint8_t *)body + at, left < piece ? left : piece);
        }
        tap_free(listening.tap, sse);
        listen_end(&listening);
        assert_string_equal(listening.told, expected);
        free(listening.told);
    }
}

/* The examples of HTML, section 9.2.6. */
static void the_examples_of_the_standard(void **state)
{
    (void)state;
    assert_told("data: YHOO\ndata: +2\ndata: 10\n\n", 100,
                "0 http type -, id -, data YHOO.+2.10 (10)\n");
    assert_told(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  "
                "third event\n\n",
                100,
                "0 http type -, id 1, data first event (11)\n"
                "1 http type -, id , data second event (12)\n"
                "2 http type -, id , data  third event (12)\n");
    assert_told("data\n\ndata\ndata\n\ndata:", 100,
                "0 http type -, id -, data  (0)\n1 http type -, id -, data . (1)\n");
    assert_told("data:test\n\ndata: test\n\n", 100,
                "0 http type -, id -, data test (4)\n1 http type -, id -, data test (4)\n");
}

static void lines_may_end_in_any_way(void **state)
{
    (void)state;
    static const char expected[] =
        "0 http type e, id -, data a.b (3)\n1 http type -, id -, data c (1)\n";
    assert_told("event: e\ndata: a\ndata: b\n\ndata: c\n\n", 100, expected);
    assert_told("event: e\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", 100, expected);
    assert_told("event: e\rdata: a\rdata: b\r\rdata: c\r\r", 100, expected);
    assert_told("\xef\xbb\xbf"
                "event: e\ndata: a\r\ndata: b\r\n\ndata: c\n\r",
                100, expected);
}

static void events_are_cut_and_counted(void **state)
{
    (void)state;
    assert_told("data: 0123456789\ndata: x\n\n", 4, "0 http type -, id -, data 0123 (12, cut)\n");
    assert_told("data: 0123456789\n\n", 0, "0 http type -, id -, data  (10, cut)\n");
}

static void what_is_not_dispatched_is_no_event(void **state)
{
    (void)state;
    assert_told("event: x\n\nid: 5\n\nretry: 10\nunknownfield: x\nda: y\ndatas: z\n\ndata: half",
                100, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard),
        cmocka_unit_test(lines_may_end_in_any_way),
        cmocka_unit_test(events_are_cut_and_counted),
        cmocka_unit_test(what_is_not_dispatched_is_no_event),
    };
    return cmocka_run_group_tests_name("tap/sse", tests, NULL, NULL);
}
