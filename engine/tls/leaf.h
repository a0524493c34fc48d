/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * leaf.h - the certificate that a device is shown in place of the origin's.
 *
 * It has the origin's names and validity, and, where the origin's chain was not to be trusted, an
 * issuer that is not trusted either: the device's own checks decide as they would have. Extensions
 * are a fixed set; nothing else is copied. Its key is never the CA's. */
#ifndef TLS_LEAF_H
#define TLS_LEAF_H

#include "tls/certificate.h"
#include "tls/issuer.h"
#include "tls/leaf_keys.h"

#include <stdatomic.h>
#include <time.h>

enum leaf_signer { LEAF_BY_AUTHORITY, LEAF_BY_UNTRUSTED, LEAF_BY_ITSELF };

/* Together with the day of backdating less than the 200 days that browsers accept. */
#define LEAF_VALID_DAYS 197

/* What leaves are made with. Immutable; any thread. */
struct leaf_maker {
    X509 *authority;         /* our CA's certificate; its key is the signer's alone */
    STACK_OF(X509) * chain;  /* what is sent behind a leaf of the authority's; may be empty */
    struct issuer untrusted; /* an issuer that nobody trusts, made anew at each start */
    struct leaf_keys keys;
    NAME_CONSTRAINTS *constraints; /* names outside are left out; NULL: none */
};

/* Our CA's certificate is the first of `certificates`, and those above it follow. Both they and
 * the constraints (NULL: those in the CA's certificate) go over. The leaves' keys are in the file.
 * False after the reason was logged; leaf_maker_fini() then, too. */
bool leaf_maker_init(struct leaf_maker *maker, STACK_OF(X509) * certificates,
                     NAME_CONSTRAINTS *constraints, const char *keys_path) must_check;
void leaf_maker_fini(struct leaf_maker *maker);

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
    const STACK_OF(X509) * chain; /* to be sent behind it: the maker's, or NULL */
    bool draft;                   /* the authority's signature is still missing */
    time_t expires;               /* from then on it is not to be used again */
    char fingerprint[FINGERPRINT_SIZE];
    char sha256[SHA256_TEXT_SIZE];
};

/* Forges; the caller has the one reference. What the authority is to sign is a draft, signed by
 * somebody else, until leaf_finish(). NULL if it failed. */
struct leaf *leaf_make(const struct leaf_maker *maker,
                       const struct leaf_request *request) must_check;

/* Puts in the draft's place what the signer made of it, as DER. False, and nothing done, if that is
 * no certificate for the draft's key. */
bool leaf_finish(struct leaf *leaf, const uint8_t *der, size_t length) must_check;

struct leaf *leaf_ref(struct leaf *leaf);
void leaf_unref(struct leaf *leaf);

#endif
