/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/leaf_keys.h"

#include "core/file.h"
#include "core/log.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static bool make_keys(struct leaf_keys *keys)
{
    keys->keys[LEAF_KEY_ECDSA] = EVP_EC_gen("P-256");
    keys->keys[LEAF_KEY_RSA] = EVP_RSA_gen(2048);
    return keys->keys[LEAF_KEY_ECDSA] != NULL && keys->keys[LEAF_KEY_RSA] != NULL;
}

static bool read_keys(struct leaf_keys *keys, const char *path)
{
    size_t length;
    char *content = file_read(path, &length);
    BIO *memory = content != NULL ? BIO_new_mem_buf(content, (int)length) : NULL;
    for (size_t i = 0; memory != NULL && i < LEAF_KEYS; i++)
        keys->keys[i] = PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL);
    BIO_free(memory);
    if (content != NULL)
        OPENSSL_cleanse(content, length);
    free(content);
    ERR_clear_error();
    if (keys->keys[LEAF_KEY_ECDSA] != NULL && keys->keys[LEAF_KEY_RSA] != NULL &&
        EVP_PKEY_is_a(keys->keys[LEAF_KEY_ECDSA], "EC") &&
        EVP_PKEY_is_a(keys->keys[LEAF_KEY_RSA], "RSA"))
        return true;
    leaf_keys_free(keys);
    return false;
}

static bool write_keys(const struct leaf_keys *keys, const char *path)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *content = NULL;
    bool done = memory != NULL;
    for (size_t i = 0; done && i < LEAF_KEYS; i++)
        done = PEM_write_bio_PKCS8PrivateKey(memory, keys->keys[i], NULL, NULL, 0, NULL, NULL) == 1;
    long length = done ? BIO_get_mem_data(memory, &content) : 0;
    done =
        done && file_make_parents(path, 0700) && file_replace(path, content, (size_t)length, 0600);
    if (content != NULL)
        OPENSSL_cleanse(content, (size_t)length);
    BIO_free(memory);
    return done;
}

/* Once: OpenSSL 3.0 takes four fifths of a leaf's time for it. */
static bool encode_keys(struct leaf_keys *keys)
{
    for (size_t i = 0; i < LEAF_KEYS; i++)
        if (X509_PUBKEY_set(&keys->encoded[i], keys->keys[i]) != 1)
            return false;
    return true;
}

bool leaf_keys_open(struct leaf_keys *keys, const char *path)
{
    *keys = (struct leaf_keys){0};
    bool kept = read_keys(keys, path);
    if ((!kept && !make_keys(keys)) || !encode_keys(keys)) {
        log_error("no keys could be made for forged certificates");
        leaf_keys_free(keys);
        return false;
    }
    if (!kept && !write_keys(keys, path))
        log_warning("%s: the keys of forged certificates could not be kept: %m", path);
    return true;
}

void leaf_keys_free(struct leaf_keys *keys)
{
    for (size_t i = 0; i < LEAF_KEYS; i++) {
        EVP_PKEY_free(keys->keys[i]);
        X509_PUBKEY_free(keys->encoded[i]);
        keys->keys[i] = NULL;
        keys->encoded[i] = NULL;
    }
}

bool leaf_keys_copy(const struct leaf_keys *keys, enum leaf_key key, X509 *certificate)
{
    ASN1_OBJECT *algorithm;
    X509_ALGOR *identifier;
    const unsigned char *bytes;
    const void *parameter;
    int length, type;
    X509_PUBKEY_get0_param(&algorithm, &bytes, &length, &identifier, keys->encoded[key]);
    X509_ALGOR_get0(NULL, &type, &parameter, identifier);
    /* Elliptic curves are named (RFC 5480, section 2.1.1); RSA has no parameters. */
    ASN1_OBJECT *curve = type == V_ASN1_OBJECT ? OBJ_dup(parameter) : NULL;
    unsigned char *copy = OPENSSL_memdup(bytes, (size_t)length);
    if (copy != NULL && X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(certificate),
                                               OBJ_dup(algorithm), type, curve, copy, length) == 1)
        return true;
    ASN1_OBJECT_free(curve);
    OPENSSL_free(copy);
    return false;
}
