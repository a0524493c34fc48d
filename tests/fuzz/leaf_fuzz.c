/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An origin's certificate, of which a leaf is forged. */
#include "fuzz.h"
#include "tls/leaf.h"

static const struct leaf_maker *any_maker(void)
{
    static struct leaf_maker maker;
    static struct issuer authority;
    if (maker.authority != NULL)
        return &maker;
    must_hold(issuer_make(&authority, EVP_EC_gen("P-256"), "fuzz", NULL));
    must_hold(issuer_make(&maker.untrusted, EVP_EC_gen("P-256"), "untrusted", NULL));
    must_hold(issuer_prepare(&maker.untrusted));
    maker.authority = authority.certificate;
    maker.keys.keys[LEAF_KEY_ECDSA] = EVP_EC_gen("P-256");
    must_hold(
        X509_PUBKEY_set(&maker.keys.encoded[LEAF_KEY_ECDSA], maker.keys.keys[LEAF_KEY_ECDSA]) == 1);
    return &maker;
}

/* A leaf can be encoded and read again, is an end's, and lives no longer than 200 days. */
static void check_leaf(const struct leaf *leaf)
{
    unsigned char *der = NULL;
    int length = i2d_X509(leaf->certificate, &der), days, seconds;
    must_hold(length > 0);
    const unsigned char *at = der;
    X509 *again = d2i_X509(NULL, &at, length);
    must_hold(again != NULL && X509_check_ca(again) == 0);
    must_hold(X509_get_extended_key_usage(again) == XKU_SSL_SERVER);
    must_hold(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(again),
                             X509_get0_notAfter(again)) == 1);
    must_hold(days < 200 && days >= 0 && seconds >= 0);
    X509_free(again);
    OPENSSL_free(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const unsigned char *at = bytes;
    X509 *origin = d2i_X509(NULL, &at, (long)length);
    if (origin == NULL)
        return 0;
    /* Signing takes most of the time, so each input is signed but once. */
    const struct leaf_request request = {.origin = origin,
                                         .signer = (enum leaf_signer)(bytes[length - 1] % 3),
                                         .good_dates = length % 2 == 0,
                                         .add_name = length % 3 == 0 ? "added.test" : NULL};
    struct leaf *leaf = leaf_make(any_maker(), &request);
    if (leaf != NULL)
        check_leaf(leaf);
    leaf_unref(leaf);
    struct arena arena = {0};
    struct certificate_facts facts;
    certificate_describe(&facts, origin, &arena);
    X509_free(origin);
    arena_fini(&arena);
    return 0;
}
