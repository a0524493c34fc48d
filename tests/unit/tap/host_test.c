/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The bytes stand alone in memory, so that AddressSanitizer sees a read behind them. */
static enum host_result read_text(char *host, const char *text)
{
    size_t length = strlen(text);
    uint8_t *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    enum host_result result = host_read(host, exact, length);
    free(exact);
    return result;
}

static void assert_host(const char *text, const char *expected)
{
    char host[HOST_SIZE];
    assert_int_equal(read_text(host, text), HOST_FOUND);
    assert_string_equal(host, expected);
}

static void assert_result(const char *text, enum host_result expected)
{
    char host[HOST_SIZE];
    assert_int_equal(read_text(host, text), expected);
}

static void the_host_is_found_wherever_it_stands(void **state)
{
    (void)state;
    assert_host("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test");
    assert_host("POST /x HTTP/1.1\r\nAccept: */*\r\nhOsT:\tA.Test \r\nX: y\r\n\r\nbody", "a.test");
    assert_host("GET / HTTP/1.1\nHost:a.test\n\n", "a.test");
}

static void a_port_does_not_belong_to_it(void **state)
{
    (void)state;
    assert_host("GET / HTTP/1.1\r\nHost: a.test:8080\r\n\r\n", "a.test");
    assert_host("GET / HTTP/1.1\r\nHost: a.test:\r\n\r\n", "a.test");
    assert_host("GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n", "192.0.2.1");
    assert_host("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "[2001:db8::1]");
    assert_host("GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", "[2001:db8::1]");
}

static void a_header_that_is_not_whole_is_waited_for(void **state)
{
    (void)state;
    static const char whole[] = "GET / HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n";
    char part[sizeof(whole)];
    for (size_t length = 1; length < strlen(whole) - 2; length++) {
        snprintf(part, sizeof(part), "%.*s", (int)length, whole);
        assert_result(part, HOST_MORE);
    }
}

static void what_is_not_clear_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nX-Host: a.test\r\n\r\n",
        "Host: a.test\r\n\r\n",
        "PING",
        "SSH-2.0-x\r\nHost: a.test\r\n\r\n",
        "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_result(texts[i], HOST_NONE);
}

static void a_nul_is_no_part_of_a_name(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\0.test\r\n\r\n";
    char host[HOST_SIZE];
    assert_int_equal(host_read(host, (const uint8_t *)text, sizeof(text) - 1), HOST_NONE);
}

static void names_end_at_255_characters(void **state)
{
    (void)state;
    char text[512], name[HOST_SIZE + 1];
    memset(name, 'a', HOST_SIZE);
    name[HOST_SIZE] = '\0';
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
    assert_result(text, HOST_NONE);
    name[HOST_SIZE - 1] = '\0';
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
    assert_host(text, name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_is_found_wherever_it_stands),
        cmocka_unit_test(a_port_does_not_belong_to_it),
        cmocka_unit_test(a_header_that_is_not_whole_is_waited_for),
        cmocka_unit_test(what_is_not_clear_is_none),
        cmocka_unit_test(a_nul_is_no_part_of_a_name),
        cmocka_unit_test(names_end_at_255_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
