/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/macros.h"
#include "tls/digest.h"

#include <string.h>

static void digest_of(const char *first, const char *second, unsigned char out[static DIGEST_SIZE])
{
    struct digest digest;
    digest_init(&digest);
    digest_text(&digest, first);
    digest_text(&digest, second);
    assert_true(digest_final(&digest, out));
}

static void the_same_values_give_the_same_digest(void **state)
{
    (void)state;
    unsigned char first[DIGEST_SIZE], second[DIGEST_SIZE];
    digest_of("ab", "c", first);
    digest_of("ab", "c", second);
    assert_memory_equal(first, second, DIGEST_SIZE);
}

static void other_values_give_another_even_if_they_are_the_same_bytes(void **state)
{
    (void)state;
    static const char *const lists[][2] = {{"ab", "c"}, {"a", "bc"},   {"abc", ""},
                                           {"", "abc"}, {"abc", NULL}, {NULL, "abc"}};
    unsigned char digests[ARRAY_SIZE(lists)][DIGEST_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        digest_of(lists[i][0], lists[i][1], digests[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(digests[i], digests[j], DIGEST_SIZE);
    }
}

static void digest_of_address(const char *text, unsigned char out[static DIGEST_SIZE])
{
    struct address address;
    struct digest digest;
    memset(&address, 0xff, sizeof(address)); /* what is beside the address does not count */
    assert_true(address_parse(&address, text));
    digest_init(&digest);
    digest_address(&digest, &address);
    assert_true(digest_final(&digest, out));
}

static void an_address_counts_with_its_port(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1:443", "192.0.2.1:444", "192.0.2.2:443",
                                        "[2001:db8::1]:443", "[2001:db8::2]:443"};
    unsigned char digests[ARRAY_SIZE(texts)][DIGEST_SIZE], again[DIGEST_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        digest_of_address(texts[i], digests[i]);
        digest_of_address(texts[i], again);
        assert_memory_equal(digests[i], again, DIGEST_SIZE);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(digests[i], digests[j], DIGEST_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_values_give_the_same_digest),
        cmocka_unit_test(other_values_give_another_even_if_they_are_the_same_bytes),
        cmocka_unit_test(an_address_counts_with_its_port),
    };
    return cmocka_run_group_tests_name("tls/digest", tests, NULL, NULL);
}
