/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * authority.h - our certificate authority: the only file that touches its key.
 *
 * Immutable once it is open; any thread may sign. */
#ifndef TLS_AUTHORITY_H
#define TLS_AUTHORITY_H

#include "core/macros.h"

#include <openssl/x509.h>
#include <stdbool.h>

/* Whose signature a certificate carries. */
enum signer {
    SIGNER_AUTHORITY, /* ours, which devices were told to trust */
    SIGNER_UNTRUSTED, /* an issuer that nobody trusts, made anew at each start */
};

struct authority;

/* Opens the authority whose certificate and private key are in the PEM file; makes it first if
 * there is no such file: unique, readable by its owner only, and beside it NAME-cert.pem with the
 * certificate alone, to be installed on devices. *made (unless NULL) says whether. NULL after the
 * reason was logged. */
struct authority *authority_open(const char *path, bool *made) must_check;
void authority_free(struct authority *authority);

/* "DIR/NAME-cert.pem" for "DIR/NAME.pem", as above. */
void authority_certificate_path(const char *path, char *text, size_t size);

X509 *authority_certificate(const struct authority *authority);

/* Sets issuer and authority key identifier, and signs, with SHA-256 or better. False if it failed,
 * and for a certificate that could itself sign others. */
bool authority_sign(const struct authority *authority, enum signer signer,
                    X509 *certificate) must_check;

#endif
