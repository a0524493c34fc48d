/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * authority.h - our certificate authority, in its file: certificate, private key, and the
 * certificates above it, if it is not a root.
 *
 * Only the signer's process (tls/signer.h) ever opens it. */
#ifndef TLS_AUTHORITY_H
#define TLS_AUTHORITY_H

#include "tls/issuer.h"

struct authority {
    struct issuer issuer;
    STACK_OF(X509) * chain; /* what stands behind the first certificate in the file; may be empty */
};

/* Opens the authority whose certificate and private key are in the PEM file; makes it first if
 * there is no such file: unique, readable by its owner only, with these name constraints (NULL:
 * none), and beside it NAME-cert.pem with the certificate alone, to be installed on devices. *made
 * (unless NULL) says whether. NULL after the reason was logged. */
struct authority *authority_open(const char *path, const NAME_CONSTRAINTS *constraints,
                                 bool *made) must_check;
void authority_free(struct authority *authority);

/* "DIR/NAME-cert.pem" for "DIR/NAME.pem", as above. */
void authority_certificate_path(const char *path, char *text, size_t size);

#endif
