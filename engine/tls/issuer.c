/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/issuer.h"

#include "tls/serial.h"

#include <openssl/err.h>

#define VALID_DAYS 3650
#define BACKDATED_SECONDS (24 * 3600) /* devices' clocks are seldom right */

/* ---- making ---- */

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool add_name_constraints(X509 *certificate, const NAME_CONSTRAINTS *constraints)
{
    return constraints == NULL ||
           X509_add1_ext_i2d(certificate, NID_name_constraints, (void *)constraints, 1, 0) == 1;
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *key, const char *name,
                             const NAME_CONSTRAINTS *constraints)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && serial_set_random(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATED_SECONDS) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), (long)VALID_DAYS * 86400) != NULL &&
           X509_set_pubkey(certificate, key) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
                                      (const unsigned char *)"interceptd", -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           add_name_constraints(certificate, constraints) &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

bool issuer_make(struct issuer *issuer, EVP_PKEY *key, const char *name,
                 const NAME_CONSTRAINTS *name_constraints)
{
    issuer->key = key;
    issuer->certificate = X509_new();
    return issuer->key != NULL && issuer->certificate != NULL &&
           fill_certificate(issuer->certificate, issuer->key, name, name_constraints);
}

/* Certificates name their issuer's key by the issuer's own identifier (RFC 5280, 4.2.1.1). */
bool issuer_prepare(struct issuer *issuer)
{
    AUTHORITY_KEYID *identifier = AUTHORITY_KEYID_new();
    const ASN1_OCTET_STRING *subject = X509_get0_subject_key_id(issuer->certificate);
    if (identifier == NULL)
        return false;
    if (subject != NULL) {
        identifier->keyid = ASN1_OCTET_STRING_dup(subject);
        issuer->key_identifier = X509V3_EXT_i2d(NID_authority_key_identifier, 0, identifier);
    }
    AUTHORITY_KEYID_free(identifier);
    return subject == NULL || issuer->key_identifier != NULL;
}

void issuer_fini(struct issuer *issuer)
{
    X509_free(issuer->certificate);
    EVP_PKEY_free(issuer->key);
    X509_EXTENSION_free(issuer->key_identifier);
    *issuer = (struct issuer){0};
}

/* ---- signing ---- */

static bool could_sign_others(X509 *certificate)
{
    return X509_check_ca(certificate) != 0 ||
           (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) != 0;
}

bool issuer_sign(const struct issuer *issuer, X509 *certificate)
{
    /* Ed25519 and Ed448 bring their own digest. */
    int type = EVP_PKEY_get_base_id(issuer->key);
    const EVP_MD *digest = type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448 ? NULL : EVP_sha256();
    bool done =
        serial_set_random(certificate) &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
        (issuer->key_identifier == NULL ||
         X509_add_ext(certificate, issuer->key_identifier, -1) == 1) &&
        X509_sign(certificate, issuer->key, digest) > 0;
    /* Asked of the signed certificate: only now does OpenSSL see its extensions. */
    done = done && !could_sign_others(certificate);
    ERR_clear_error();
    return done;
}
