/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * context.h - how TLS is spoken, to devices and to origins: a worker's pair of SSL_CTX.
 *
 * A context is one worker's; connections that use it keep it alive. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "core/macros.h"
#include "tls/sessions.h"
#include "tls/tickets.h"
#include "tls/verified.h"
#include "tls/verify.h"

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_settings {
    X509_STORE *trust;              /* whom origins are verified against; a reference is taken */
    X509 *authority;                /* our CA; borrowed for the context's life */
    STACK_OF(X509) * intermediates; /* NULL: none; references are taken */
    bool staples;                   /* origins are asked for them (revocation.h) */
    /* What all workers make their ticket keys of; NULL: devices get no tickets. */
    const struct ticket_secret *ticket_secret;
    /* Takes each line of the key log (RFC 9850), without its end; NULL: no key log. */
    void (*keylog)(const SSL *ssl, const char *line);
    void *keylog_context; /* found again with tls_keylog_context() */
};

struct tls_context {
    SSL_CTX *device;           /* we are the server */
    SSL_CTX *origin;           /* we are the client */
    struct tickets tickets;    /* for devices */
    struct sessions *sessions; /* with origins */
    struct verified verified;  /* origins' chains */
    struct verify_rules rules;
};

/* False after the reason was logged. */
bool tls_context_init(struct tls_context *context, const struct tls_settings *settings) must_check;
void tls_context_fini(struct tls_context *context);

/* The lowest TLS version, as OpenSSL numbers it, for one connection alone. TLS 1.0 and 1.1 sign
 * with SHA-1, which only security level 0 lets through: so that is the level below 1.2, and 1
 * otherwise. What certificates must be is verify.c's matter, at a level of its own. False if there
 * is no such version. */
bool tls_set_min_version(SSL *ssl, int version) must_check;

/* For one origin that is old: one without secure renegotiation (RFC 5746) will do, and weak keys in
 * its key exchange. */
void tls_allow_legacy_server(SSL *ssl);

/* The key log's context, from the SSL that its callback was given. */
void *tls_keylog_context(const SSL *ssl);

#endif
