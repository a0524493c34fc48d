/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * issuer.h - a certificate that others are signed with, and its key.
 *
 * Immutable once it is made; any thread may sign. */
#ifndef TLS_ISSUER_H
#define TLS_ISSUER_H

#include "core/macros.h"

#include <openssl/x509v3.h>
#include <stdbool.h>

struct issuer {
    X509 *certificate;
    EVP_PKEY *key;
    X509_EXTENSION *key_identifier; /* the authority key identifier of what it signs, or NULL */
};

/* Fills an all-zero issuer: a self-signed certificate of this common name for the key, which goes
 * over, also on failure; NULL is one. `name_constraints` (RFC 5280, 4.2.1.10; NULL: none) is
 * copied. */
bool issuer_make(struct issuer *issuer, EVP_PKEY *key, const char *name,
                 const NAME_CONSTRAINTS *name_constraints) must_check;

/* Must be called before signing, once certificate and key are there. */
bool issuer_prepare(struct issuer *issuer) must_check;
void issuer_fini(struct issuer *issuer);

/* Sets serial number, issuer and authority key identifier, and signs, with SHA-256 or better. False
 * if it failed, and for a certificate that could itself sign others. */
bool issuer_sign(const struct issuer *issuer, X509 *certificate) must_check;

#endif
