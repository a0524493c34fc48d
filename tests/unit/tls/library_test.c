/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/macros.h"
#include "tls/library.h"

#include <openssl/dsa.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

static void it_is_the_same_each_time(void **state)
{
    (void)state;
    assert_ptr_equal(library_context(), library_context());
}

/* ---- certificates ---- */

static EVP_PKEY *make_dsa_key(void)
{
    EVP_PKEY *parameters = NULL, *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    assert_int_equal(EVP_PKEY_paramgen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_dsa_paramgen_bits(context, 1024), 1);
    assert_int_equal(EVP_PKEY_paramgen(context, &parameters), 1);
    EVP_PKEY_CTX_free(context);
    context = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(parameters);
    return key;
}

static EVP_PKEY *make_key(const char *type)
{
    EVP_PKEY *key = NULL;
    if (strcmp(type, "DSA") == 0)
        return make_dsa_key();
    if (strcmp(type, "EC") == 0)
        return EVP_EC_gen("P-256");
    if (strcmp(type, "RSA") == 0)
        return EVP_RSA_gen(2048);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_keygen(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* As it comes from an origin: with a signature, whatever it is. */
static int make_certificate(EVP_PKEY *key, unsigned char **der)
{
    X509 *certificate = X509_new();
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 60);
    assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);
    int length = i2d_X509(certificate, der);
    assert_true(length > 0);
    X509_free(certificate);
    EVP_PKEY_free(signer);
    return length;
}

static void it_reads_the_public_key_of_every_certificate(void **state)
{
    (void)state;
    static const char *const types[] = {"EC", "RSA", "RSA-PSS", "ED25519", "ED448", "DSA"};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        unsigned char *der = NULL;
        EVP_PKEY *key = make_key(types[i]);
        assert_non_null(key);
        int length = make_certificate(key, &der);
        const unsigned char *at = der;
        X509 *certificate = X509_new_ex(library_context(), NULL);
        assert_non_null(d2i_X509(&certificate, &at, length));
        EVP_PKEY *read = X509_get0_pubkey(certificate);
        assert_non_null(read);
        assert_int_equal(EVP_PKEY_eq(read, key), 1);
        X509_free(certificate);
        EVP_PKEY_free(key);
        OPENSSL_free(der);
    }
}

/* ---- handshakes ---- */

/* A cipher that cannot be had, OpenSSL leaves out. */
static void it_has_every_cipher_suite_that_openssl_has_but_3des(void **state)
{
    (void)state;
    SSL_CTX *own = SSL_CTX_new_ex(library_context(), NULL, TLS_server_method());
    SSL_CTX *other = SSL_CTX_new(TLS_server_method());
    SSL_CTX *const contexts[] = {own, other};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(SSL_CTX_set_cipher_list(contexts[i], "ALL:!3DES:@SECLEVEL=0"), 1);
    const STACK_OF(SSL_CIPHER) *owns = SSL_CTX_get_ciphers(own);
    const STACK_OF(SSL_CIPHER) *others = SSL_CTX_get_ciphers(other);
    assert_true(sk_SSL_CIPHER_num(others) > 50);
    assert_int_equal(sk_SSL_CIPHER_num(owns), sk_SSL_CIPHER_num(others));
    for (int i = 0; i < sk_SSL_CIPHER_num(owns); i++)
        assert_ptr_equal(sk_SSL_CIPHER_value(owns, i), sk_SSL_CIPHER_value(others, i));
    SSL_CTX_free(own);
    SSL_CTX_free(other);
}

static void it_has_every_group(void **state)
{
    (void)state;
    SSL_CTX *context = SSL_CTX_new_ex(library_context(), NULL, TLS_client_method());
    static const char *const groups[] = {"X25519", "P-256",     "P-384",     "P-521",
                                         "X448",   "ffdhe2048", "ffdhe3072", "ffdhe8192"};
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        assert_int_equal(SSL_CTX_set1_groups_list(context, groups[i]), 1);
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_same_each_time),
        cmocka_unit_test(it_reads_the_public_key_of_every_certificate),
        cmocka_unit_test(it_has_every_cipher_suite_that_openssl_has_but_3des),
        cmocka_unit_test(it_has_every_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
