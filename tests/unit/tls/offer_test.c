/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/context.h"
#include "tls/offer.h"

struct setup {
    struct tls_context context;
    X509_STORE *trust;
    struct arena arena;
    struct offer offer;
};

static void init_setup(struct setup *setup)
{
    *setup = (struct setup){.trust = X509_STORE_new()};
    const struct tls_settings settings = {.trust = setup->trust};
    assert_true(tls_context_init(&setup->context, &settings));
}

static void fini_setup(struct setup *setup)
{
    tls_context_fini(&setup->context);
    X509_STORE_free(setup->trust);
    arena_fini(&setup->arena);
}

static bool make(struct setup *setup, const struct hello *hello, int lowest)
{
    return offer_make(&setup->offer, hello, lowest, setup->context.origin, &setup->arena);
}

/* 2-byte values, as they stand in a hello. */
#define LIST(...) reader_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

#define AES_256_SHA384 0x13, 0x02
#define AES_128_SHA256 0x13, 0x01
#define ECDHE_RSA_AES_128_GCM 0xc0, 0x2f
#define ECDHE_RSA_CHACHA 0xcc, 0xa8
#define RSA_RC4 0x00, 0x05
#define RSA_3DES 0x00, 0x0a
#define ANONYMOUS 0x00, 0xa6
#define NULL_SHA 0x00, 0x02
#define EXPORT 0x00, 0x03
#define GREASE 0x5a, 0x5a
#define TLS_1_3 0x03, 0x04
#define TLS_1_2 0x03, 0x03
#define TLS_1_1 0x03, 0x02
#define TLS_1_0 0x03, 0x01

static void assert_versions(const struct offer *offer, int min_version, int max_version)
{
    assert_int_equal(offer->min_version, min_version);
    assert_int_equal(offer->max_version, max_version);
}

static void the_origin_is_offered_what_the_device_offers_in_its_order(void **state)
{
    (void)state;
    struct setup setup;
    init_setup(&setup);
    const struct hello hello = {
        .max_version = TLS1_3_VERSION,
        .versions = LIST(GREASE, TLS_1_3, TLS_1_2, TLS_1_1),
        .ciphers = LIST(GREASE, ECDHE_RSA_CHACHA, AES_128_SHA256, ECDHE_RSA_CHACHA,
                        ECDHE_RSA_AES_128_GCM, AES_256_SHA384, 0x00, 0xff),
        .groups = LIST(GREASE, 0, 24, 0, 29, 0, 24, 1, 0),
    };
    assert_true(make(&setup, &hello, TLS1_2_VERSION));
    assert_versions(&setup.offer, TLS1_2_VERSION, TLS1_3_VERSION);
    assert_string_equal(setup.offer.ciphers,
                        "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256");
    assert_string_equal(setup.offer.suites, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
    assert_string_equal(setup.offer.groups, "P-384:X25519:ffdhe2048");
    fini_setup(&setup);
}

static void an_offer_is_what_the_ssl_then_has(void **state)
{
    (void)state;
    struct setup setup;
    init_setup(&setup);
    const struct hello hello = {.max_version = TLS1_3_VERSION,
                                .versions = LIST(TLS_1_3),
                                .ciphers = LIST(AES_128_SHA256),
                                .groups = LIST(0, 24)};
    assert_true(make(&setup, &hello, TLS1_2_VERSION));
    SSL *ssl = SSL_new(setup.context.origin);
    assert_true(offer_apply(&setup.offer, ssl));
    STACK_OF(SSL_CIPHER) *ciphers = SSL_get1_supported_ciphers(ssl);
    assert_int_equal(sk_SSL_CIPHER_num(ciphers), 1);
    assert_string_equal(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, 0)),
                        "TLS_AES_128_GCM_SHA256");
    assert_int_equal(SSL_get_min_proto_version(ssl), TLS1_3_VERSION);
    sk_SSL_CIPHER_free(ciphers);
    SSL_free(ssl);
    fini_setup(&setup);
}

static void versions_go_no_lower_than_policy_and_stop_at_a_gap(void **state)
{
    (void)state;
    struct setup setup;
    init_setup(&setup);
    struct hello hello = {.max_version = TLS1_3_VERSION,
                          .versions = LIST(TLS_1_0, TLS_1_1, TLS_1_3, TLS_1_2),
                          .ciphers = LIST(AES_128_SHA256, ECDHE_RSA_CHACHA)};
    assert_true(make(&setup, &hello, TLS1_VERSION));
    assert_versions(&setup.offer, TLS1_VERSION, TLS1_3_VERSION);
    assert_true(make(&setup, &hello, TLS1_2_VERSION));
    assert_versions(&setup.offer, TLS1_2_VERSION, TLS1_3_VERSION);
    assert_true(make(&setup, &hello, TLS1_3_VERSION));
    assert_versions(&setup.offer, TLS1_3_VERSION, TLS1_3_VERSION);
    hello.versions = LIST(TLS_1_3, TLS_1_1);
    assert_true(make(&setup, &hello, TLS1_VERSION));
    assert_versions(&setup.offer, TLS1_3_VERSION, TLS1_3_VERSION);
    /* Without a list everything below may be spoken. */
    hello.versions = (struct reader){.left = 0};
    hello.max_version = TLS1_2_VERSION;
    assert_true(make(&setup, &hello, TLS1_VERSION));
    assert_versions(&setup.offer, TLS1_VERSION, TLS1_2_VERSION);
    assert_false(make(&setup, &hello, TLS1_3_VERSION));
    fini_setup(&setup);
}

static void versions_without_a_common_cipher_are_not_offered(void **state)
{
    (void)state;
    struct setup setup;
    init_setup(&setup);
    struct hello hello = {.max_version = TLS1_3_VERSION,
                          .versions = LIST(TLS_1_3, TLS_1_2),
                          .ciphers = LIST(AES_128_SHA256, RSA_RC4)};
    assert_true(make(&setup, &hello, TLS1_2_VERSION));
    assert_versions(&setup.offer, TLS1_3_VERSION, TLS1_3_VERSION);
    hello.ciphers = LIST(ECDHE_RSA_CHACHA);
    assert_true(make(&setup, &hello, TLS1_2_VERSION));
    assert_versions(&setup.offer, TLS1_2_VERSION, TLS1_2_VERSION);
    fini_setup(&setup);
}

static void ciphers_that_are_worth_nothing_are_no_common_ones(void **state)
{
    (void)state;
    struct setup setup;
    init_setup(&setup);
    struct hello hello = {
        .max_version = TLS1_2_VERSION,
        .ciphers = LIST(RSA_RC4, RSA_3DES, ANONYMOUS, NULL_SHA, EXPORT, GREASE, 0x00, 0xff),
    };
    assert_false(make(&setup, &hello, TLS1_VERSION));
    hello.ciphers = (struct reader){.left = 0};
    assert_false(make(&setup, &hello, TLS1_VERSION));
    fini_setup(&setup);
}

static void an_old_device_is_translated_into_our_own_offer(void **state)
{
    (void)state;
    struct setup setup;
    init_setup(&setup);
    const struct hello hello = {.max_version = TLS1_VERSION, .ciphers = LIST(RSA_RC4)};
    assert_true(make(&setup, &hello, TLS1_2_VERSION));
    assert_versions(&setup.offer, TLS1_2_VERSION, TLS1_3_VERSION);
    assert_null(setup.offer.ciphers);
    assert_null(setup.offer.suites);
    assert_null(setup.offer.groups);
    fini_setup(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_origin_is_offered_what_the_device_offers_in_its_order),
        cmocka_unit_test(an_offer_is_what_the_ssl_then_has),
        cmocka_unit_test(versions_go_no_lower_than_policy_and_stop_at_a_gap),
        cmocka_unit_test(versions_without_a_common_cipher_are_not_offered),
        cmocka_unit_test(ciphers_that_are_worth_nothing_are_no_common_ones),
        cmocka_unit_test(an_old_device_is_translated_into_our_own_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
