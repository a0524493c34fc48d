/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * context.h - how TLS is spoken, to devices and to origins: a worker's pair of SSL_CTX.
 *
 * A context is one worker's; connections that use it keep it alive. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "core/macros.h"

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_settings {
    int min_version;   /* the lowest TLS version, as OpenSSL numbers it */
    X509_STORE *trust; /* whom origins are verified against; a reference is taken */
    X509 *authority;   /* our CA; borrowed for the context's life */
    /* Takes each line of the key log (RFC 9850), without its end; NULL: no key log. */
    void (*keylog)(const SSL *ssl, const char *line);
    void *keylog_context; /* found again with tls_keylog_context() */
};

struct tls_context {
    SSL_CTX *device; /* we are the server */
    SSL_CTX *origin; /* we are the client */
};

/* False after the reason was logged. */
bool tls_context_init(struct tls_context *context, const struct tls_settings *settings) must_check;
void tls_context_fini(struct tls_context *context);

/* The key log's context, from the SSL that its callback was given. */
void *tls_keylog_context(const SSL *ssl);

#endif
