/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/credentials.h"

#include "core/file.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* A pem_password_cb: nobody is there to be asked. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)text, (void)size, (void)writing, (void)context;
    return -1;
}

/* The first certificate is the one that is shown, the others stand above it. */
static bool read_certificates(struct credentials *credentials, BIO *pem)
{
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL)) != NULL) {
        if (credentials->leaf->certificate == NULL)
            credentials->leaf->certificate = certificate;
        else
            CHECK(sk_X509_push(credentials->chain, certificate) > 0);
    }
    return credentials->leaf->certificate != NULL;
}

/* NULL, or what is wrong. */
static const char *read_pem(struct credentials *credentials, BIO *pem)
{
    struct leaf *leaf = credentials->leaf;
    if (!read_certificates(credentials, pem))
        return "there is no certificate in it";
    CHECK(BIO_seek(pem, 0) == 0);
    leaf->key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
    if (leaf->key == NULL)
        return "there is no private key in it that can be read without a passphrase";
    if (X509_check_private_key(leaf->certificate, leaf->key) != 1)
        return "its private key does not belong to its first certificate";
    certificate_fingerprint(leaf->certificate, leaf->fingerprint);
    certificate_sha256(leaf->certificate, leaf->sha256);
    leaf->chain = credentials->chain;
    return NULL;
}

static struct credentials *make_empty(void)
{
    struct credentials *credentials = calloc(1, sizeof(*credentials));
    CHECK(credentials != NULL);
    credentials->leaf = calloc(1, sizeof(*credentials->leaf));
    credentials->chain = sk_X509_new_null();
    CHECK(credentials->leaf != NULL && credentials->chain != NULL);
    atomic_init(&credentials->leaf->references, 1);
    return credentials;
}

struct credentials *credentials_load(const char *path, const char **complaint)
{
    size_t length;
    char *text = file_read(path, &length);
    if (text == NULL) {
        *complaint = strerror(errno);
        return NULL;
    }
    struct credentials *credentials = make_empty();
    BIO *pem = BIO_new_mem_buf(text, (int)length);
    CHECK(pem != NULL);
    *complaint = read_pem(credentials, pem);
    BIO_free(pem);
    OPENSSL_cleanse(text, length);
    free(text);
    ERR_clear_error();
    if (*complaint == NULL)
        return credentials;
    credentials_free(credentials);
    return NULL;
}

void credentials_free(struct credentials *credentials)
{
    if (credentials == NULL)
        return;
    leaf_unref(credentials->leaf);
    sk_X509_pop_free(credentials->chain, X509_free);
    free(credentials);
}

bool credentials_use(const struct credentials *credentials, SSL *ssl)
{
    const struct leaf *leaf = credentials->leaf;
    return SSL_use_cert_and_key(ssl, leaf->certificate, leaf->key, credentials->chain, 1) == 1;
}
