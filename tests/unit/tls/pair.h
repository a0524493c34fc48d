/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pair.h - an endpoint of ours and, at the other end of a socketpair, an OpenSSL of somebody
 * else's; both driven by hand. cmocka.h must be included before. */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include "pki.h"
#include "tls/endpoint.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* One write or read more than any of these handshakes takes. */
#define ROUNDS 50

/* As the engine's main() does. */
static inline void ignore_broken_pipes(void)
{
    signal(SIGPIPE, SIG_IGN);
}

/* ---- the others ---- */

/* Anything goes: what is tested is the other side. */
static inline SSL_CTX *permissive_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    assert_non_null(context);
    SSL_CTX_set_security_level(context, 0);
    assert_int_equal(SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(context, TLS1_VERSION), 1);
    return context;
}

static inline SSL_CTX *their_client_context(void)
{
    SSL_CTX *context = permissive_context(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return context;
}

/* A server with this certificate; `above` (or NULL) is sent with it. */
static inline SSL_CTX *their_server_context(const struct identity *identity,
                                            const struct identity *above)
{
    SSL_CTX *context = permissive_context(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(context, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, identity->key), 1);
    if (above != NULL)
        assert_int_equal(SSL_CTX_add1_chain_cert(context, above->certificate), 1);
    return context;
}

/* ---- the pair ---- */

struct pair {
    struct endpoint ours;
    int their_fd;
    SSL *theirs; /* NULL without TLS */
};

static inline void init_pair(struct pair *pair)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    endpoint_init(&pair->ours, fds[0]);
    pair->their_fd = fds[1];
    pair->theirs = NULL;
}

/* The same with TLS, ours by one context, theirs by the other; no byte has been sent yet. */
static inline void init_tls_pair(struct pair *pair, SSL_CTX *our_context, SSL_CTX *their_context)
{
    init_pair(pair);
    assert_true(endpoint_start_tls(&pair->ours, our_context));
    pair->theirs = SSL_new(their_context);
    assert_non_null(pair->theirs);
    assert_int_equal(SSL_set_fd(pair->theirs, pair->their_fd), 1);
    if (SSL_is_server(pair->theirs))
        SSL_set_accept_state(pair->theirs);
    else
        SSL_set_connect_state(pair->theirs);
}

static inline void close_theirs(struct pair *pair)
{
    SSL_free(pair->theirs);
    pair->theirs = NULL;
    if (pair->their_fd >= 0)
        close(pair->their_fd);
    pair->their_fd = -1;
}

static inline void fini_pair(struct pair *pair)
{
    endpoint_close(&pair->ours, false);
    close_theirs(pair);
    ERR_clear_error();
}

static inline bool wants(enum io io)
{
    return io == IO_WANT_READ || io == IO_WANT_WRITE;
}

/* A step of theirs: false if they have something to wait for. */
static inline bool step_theirs(struct pair *pair)
{
    ERR_clear_error();
    int result = SSL_do_handshake(pair->theirs);
    int error = SSL_get_error(pair->theirs, result);
    ERR_clear_error();
    return error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

/* Both go on until neither has anything left to do. What came of it on our side. */
static inline enum io shake_hands(struct pair *pair)
{
    enum io io = IO_WANT_READ;
    bool they_are_done = false;
    for (int round = 0; round < ROUNDS && (wants(io) || !they_are_done); round++) {
        if (wants(io))
            io = endpoint_handshake(&pair->ours);
        if (!they_are_done)
            they_are_done = step_theirs(pair);
    }
    return io;
}

#endif
