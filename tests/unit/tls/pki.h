/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pki.h - certificates of every kind, good and bad, made by OpenSSL and none of the engine's code.
 * cmocka.h must be included before. */
#ifndef TESTS_TLS_PKI_H
#define TESTS_TLS_PKI_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define DAY ((time_t)86400)

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

/* What all-zero means stands behind each. */
struct recipe {
    const char *common_name;        /* an empty subject */
    int common_name_length;         /* up to its NUL */
    const char *names;              /* no SAN; else as in openssl.cnf: "DNS:a.test, IP:192.0.2.1" */
    const GENERAL_NAMES *raw_names; /* the same for what such a text cannot say */
    const struct identity *issuer;  /* signed by itself */
    bool ca;                        /* an end's certificate */
    int rsa_bits;                   /* a key on P-256 */
    const char *key_type;           /* or one of this type */
    const EVP_MD *digest;           /* SHA-256 */
    time_t not_before, not_after;   /* since a day, for another 30 days */
    struct {
        int nid;
        const char *value; /* as in openssl.cnf */
    } extensions[10];      /* none */
};

static inline void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline EVP_PKEY *make_key(const struct recipe *recipe)
{
    EVP_PKEY *key;
    if (recipe->rsa_bits > 0)
        key = EVP_RSA_gen((unsigned)recipe->rsa_bits);
    else if (recipe->key_type != NULL)
        key = EVP_PKEY_Q_keygen(NULL, NULL, recipe->key_type);
    else
        key = EVP_EC_gen("P-256");
    assert_non_null(key);
    return key;
}

static inline void add_common_name(X509_NAME *subject, const struct recipe *recipe)
{
    int length = recipe->common_name_length > 0 ? recipe->common_name_length : -1;
    if (recipe->common_name == NULL)
        return;
    /* Not MBSTRING_UTF8: that would refuse names that are too long. */
    assert_int_equal(X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                                (const unsigned char *)recipe->common_name, length,
                                                -1, 0),
                     1);
}

static inline void add_recipe_extensions(X509 *certificate, X509 *issuer,
                                         const struct recipe *recipe)
{
    if (recipe->ca) {
        add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
        add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
    }
    if (recipe->names != NULL)
        add_extension(certificate, issuer, NID_subject_alt_name, recipe->names);
    if (recipe->raw_names != NULL)
        assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name,
                                           (void *)(uintptr_t)recipe->raw_names, 0, 0),
                         1);
    for (size_t i = 0; recipe->extensions[i].nid != 0; i++)
        add_extension(certificate, issuer, recipe->extensions[i].nid, recipe->extensions[i].value);
}

static inline void set_dates(X509 *certificate, const struct recipe *recipe)
{
    time_t now = time(NULL);
    time_t not_before = recipe->not_before != 0 ? recipe->not_before : now - DAY;
    time_t not_after = recipe->not_after != 0 ? recipe->not_after : now + 30 * DAY;
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), not_before));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), not_after));
}

static inline struct identity make_identity(const struct recipe *recipe)
{
    static long serial = 1000;
    struct identity identity = {.certificate = X509_new(), .key = make_key(recipe)};
    X509 *certificate = identity.certificate;
    const struct identity *issuer = recipe->issuer != NULL ? recipe->issuer : &identity;
    const EVP_MD *digest = recipe->digest != NULL ? recipe->digest : EVP_sha256();
    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++), 1);
    set_dates(certificate, recipe);
    add_common_name(X509_get_subject_name(certificate), recipe);
    assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)),
                     1);
    assert_int_equal(X509_set_pubkey(certificate, identity.key), 1);
    add_recipe_extensions(certificate, issuer->certificate, recipe);
    if (EVP_PKEY_is_a(issuer->key, "ED25519"))
        digest = NULL;
    assert_true(X509_sign(certificate, issuer->key, digest) > 0);
    ERR_clear_error();
    return identity;
}

static inline void free_identity(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    *identity = (struct identity){NULL, NULL};
}

/* Certificate and key in one file; either may be left out. */
static inline void write_identity(const char *path, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    if (certificate != NULL)
        assert_int_equal(PEM_write_X509(file, certificate), 1);
    if (key != NULL)
        assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

static inline time_t time_of(const ASN1_TIME *asn1_time)
{
    struct tm parts;
    assert_int_equal(ASN1_TIME_to_tm(asn1_time, &parts), 1);
    return timegm(&parts);
}

/* Which extensions there are and no others; the list ends with 0. */
static inline void assert_extensions(const X509 *certificate, const int *nids)
{
    int count = 0;
    for (; nids[count] != 0; count++)
        if (X509_get_ext_by_NID(certificate, nids[count], -1) < 0)
            fail_msg("%s is missing", OBJ_nid2sn(nids[count]));
    assert_int_equal(X509_get_ext_count(certificate), count);
}

static inline bool is_critical(const X509 *certificate, int nid)
{
    int index = X509_get_ext_by_NID(certificate, nid, -1);
    assert_true(index >= 0);
    return X509_EXTENSION_get_critical(X509_get_ext(certificate, index)) == 1;
}

/* As the strictest device verifies a server that is `name`: X509_V_OK, or the first error. */
static inline int verify_strictly(X509 *certificate, X509 *anchor, const char *name)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    assert_true(store != NULL && context != NULL);
    assert_int_equal(X509_STORE_add_cert(store, anchor), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
    assert_int_equal(X509_STORE_CTX_set_default(context, "ssl_server"), 1);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    if (name != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_host(parameters, name, 0), 1);
    int error = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    return error;
}

#endif
