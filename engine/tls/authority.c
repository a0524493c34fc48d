/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/authority.h"

#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- making ---- */

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

static void read_certificates(struct authority *authority, BIO *memory)
{
    X509 *certificate;
    authority->issuer.certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    while ((certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL)) != NULL)
        CHECK(sk_X509_push(authority->chain, certificate) > 0);
}

static bool read_authority(struct authority *authority, const char *path)
{
    size_t length;
    char *content = file_read_own(path, &length);
    if (content == NULL)
        return false;
    BIO *memory = BIO_new_mem_buf(content, (int)length);
    if (memory != NULL) {
        read_certificates(authority, memory);
        (void)BIO_reset(memory);
        authority->issuer.key = PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL);
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

static bool make_authority(struct issuer *issuer, const char *path,
                           const NAME_CONSTRAINTS *constraints)
{
    char name[128], certificate_path[PATH_MAX];
    make_name(name, sizeof(name));
    authority_certificate_path(path, certificate_path, sizeof(certificate_path));
    /* Whatever verifies certificates verifies RSA's; old and small devices often nothing else. */
    if (!issuer_make(issuer, EVP_RSA_gen(2048), name, constraints)) {
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

static bool open_or_make(struct authority *authority, const char *path,
                         const NAME_CONSTRAINTS *constraints, bool *made)
{
    *made = false;
    if (read_authority(authority, path)) {
        const char *fault = find_fault(&authority->issuer);
        if (fault != NULL)
            log_error("%s: %s", path, fault);
        return fault == NULL;
    }
    if (errno != ENOENT) {
        log_error("%s: %m", path);
        return false;
    }
    *made = make_authority(&authority->issuer, path, constraints);
    return *made;
}

struct authority *authority_open(const char *path, const NAME_CONSTRAINTS *constraints, bool *made)
{
    struct authority *authority = calloc(1, sizeof(*authority));
    bool was_made;
    CHECK(authority != NULL);
    authority->chain = sk_X509_new_null();
    CHECK(authority->chain != NULL);
    if (open_or_make(authority, path, constraints, made != NULL ? made : &was_made) &&
        issuer_prepare(&authority->issuer))
        return authority;
    authority_free(authority);
    return NULL;
}

void authority_free(struct authority *authority)
{
    if (authority == NULL)
        return;
    issuer_fini(&authority->issuer);
    sk_X509_pop_free(authority->chain, X509_free);
    free(authority);
}
