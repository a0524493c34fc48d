/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * leaf.h - the certificate that a device is shown in place of the origin's.
 *
 * It has the origin's names and validity, and, where the origin's chain was not to be trusted, an
 * issuer that is not trusted either: the device's own checks decide as they would have. Extensions
 * are a fixed set; nothing else is copied. Its key is never the CA's. */
#ifndef TLS_LEAF_H
#define TLS_LEAF_H

#include "tls/authority.h"
#include "tls/certificate.h"

#include <stdatomic.h>
#include <time.h>

enum leaf_key { LEAF_KEY_ECDSA, LEAF_KEY_RSA }; /* P-256, RSA-2048 */
#define LEAF_KEYS 2

enum leaf_signer { LEAF_BY_AUTHORITY, LEAF_BY_UNTRUSTED, LEAF_BY_ITSELF };

/* Together with the day of backdating less than the 200 days that browsers accept. */
#define LEAF_VALID_DAYS 197

/* The key pairs of all leaves. Immutable; any thread. */
struct leaf_keys {
    EVP_PKEY *keys[LEAF_KEYS];
};

/* Reads the keys from the file, or makes them and keeps them there (owner only): an RSA key takes a
 * while to find. False after the reason was logged. */
bool leaf_keys_open(struct leaf_keys *keys, const char *path) must_check;
void leaf_keys_free(struct leaf_keys *keys);

/* What is to be forged. All of it goes into the cache's key. */
struct leaf_request {
    X509 *origin;
    enum leaf_signer signer;
    enum leaf_key key;
    bool good_dates;              /* valid now, whatever the origin's dates are */
    const char *add_name;         /* a name or address to put in beside the origin's; NULL: none */
    time_t not_before, not_after; /* narrower limits from the chain above; 0: none */
};

/* Shared by all connections that need it, in any thread. */
struct leaf {
    atomic_uint references;
    X509 *certificate;
    EVP_PKEY *key;
    time_t expires; /* from then on it is not to be used again */
    char fingerprint[FINGERPRINT_SIZE];
    char sha256[SHA256_TEXT_SIZE];
};

/* Forges. The caller has the one reference. NULL if it failed. About 0.3 ms. */
struct leaf *leaf_forge(const struct authority *authority, const struct leaf_keys *keys,
                        const struct leaf_request *request) must_check;
struct leaf *leaf_ref(struct leaf *leaf);
void leaf_unref(struct leaf *leaf);

#endif
