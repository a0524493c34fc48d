/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * notes.h - what a connection notes down of itself for its record. */
#ifndef CONN_NOTES_H
#define CONN_NOTES_H

#include "conn/conn.h"
#include "tap/starttls.h"
#include "tls/hello.h"

void notes_start(struct conn *conn);

/* The ClientHello: name, ALPN, versions, fingerprint. Also keeps what the handshakes need of it. */
void notes_hello(struct conn *conn, const struct hello *hello);

/* Our own, upstream, and what the origin answers: they will be noted when they are seen. */
void notes_upstream_hellos(struct conn *conn);

/* The addresses between us and the origin, once it is connected. */
void notes_upstream(struct conn *conn);

/* A decision, and what is done about it. */
void notes_decision(struct conn *conn, const struct decision *decision, const char *action);

/* A finished handshake: version, cipher, group, ALPN. `start` in ms. */
void notes_session(struct conn *conn, struct record_session *session, const SSL *ssl,
                   uint64_t start);

/* The origin's certificate, and whether it verified. */
void notes_origin(struct conn *conn, X509 *certificate);

/* They belonged to a session that was dropped: nothing is known of the origin any more. */
void notes_forget_origin(struct conn *conn);

void notes_leaf(struct conn *conn, const struct leaf *leaf, bool cached);

/* The protocol that is spoken without TLS, from the first bytes that are seen of it. */
void notes_protocol(struct conn *conn, const uint8_t *bytes, size_t length, bool to_server);

/* How the dialogue before TLS has ended, and whose it was. */
void notes_starttls(struct conn *conn, const struct starttls *starttls);

/* What has gone through so far. */
void notes_traffic(struct conn *conn);

/* Everything that is known only at the end. Sockets are still open. */
void notes_end(struct conn *conn, enum ending ending);

#endif
