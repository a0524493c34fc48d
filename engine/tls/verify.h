/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * verify.h - is the origin who it says it is?
 *
 * The chain is verified in a step of our own (SSL_CTX_set_cert_verify_callback), with security
 * level 2 for keys and digests whatever ciphers are allowed, and everything that is wrong is
 * collected; the handshake itself always goes on, and the caller decides. */
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include "core/address.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <time.h>

struct verified;

#define VERIFY_ERRORS_LIMIT 8

/* What an origin's certificate is worth, from the best: decides who signs its forgery. */
enum verify_class {
    VERIFY_GOOD_CHAIN, /* a trusted issuer; names or the leaf's own dates may still be wrong */
    VERIFY_SELF_SIGNED,
    VERIFY_UNTRUSTED, /* anything else that is wrong with the chain */
};

struct verify {
    size_t count; /* of the errors that are kept: there may be more */
    struct {
        int code; /* X509_V_ERR_... */
        int depth;
    } errors[VERIFY_ERRORS_LIMIT];
    enum verify_class class;
    bool name_mismatch;
    bool revoked; /* some certificate of the chain */
    /* Narrowed by certificates above the leaf that are out of date: what is forged in the leaf's
     * place is out of date alike. 0: not narrowed. */
    time_t not_before, not_after;
};

/* By what origins are verified. All of it is borrowed for the context's life. */
struct verify_rules {
    X509_STORE *trust;
    X509 *authority; /* our own CA, which is never a reason to trust an origin */
    /* Never trusted by themselves, they complete chains that an origin sends in part; NULL: none.
     */
    STACK_OF(X509) * intermediates;
    bool staples; /* origins are asked for the state of their certificate */
    /* Where chains are kept that were good (verified.h); NULL: each is verified as if it were the
     * first. None with `staples`: who signs a staple is found in the chain. */
    struct verified *verified;
};

/* Prepares a client context. */
void verify_context(SSL_CTX *context, const struct verify_rules *rules);

/* Prepares one handshake: the result goes to `verify`, which must live as long as the SSL. The
 * origin is to be `name`, or, if that is NULL, the address. False if there is no memory. */
bool verify_prepare(SSL *ssl, struct verify *verify, const char *name,
                    const struct address *origin) must_check;

/* The same verification once more, by the present time, of what a resumed session has kept of the
 * origin's certificates: OpenSSL itself does none. After the handshake. False if there is no memory
 * or no certificate. */
bool verify_again(SSL *ssl) must_check;

/* What the origin has stapled, after a full handshake: a certificate that it says revoked is one.
 */
void verify_staple(SSL *ssl);

/* Adds an error, if it is not there yet and there is room. The worst decides the class in any case.
 */
void verify_note(struct verify *verify, int code, int depth);

/* "ok", or the first error in OpenSSL's words. */
const char *verify_text(const struct verify *verify);
int verify_code(const struct verify *verify);

/* The certificates in a PEM file; NULL if it has none or cannot be read. */
STACK_OF(X509) * verify_load_intermediates(const char *path) must_check;

/* The trust anchors in a PEM file; NULL if it has none or cannot be read. */
X509_STORE *verify_load_trust(const char *path) must_check;

#endif
