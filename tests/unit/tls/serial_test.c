/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/serial.h"

#include <stdlib.h>
#include <string.h>

#define COUNT 2000

struct number {
    unsigned char bytes[20];
};

static struct number take_number(void)
{
    struct number number = {{0}};
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_true(serial_set_random(certificate));
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); /* not V_ASN1_NEG_INTEGER */
    int length = ASN1_STRING_length(serial);
    assert_in_range(length, 8, sizeof(number.bytes));
    memcpy(number.bytes + sizeof(number.bytes) - length, ASN1_STRING_get0_data(serial),
           (size_t)length);
    X509_free(certificate);
    return number;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct number));
}

static void serials_are_positive_and_never_the_same(void **state)
{
    (void)state;
    static struct number numbers[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        numbers[i] = take_number();
    qsort(numbers, COUNT, sizeof(numbers[0]), compare);
    for (size_t i = 1; i < COUNT; i++)
        assert_int_not_equal(compare(&numbers[i - 1], &numbers[i]), 0);
}

/* RFC 5280, 4.1.2.2: at most 20 octets, the sign's included. */
static void an_encoded_serial_has_at_most_twenty_octets(void **state)
{
    (void)state;
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    for (size_t i = 0; i < 100; i++) {
        assert_true(serial_set_random(certificate));
        int size = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), NULL);
        assert_in_range(size, 2 + 8, 2 + 20);
    }
    X509_free(certificate);
}

/* At least 64 random bits: the others are the same in all of 2,000 with a chance of 1 in 2^1999. */
static void at_least_64_bits_vary(void **state)
{
    (void)state;
    const struct number first = take_number();
    struct number varied = {{0}};
    int bits = 0;
    for (size_t i = 1; i < COUNT; i++) {
        const struct number number = take_number();
        for (size_t j = 0; j < sizeof(number.bytes); j++)
            varied.bytes[j] |= number.bytes[j] ^ first.bytes[j];
    }
    for (size_t j = 0; j < sizeof(varied.bytes); j++)
        bits += __builtin_popcount(varied.bytes[j]);
    assert_in_range(bits, 64, 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serials_are_positive_and_never_the_same),
        cmocka_unit_test(an_encoded_serial_has_at_most_twenty_octets),
        cmocka_unit_test(at_least_64_bits_vary),
    };
    return cmocka_run_group_tests_name("tls/serial", tests, NULL, NULL);
}
