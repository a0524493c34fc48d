/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * revocation.h - has an origin's certificate been taken back? By what the origin staples (RFC 6066,
 * section 8; RFC 6960) or by lists on this disk (RFC 5280, section 5). Nothing is ever fetched. */
#ifndef TLS_REVOCATION_H
#define TLS_REVOCATION_H

#include "core/macros.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Adds the lists of all files in the directory, in PEM or DER, and has chains checked against them.
 * A file without a list is logged and left out. False with errno if the directory cannot be read.
 */
bool revocation_load_lists(X509_STORE *store, const char *directory) must_check;

/* True if the handshake came with a response that says revoked, of a responder that the verified
 * chain's issuer has signed for, or the issuer itself. */
bool revocation_is_stapled(SSL *ssl, X509_STORE *trust);

#endif
