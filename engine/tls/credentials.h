/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * credentials.h - a certificate of the operator's own, with its chain and its key: shown to a
 * server that asks for one, or to devices in place of a forgery. Immutable; any thread. */
#ifndef TLS_CREDENTIALS_H
#define TLS_CREDENTIALS_H

#include "tls/leaf.h"

#include <openssl/ssl.h>

struct credentials {
    struct leaf *leaf; /* its chain is the one below */
    STACK_OF(X509) * chain;
    struct credentials *next; /* the owner's */
};

/* Reads a PEM file: the certificate, those above it, and its private key, without a passphrase.
 * NULL after *complaint, a text that nobody frees, was set. */
struct credentials *credentials_load(const char *path, const char **complaint) must_check;
void credentials_free(struct credentials *credentials);

/* Shows them on this connection. False if there is no memory, or OpenSSL finds them too weak. */
bool credentials_use(const struct credentials *credentials, SSL *ssl) must_check;

#endif
