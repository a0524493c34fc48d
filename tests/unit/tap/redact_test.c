/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_url(const char *url, const char *expected)
{
    char out[300];
    struct text text = text_from(url, strlen(url));
    size_t length = redact_url(text, out, sizeof(out));
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(out, expected, length);
    assert_int_equal(redact_finds(text), strcmp(url, expected) != 0);
}

static void secrets_are_taken_out_of_urls_and_nothing_else_is(void **state)
{
    (void)state;
    assert_url("/", "/");
    assert_url("", "");
    assert_url("/a?b=c&d", "/a?b=c&d");
    assert_url("/a?access_token=x", "/a?access_token=(redacted)");
    assert_url("/a?b=c&ACCESS_TOKEN=x=y;z=1#frag", "/a?b=c&ACCESS_TOKEN=(redacted);z=1#frag");
    assert_url("/a#id_token=x&state=y", "/a#id_token=(redacted)&state=y");
    assert_url("/a?password=&key", "/a?password=&key");
    assert_url("/token=x?tokens=x", "/token=x?tokens=x");
    assert_url("https://u:p@x.test/a", "https://(redacted)@x.test/a");
    assert_url("https://u:p@w@x.test?sig=1", "https://(redacted)@x.test?sig=(redacted)");
    assert_url("//u@x.test/", "//(redacted)@x.test/");
    assert_url("https://x.test/a@b", "https://x.test/a@b");
    assert_url("/go//u:p@x.test", "/go//u:p@x.test");
    assert_url("/go?to=https://u:p@x.test/", "/go?to=https://u:p@x.test/");
}

static void what_has_no_room_is_cut(void **state)
{
    char out[12];
    (void)state;
    assert_int_equal(redact_url(text_from("/?sig=12345678&a=b", 18), out, sizeof(out)), 12);
    assert_memory_equal(out, "/?sig=(redac", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_taken_out_of_urls_and_nothing_else_is),
        cmocka_unit_test(what_has_no_room_is_cut),
    };
    return cmocka_run_group_tests_name("tap/redact", tests, NULL, NULL);
}
