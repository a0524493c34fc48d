/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hello_bytes.h"
#include "tls/fingerprint.h"
#include "tls/server_hello.h"

static struct bytes message;

/* RFC 8446, section 4.1.3: what stands in a HelloRetryRequest's place for random numbers. */
static const uint8_t retry[32] = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
                                 "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";

/* A ServerHello with these extensions, each of them empty; with 0 there is not even their length.
 */
static void put_answer(uint16_t version, uint16_t cipher, const uint16_t *types, size_t count,
                       const uint8_t *random)
{
    message.length = 0;
    put_number(&message, 2, 1);
    size_t body = begin_vector(&message, 3);
    put_number(&message, version, 2);
    if (random != NULL)
        put(&message, random, 32);
    else
        put_zeros(&message, 32);
    put_number(&message, 3, 1);
    put(&message, "sid", 3);
    put_number(&message, cipher, 2);
    put_number(&message, 0, 1);
    if (count > 0) {
        size_t extensions = begin_vector(&message, 2);
        for (size_t i = 0; i < count; i++)
            put_extension(&message, types[i], "", 0);
        end_vector(&message, extensions, 2);
    }
    end_vector(&message, body, 3);
}

static void assert_ja3s(const char *expected)
{
    struct server_hello hello;
    char text[JA3_SIZE];
    assert_true(server_hello_parse(&hello, message.at, message.length));
    assert_true(fingerprint_ja3s(&hello, text));
    assert_string_equal(text, expected);
}

static void its_parts_are_read(void **state)
{
    (void)state;
    struct server_hello hello;
    put_answer(0x0303, 0x1301, (const uint16_t[]){43, 51}, 2, NULL);
    assert_true(server_hello_parse(&hello, message.at, message.length));
    assert_int_equal(hello.legacy_version, 0x0303);
    assert_int_equal(hello.cipher, 0x1301);
    assert_int_equal(hello.extensions.left, 8);
}

/* Version, cipher and extensions as text, by md5sum: "771,4865,43-51". */
static void ja3s_is_as_others_compute_it(void **state)
{
    (void)state;
    put_answer(0x0301, 0x002f, (const uint16_t[]){65281, 0, 11, 35, 5, 16}, 6, NULL);
    assert_ja3s("836ce314215654b5b1f85f97c73e506f");
    put_answer(0x0303, 0x1301, (const uint16_t[]){43, 51}, 2, NULL);
    assert_ja3s("f4febc55ea12b31ae17cfb7e614afda8");
    put_answer(0x0300, 0x000a, NULL, 0, NULL);
    assert_ja3s("beee243d749b8f43c283eeaf7517600d");
}

static void a_retry_request_is_none(void **state)
{
    (void)state;
    struct server_hello hello;
    put_answer(0x0303, 0x1301, (const uint16_t[]){43, 51}, 2, retry);
    assert_false(server_hello_parse(&hello, message.at, message.length));
}

static void what_is_cut_or_something_else_is_none(void **state)
{
    (void)state;
    struct server_hello hello;
    put_answer(0x0303, 0x1301, (const uint16_t[]){43, 51}, 2, NULL);
    for (size_t length = 0; length < message.length; length++)
        assert_false(server_hello_parse(&hello, message.at, length));
    message.at[0] = 1;
    assert_false(server_hello_parse(&hello, message.at, message.length));
    message.at[0] = 2;
    message.at[message.length - 1] = 1; /* an extension that is longer than what is left */
    assert_false(server_hello_parse(&hello, message.at, message.length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_parts_are_read),
        cmocka_unit_test(ja3s_is_as_others_compute_it),
        cmocka_unit_test(a_retry_request_is_none),
        cmocka_unit_test(what_is_cut_or_something_else_is_none),
    };
    return cmocka_run_group_tests_name("tls/server_hello", tests, NULL, NULL);
}
