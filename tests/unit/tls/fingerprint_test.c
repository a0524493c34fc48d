/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Expected values are the specifications' own, or were computed from it with sha256sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hello_bytes.h"
#include "tls/fingerprint.h"

static uint8_t message_buffer[HELLO_LIMIT];
static struct bytes extensions, message, wire;

/* With the extensions that were put before; the next one begins with none. */
static struct hello make_hello(uint16_t version, const uint16_t *ciphers, size_t count)
{
    struct hello hello;
    message.length = wire.length = 0;
    put_hello(&message, version, ciphers, count, extensions.length > 0 ? &extensions : NULL);
    put_records(&wire, &message, 16384);
    assert_int_equal(hello_parse(&hello, wire.at, wire.length, message_buffer), HELLO_COMPLETE);
    extensions.length = 0;
    return hello;
}

static void assert_ja4(uint16_t version, const uint16_t *ciphers, size_t count,
                       const char *expected)
{
    struct hello hello = make_hello(version, ciphers, count);
    char text[JA4_SIZE];
    fingerprint_ja4(&hello, text);
    assert_string_equal(text, expected);
}

/* What Chrome sends, in its order; with GREASE at the places where Chrome has it. */
static void put_chrome_extensions(bool grease)
{
    static const uint16_t order[] = {0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017,
                                     0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
                                     0xff01, 0x000b, 0x000a, 0x0015};
    static const uint16_t signatures[] = {0x9a9a, 0x0403, 0x0804, 0x0401, 0x0503,
                                          0x0805, 0x0501, 0x0806, 0x0601};
    static const uint16_t versions[] = {0x8a8a, 0x0304, 0x0303};
    const size_t skip = grease ? 0 : 1;
    if (grease)
        put_extension(&extensions, 0x3a3a, "", 0);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        switch (order[i]) {
        case EXTENSION_SERVER_NAME:
            put_name_extension(&extensions, "example.com", 11);
            break;
        case EXTENSION_ALPN:
            put_alpn_extension(&extensions, "\2h2\10http/1.1");
            break;
        case EXTENSION_SIGNATURES:
            put_list_extension(&extensions, order[i], 2, signatures + skip,
                               ARRAY_SIZE(signatures) - skip);
            break;
        case EXTENSION_VERSIONS:
            put_list_extension(&extensions, order[i], 1, versions + skip,
                               ARRAY_SIZE(versions) - skip);
            break;
        default:
            put_extension(&extensions, order[i], "", 0);
        }
    }
    if (grease)
        put_extension(&extensions, 0xcaca, "x", 1);
}

static const uint16_t chrome_ciphers[] = {0x5a5a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
                                          0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
                                          0x009c, 0x009d, 0x002f, 0x0035};

static void the_published_vector(void **state)
{
    (void)state;
    put_chrome_extensions(false);
    assert_ja4(0x0303, chrome_ciphers + 1, ARRAY_SIZE(chrome_ciphers) - 1,
               "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

static void grease_changes_nothing(void **state)
{
    (void)state;
    put_chrome_extensions(true);
    assert_ja4(0x0303, chrome_ciphers, ARRAY_SIZE(chrome_ciphers),
               "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

/* Chrome shuffles its extensions since 110; signature algorithms keep their order. */
static void the_order_of_ciphers_and_extensions_does_not_count(void **state)
{
    (void)state;
    static const uint16_t forth[] = {0x0401, 0x0403}, back[] = {0x0403, 0x0401};
    put_list_extension(&extensions, EXTENSION_SIGNATURES, 2, forth, 2);
    put_extension(&extensions, 0x0023, "", 0);
    assert_ja4(0x0303, (const uint16_t[]){0xc02f, 0x009c}, 2,
               "t12i020200_08dfa304a768_06b827fefa6b");
    put_extension(&extensions, 0x0023, "", 0);
    put_list_extension(&extensions, EXTENSION_SIGNATURES, 2, forth, 2);
    assert_ja4(0x0303, (const uint16_t[]){0x009c, 0xc02f}, 2,
               "t12i020200_08dfa304a768_06b827fefa6b");
    put_extension(&extensions, 0x0023, "", 0);
    put_list_extension(&extensions, EXTENSION_SIGNATURES, 2, back, 2);
    assert_ja4(0x0303, (const uint16_t[]){0x009c, 0xc02f}, 2,
               "t12i020200_08dfa304a768_ca16d4344dc5");
}

static void a_hello_of_almost_nothing(void **state)
{
    (void)state;
    assert_ja4(0x0301, NULL, 0, "t10i000000_000000000000_000000000000");
    assert_ja4(0x0301, (const uint16_t[]){0x002f}, 1, "t10i010000_ba72b8082249_000000000000");
    assert_ja4(0x0303, (const uint16_t[]){0x0a0a, 0xfafa}, 2,
               "t12i000000_000000000000_000000000000");
}

static void the_name_and_the_protocols_are_counted_but_not_hashed(void **state)
{
    (void)state;
    put_name_extension(&extensions, "a.test", 6);
    put_alpn_extension(&extensions, "\2h2");
    assert_ja4(0x0303, NULL, 0, "t12d0002h2_000000000000_000000000000");
    put_name_extension(&extensions, "a.test", 6);
    put_extension(&extensions, 0x0023, "", 0);
    assert_ja4(0x0303, NULL, 0, "t12d000200_000000000000_e78b541c01a9");
}

static void a_name_that_is_none_is_still_a_name_sent(void **state)
{
    (void)state;
    put_name_extension(&extensions, "a b", 3);
    assert_ja4(0x0303, NULL, 0, "t12d000100_000000000000_000000000000");
}

static void versions_have_two_characters(void **state)
{
    (void)state;
    static const struct {
        uint16_t legacy, offered;
        const char *expected;
    } cases[] = {
        {0x0300, 0, "ts3i000000_000000000000_000000000000"},
        {0x0301, 0, "t10i000000_000000000000_000000000000"},
        {0x0302, 0, "t11i000000_000000000000_000000000000"},
        {0x0303, 0, "t12i000000_000000000000_000000000000"},
        {0x0303, 0x0304, "t13i000100_000000000000_b9a491fefe05"},
        {0x0303, 0x0302, "t11i000100_000000000000_b9a491fefe05"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (cases[i].offered != 0)
            put_list_extension(&extensions, EXTENSION_VERSIONS, 1, &cases[i].offered, 1);
        assert_ja4(cases[i].legacy, NULL, 0, cases[i].expected);
    }
}

static void the_first_protocol_is_told_by_its_ends(void **state)
{
    (void)state;
    static const struct {
        const char *protocols, *expected;
    } cases[] = {
        {"\10http/1.1\2h2", "t12i0001h1_000000000000_000000000000"},
        {"\4mqtt", "t12i0001mt_000000000000_000000000000"},
        {"\1x", "t12i0001xx_000000000000_000000000000"},
        {"\2\xab\xcd", "t12i0001ad_000000000000_000000000000"},
        {"\2\x20h", "t12i000128_000000000000_000000000000"},
        {"\2h\x7e", "t12i00016e_000000000000_000000000000"},
        {"\2\x7a\x7a", "t12i0001zz_000000000000_000000000000"},
        {"", "t12i000100_000000000000_000000000000"},
        {"\5h2", "t12i000100_000000000000_000000000000"}, /* cut short */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put_alpn_extension(&extensions, cases[i].protocols);
        assert_ja4(0x0303, NULL, 0, cases[i].expected);
    }
}

static void more_than_99_are_99(void **state)
{
    (void)state;
    uint16_t ciphers[120];
    for (size_t i = 0; i < ARRAY_SIZE(ciphers); i++) {
        ciphers[i] = (uint16_t)(i + 1);
        put_extension(&extensions, (uint16_t)(0x1000 + i), "", 0);
    }
    assert_ja4(0x0303, ciphers, ARRAY_SIZE(ciphers), "t12i999900_0f8860b09f90_3ec5f12e055a");
}

/* As many of everything as a hello can hold: the text keeps its form. */
static void the_largest_hello_has_a_fingerprint(void **state)
{
    (void)state;
    static uint16_t many[7000];
    char text[JA4_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (uint16_t)(0x2000 + i);
    put_list_extension(&extensions, EXTENSION_SIGNATURES, 2, many, ARRAY_SIZE(many));
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        put_extension(&extensions, many[i], "", 0);
    struct hello hello = make_hello(0x0303, many, ARRAY_SIZE(many));
    fingerprint_ja4(&hello, text);
    assert_int_equal(strlen(text), JA4_SIZE - 1);
    assert_memory_equal(text, "t12i999900_", 11);
    assert_int_equal(text[23], '_');
    assert_int_equal(strspn(text + 11, "0123456789abcdef"), 12);
    assert_int_equal(strspn(text + 24, "0123456789abcdef"), 12);
    assert_true(fingerprint_ja3(&hello, text));
    assert_int_equal(strspn(text, "0123456789abcdef"), JA3_SIZE - 1);
}

/* ---- JA3: the vectors are those of its README ---- */

static void assert_ja3(uint16_t version, const uint16_t *ciphers, size_t count,
                       const char *expected)
{
    struct hello hello = make_hello(version, ciphers, count);
    char text[JA3_SIZE];
    assert_true(fingerprint_ja3(&hello, text));
    assert_string_equal(text, expected);
}

static void ja3_of_a_published_hello(void **state)
{
    (void)state;
    static const uint16_t ciphers[] = {47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4};
    static const uint16_t groups[] = {23, 24, 25};
    for (int grease = 0; grease < 2; grease++) {
        if (grease == 1)
            put_extension(&extensions, 0x1a1a, "", 0);
        put_name_extension(&extensions, "a.test", 6);
        put_list_extension(&extensions, EXTENSION_GROUPS, 2, groups, ARRAY_SIZE(groups));
        put_extension(&extensions, EXTENSION_POINT_FORMATS, "\1\0", 2);
        assert_ja3(0x0301, ciphers, ARRAY_SIZE(ciphers), "ada70206e40642a3e4461f35503241d5");
    }
}

static void ja3_of_a_published_hello_without_extensions(void **state)
{
    (void)state;
    static const uint16_t ciphers[] = {4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99};
    assert_ja3(0x0301, ciphers, ARRAY_SIZE(ciphers), "de350869b8c85de67a350c8d186f11e6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vector),
        cmocka_unit_test(grease_changes_nothing),
        cmocka_unit_test(the_order_of_ciphers_and_extensions_does_not_count),
        cmocka_unit_test(a_hello_of_almost_nothing),
        cmocka_unit_test(the_name_and_the_protocols_are_counted_but_not_hashed),
        cmocka_unit_test(a_name_that_is_none_is_still_a_name_sent),
        cmocka_unit_test(versions_have_two_characters),
        cmocka_unit_test(the_first_protocol_is_told_by_its_ends),
        cmocka_unit_test(more_than_99_are_99),
        cmocka_unit_test(the_largest_hello_has_a_fingerprint),
        cmocka_unit_test(ja3_of_a_published_hello),
        cmocka_unit_test(ja3_of_a_published_hello_without_extensions),
    };
    return cmocka_run_group_tests_name("tls/fingerprint", tests, NULL, NULL);
}
