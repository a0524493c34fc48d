/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * leaf_keys.h - the key pairs of all forged certificates, one of each kind. Never the CA's.
 * Immutable; any thread. */
#ifndef TLS_LEAF_KEYS_H
#define TLS_LEAF_KEYS_H

#include "core/macros.h"

#include <openssl/x509.h>
#include <stdbool.h>

enum leaf_key { LEAF_KEY_ECDSA, LEAF_KEY_RSA }; /* P-256, RSA-2048 */
#define LEAF_KEYS 2

struct leaf_keys {
    EVP_PKEY *keys[LEAF_KEYS];
    X509_PUBKEY *encoded[LEAF_KEYS]; /* their public parts, as they stand in certificates */
};

/* Reads the keys from the file, or makes them and keeps them there (owner only): an RSA key takes a
 * while to find. False after the reason was logged. */
bool leaf_keys_open(struct leaf_keys *keys, const char *path) must_check;
void leaf_keys_free(struct leaf_keys *keys);

/* Puts the public key into a certificate that is to be signed, as it is encoded: OpenSSL finds no
 * EVP_PKEY in it until the certificate is read again. False if there is no memory. */
bool leaf_keys_copy(const struct leaf_keys *keys, enum leaf_key key, X509 *certificate) must_check;

#endif
