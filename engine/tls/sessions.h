/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sessions.h - TLS sessions with origins, kept to be resumed.
 *
 * A session is offered again only where everything is the same that the first handshake depended
 * on. It is no word on the origin's certificate: that is verified again by whoever resumes it
 * (verify.h). Each is offered once, as RFC 8446, appendix C.4, asks for. One worker's. */
#ifndef TLS_SESSIONS_H
#define TLS_SESSIONS_H

#include "core/address.h"
#include "tls/digest.h"

#include <openssl/ssl.h>
#include <stdbool.h>

struct sessions;

/* Keeps at most `limit` sessions, but at least those of one key, which are eight at most; the least
 * recently used keys go first. NULL if there is no memory. */
struct sessions *sessions_new(size_t limit) must_check;
void sessions_free(struct sessions *sessions);

/* Prepares a client context: sessions of its connections are kept. */
void sessions_context(SSL_CTX *context);

/* What a connection's sessions are kept under; lives as long as its SSL. */
struct session_place {
    struct sessions *sessions;
    unsigned char key[DIGEST_SIZE];
};

/* Where the connection goes, beside what its SSL knows: name, versions, ciphers, certificate. */
struct session_target {
    const struct address *origin;
    const struct address *source; /* the address that the origin sees; NULL: ours */
    const unsigned char *alpn;    /* as offered */
    size_t alpn_length;
    int client_mode; /* what becomes of it when the origin asks for a certificate: it asks but once
                      */
};

/* Offers a kept session, if there is one: to be called when all else is set. False if there is no
 * memory. */
bool sessions_offer(struct sessions *sessions, struct session_place *place, SSL *ssl,
                    const struct session_target *target) must_check;

/* After a handshake that resumed: a session of TLS 1.2 may be offered again. */
void sessions_resumed(const struct session_place *place, SSL *ssl);

/* Of sessions that are kept. */
size_t sessions_count(const struct sessions *sessions);

#endif
