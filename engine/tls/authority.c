/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/authority.h"

#include "core/file.h"
#include "core/log.h"
#include "tls/serial.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VALID_DAYS 3650
#define BACKDATED_SECONDS (24 * 3600) /* devices' clocks are seldom right */

struct issuer {
    X509 *certificate;
    EVP_PKEY *key;
    X509_EXTENSION *key_identifier; /* the authority key identifier of what it signs */
};

struct authority {
    struct issuer issuers[2]; /* by enum signer */
};

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

static bool fill_certificate(X509 *certificate, EVP_PKEY *key, const char *name)
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
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

/* A new key, which goes over, and its self-signed certificate. */
static bool make_issuer(struct issuer *issuer, EVP_PKEY *key, const char *name)
{
    issuer->key = key;
    issuer->certificate = X509_new();
    return issuer->key != NULL && issuer->certificate != NULL &&
           fill_certificate(issuer->certificate, issuer->key, name);
}

/* The CA's name tells installs apart in a phone's list of certificates. */
static void make_name(char *name, size_t size)
{
    char host[65] = "";
    (void)!gethostname(host, sizeof(host) - 1);
    time_t now = time(NULL);
    struct tm date;
    gmtime_r(&now, &date);
    snprintf(name, size, "interceptd CA %.24s %04d-%02d-%02d", host, date.tm_year + 1900,
             date.tm_mon + 1, date.tm_mday);
}

static bool write_pem(const char *path, const struct issuer *issuer, bool with_key, mode_t mode)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *content = NULL;
    bool done = memory != NULL && PEM_write_bio_X509(memory, issuer->certificate) == 1 &&
                (!with_key || PEM_write_bio_PKCS8PrivateKey(memory, issuer->key, NULL, NULL, 0,
                                                            NULL, NULL) == 1);
    long length = done ? BIO_get_mem_data(memory, &content) : 0;
    /* A key is never overwritten; a certificate that is left over from another key is. */
    done = done && (with_key ? file_create(path, content, (size_t)length, mode)
                             : file_replace(path, content, (size_t)length, mode));
    if (content != NULL)
        OPENSSL_cleanse(content, (size_t)length);
    BIO_free(memory);
    return done;
}

void authority_certificate_path(const char *path, char *text, size_t size)
{
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, ".pem") == 0)
        length -= 4;
    snprintf(text, size, "%.*s-cert.pem", (int)length, path);
}

/* ---- opening ---- */

static bool read_issuer(struct issuer *issuer, const char *path)
{
    size_t length;
    char *content = file_read(path, &length);
    if (content == NULL)
        return false;
    BIO *memory = BIO_new_mem_buf(content, (int)length);
    if (memory != NULL) {
        issuer->certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
        (void)BIO_reset(memory);
        issuer->key = PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL);
    }
    BIO_free(memory);
    OPENSSL_cleanse(content, length);
    free(content);
    ERR_clear_error();
    errno = 0;
    return true;
}

/* What is wrong with the authority in a file; NULL if it will do. */
static const char *find_fault(const struct issuer *issuer)
{
    if (issuer->certificate == NULL)
        return "there is no certificate in it";
    if (issuer->key == NULL)
        return "there is no private key in it";
    if (X509_check_private_key(issuer->certificate, issuer->key) != 1)
        return "the private key is not that of the certificate";
    if (X509_check_ca(issuer->certificate) != 1)
        return "the certificate is not that of a CA";
    if ((X509_get_key_usage(issuer->certificate) & KU_KEY_CERT_SIGN) == 0)
        return "the certificate may not sign certificates";
    if (X509_cmp_current_time(X509_get0_notAfter(issuer->certificate)) <= 0)
        return "the certificate has expired";
    return NULL;
}

/* Certificates name their issuer's key by the issuer's own identifier (RFC 5280, 4.2.1.1). */
static bool make_key_identifier(struct issuer *issuer)
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

static bool make_authority(struct issuer *issuer, const char *path)
{
    char name[128], certificate_path[PATH_MAX];
    make_name(name, sizeof(name));
    authority_certificate_path(path, certificate_path, sizeof(certificate_path));
    /* Whatever verifies certificates verifies RSA's; old and small devices often nothing else. */
    if (!make_issuer(issuer, EVP_RSA_gen(2048), name)) {
        log_error("no CA could be made");
        return false;
    }
    if (!file_make_parents(path, 0700) || !write_pem(path, issuer, true, 0600)) {
        log_error("%s: the new CA could not be written: %m", path);
        return false;
    }
    if (!write_pem(certificate_path, issuer, false, 0644))
        log_warning("%s: the certificate could not be written: %m", certificate_path);
    return true;
}

static bool open_or_make(struct issuer *issuer, const char *path, bool *made)
{
    *made = false;
    if (read_issuer(issuer, path)) {
        const char *fault = find_fault(issuer);
        if (fault != NULL)
            log_error("%s: %s", path, fault);
        return fault == NULL;
    }
    if (errno != ENOENT) {
        log_error("%s: %m", path);
        return false;
    }
    *made = make_authority(issuer, path);
    return *made;
}

struct authority *authority_open(const char *path, bool *made)
{
    struct authority *authority = calloc(1, sizeof(*authority));
    bool was_made;
    CHECK(authority != NULL);
    struct issuer *untrusted = &authority->issuers[SIGNER_UNTRUSTED];
    if (!open_or_make(&authority->issuers[SIGNER_AUTHORITY], path,
                      made != NULL ? made : &was_made)) {
        authority_free(authority);
        return NULL;
    }
    if (!make_issuer(untrusted, EVP_EC_gen("P-256"), "interceptd: the origin is not trusted") ||
        !make_key_identifier(&authority->issuers[SIGNER_AUTHORITY]) ||
        !make_key_identifier(untrusted)) {
        log_error("the CA could not be prepared");
        authority_free(authority);
        return NULL;
    }
    return authority;
}

void authority_free(struct authority *authority)
{
    if (authority == NULL)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(authority->issuers); i++) {
        X509_free(authority->issuers[i].certificate);
        EVP_PKEY_free(authority->issuers[i].key);
        X509_EXTENSION_free(authority->issuers[i].key_identifier);
    }
    free(authority);
}

X509 *authority_certificate(const struct authority *authority)
{
    return authority->issuers[SIGNER_AUTHORITY].certificate;
}

/* ---- signing ---- */

static bool could_sign_others(X509 *certificate)
{
    return X509_check_ca(certificate) != 0 ||
           (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) != 0;
}

bool authority_sign(const struct authority *authority, enum signer signer, X509 *certificate)
{
    const struct issuer *issuer = &authority->issuers[signer];
    /* Ed25519 and Ed448 bring their own digest. */
    int type = EVP_PKEY_get_base_id(issuer->key);
    const EVP_MD *digest = type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448 ? NULL : EVP_sha256();
    bool done =
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
        (issuer->key_identifier == NULL ||
         X509_add_ext(certificate, issuer->key_identifier, -1) == 1) &&
        X509_sign(certificate, issuer->key, digest) > 0;
    /* Asked of the signed certificate: only now does OpenSSL see its extensions. */
    done = done && !could_sign_others(certificate);
    ERR_clear_error();
    return done;
}
