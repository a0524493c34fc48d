/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One connection of load_client's: what it asks, and what it hears. */
#include "load.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_SIZE 65536

int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    if (load.session_count == SESSIONS_LIMIT)
        return 0;
    load.sessions[load.session_count++] = session;
    return 1;
}

/* There comes no other one where TLS 1.2 was resumed. */
static void keep_session_again(SSL *ssl)
{
    if (SSL_version(ssl) == TLS1_2_VERSION && SSL_session_reused(ssl)) {
        SSL_SESSION *session = SSL_get1_session(ssl);
        if (!keep_session(ssl, session))
            SSL_SESSION_free(session);
    }
}

void finish(struct connection *connection, const char *failure)
{
    load.active--;
    if (failure == NULL) {
        load.done++;
    } else if (load.failed++ == 0) {
        snprintf(load.failure, sizeof(load.failure), "%s: %s", failure, strerror(errno));
    }
    if (connection->ssl != NULL && failure == NULL) {
        SSL_shutdown(connection->ssl); /* or its session could not be resumed */
        if (load.resume)
            keep_session_again(connection->ssl);
    }
    SSL_free(connection->ssl);
    close(connection->fd);
    free(connection);
    ERR_clear_error();
}

static enum io tls_result(const struct connection *connection, int result)
{
    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_END;
    default:
        return IO_BROKEN;
    }
}

static enum io plain_result(ssize_t result)
{
    if (result > 0)
        return IO_DONE;
    if (result == 0)
        return IO_END;
    return errno == EAGAIN ? IO_AGAIN : IO_BROKEN;
}

static enum io read_some(struct connection *connection, char *bytes, size_t size, size_t *count)
{
    if (connection->ssl != NULL) {
        int result = SSL_read_ex(connection->ssl, bytes, size, count);
        return result == 1 ? IO_DONE : tls_result(connection, result);
    }
    ssize_t result = read(connection->fd, bytes, size);
    *count = result > 0 ? (size_t)result : 0;
    return plain_result(result);
}

static enum io write_some(struct connection *connection, const char *bytes, size_t size,
                          size_t *count)
{
    if (connection->ssl != NULL) {
        int result = SSL_write_ex(connection->ssl, bytes, size, count);
        return result == 1 ? IO_DONE : tls_result(connection, result);
    }
    ssize_t result = send(connection->fd, bytes, size, MSG_NOSIGNAL);
    *count = result > 0 ? (size_t)result : 0;
    return plain_result(result);
}

static void ask(struct connection *connection)
{
    const char *host = connection->ssl != NULL
                           ? SSL_get_servername(connection->ssl, TLSEXT_NAMETYPE_host_name)
                           : load.name;
    int length = snprintf(connection->header, HEADER_SIZE, "%s %s HTTP/1.1\r\nHost: %s\r\n",
                          load.upload > 0 ? "PUT" : "GET", load.path, host);
    length += snprintf(connection->header + length, HEADER_SIZE - (size_t)length,
                       load.upload > 0 ? "Content-Length: %llu\r\n\r\n" : "\r\n",
                       (unsigned long long)load.upload);
    connection->header_length = (size_t)length;
    connection->sent = 0;
    connection->to_send = load.upload;
    connection->asked = now();
    connection->state = SENDING;
}

static enum io send_request(struct connection *connection)
{
    static const char zeros[CHUNK_SIZE];
    size_t count;
    enum io io = IO_DONE;
    while (io == IO_DONE && connection->sent < connection->header_length) {
        io = write_some(connection, connection->header + connection->sent,
                        connection->header_length - connection->sent, &count);
        connection->sent += io == IO_DONE ? count : 0;
    }
    while (io == IO_DONE && connection->to_send > 0) {
        size_t size = connection->to_send < CHUNK_SIZE ? connection->to_send : CHUNK_SIZE;
        io = write_some(connection, zeros, size, &count);
        connection->to_send -= io == IO_DONE ? count : 0;
        load.bytes += io == IO_DONE ? count : 0;
    }
    if (io == IO_DONE) {
        connection->header_length = 0;
        connection->in_body = false;
        connection->state = RECEIVING;
    }
    return io;
}

/* The header is whole: what it says of the body. Returns how much of the body came with it. */
static size_t begin_body(struct connection *connection, const char *end)
{
    size_t length = (size_t)(end - connection->header) + 4;
    size_t more = connection->header_length - length;
    connection->header[length - 2] = '\0';
    const char *field = strcasestr(connection->header, "\r\nContent-Length:");
    connection->body_left = field != NULL ? strtoull(field + 17, NULL, 10) : 0;
    connection->last = strcasestr(connection->header, "\r\nConnection: close") != NULL;
    connection->in_body = true;
    bool empty = strncmp(connection->header + 8, " 204", 4) == 0;
    if (strncmp(connection->header + 8, " 20", 3) != 0 || (field == NULL && !empty)) {
        fprintf(stderr, "%s\n", connection->header);
        errno = EPROTO;
        return SIZE_MAX;
    }
    return more;
}

/* Of the answer. IO_DONE when it is whole. */
static enum io receive(struct connection *connection)
{
    static char chunk[CHUNK_SIZE];
    do {
        bool in_body = connection->in_body;
        char *to = in_body ? chunk : connection->header + connection->header_length;
        size_t size = in_body ? CHUNK_SIZE : HEADER_SIZE - 1 - connection->header_length, count;
        enum io io = read_some(connection, to, size, &count);
        if (io != IO_DONE)
            return io;
        if (!connection->answered)
            add_sample(&load.first_bytes, now() - connection->begun);
        connection->answered = true;
        if (!in_body) {
            connection->header_length += count;
            connection->header[connection->header_length] = '\0';
            const char *end = strstr(connection->header, "\r\n\r\n");
            if (end == NULL)
                continue;
            count = begin_body(connection, end);
        }
        if (count > connection->body_left)
            return IO_BROKEN;
        connection->body_left -= count;
        load.bytes += count;
    } while (!connection->in_body || connection->body_left > 0);
    if (load.hold && connection->last)
        return IO_END;
    return IO_DONE;
}

static void note_handshake(const struct connection *connection)
{
    load.resumed += SSL_session_reused(connection->ssl) ? 1 : 0;
    X509 *certificate = SSL_get0_peer_certificate(connection->ssl);
    if (load.issuer[0] == '\0' && certificate != NULL) {
        X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_commonName, load.issuer,
                                  sizeof(load.issuer));
        snprintf(load.spoken, sizeof(load.spoken), "%s", SSL_get_version(connection->ssl));
    }
}

static void hold(struct connection *connection)
{
    load.active--;
    load.done++;
    connection->state = HELD;
}

/* The next request, or the end. False if the connection is gone. */
static bool go_on(struct connection *connection)
{
    add_sample(&load.answer_times, now() - connection->asked);
    load.answers++;
    connection->requests_left--;
    if (connection->requests_left > 0 && connection->last) {
        load.reopened++;
        load.unasked += connection->requests_left;
        connection->requests_left = 0;
    }
    if (connection->requests_left > 0 && !is_over()) {
        ask(connection);
        return true;
    }
    if (load.hold) {
        hold(connection);
        return true;
    }
    finish(connection, NULL);
    return false;
}

static void begin_asking(struct connection *connection)
{
    note_handshake(connection);
    if (load.requests > 0)
        ask(connection);
    else
        hold(connection);
}

static enum io finish_connect(struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof(error);
    struct sockaddr_in6 peer;
    socklen_t peer_size = sizeof(peer);
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        errno = error;
        return IO_BROKEN;
    }
    if (getpeername(connection->fd, (struct sockaddr *)&peer, &peer_size) != 0)
        return IO_AGAIN;
    add_sample(&load.connects, now() - connection->begun);
    return IO_DONE;
}

void advance(struct connection *connection)
{
    enum io io = IO_DONE;
    while (io == IO_DONE) {
        switch (connection->state) {
        case CONNECTING:
            io = finish_connect(connection);
            if (io != IO_DONE)
                break;
            connection->state = HANDSHAKING;
            if (connection->ssl == NULL)
                ask(connection);
            break;
        case HANDSHAKING: {
            int result = SSL_do_handshake(connection->ssl);
            io = result == 1 ? IO_DONE : tls_result(connection, result);
            if (io == IO_DONE)
                begin_asking(connection);
            break;
        }
        case SENDING:
            io = send_request(connection);
            break;
        case RECEIVING:
            io = receive(connection);
            if (io == IO_DONE && !go_on(connection))
                return;
            break;
        case HELD:
            return;
        }
    }
    if (io != IO_AGAIN)
        finish(connection, connection->state == CONNECTING    ? "connect"
                           : connection->state == HANDSHAKING ? "handshake"
                           : io == IO_END                     ? "closed early"
                                                              : "request");
}
