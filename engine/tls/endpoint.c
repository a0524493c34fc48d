/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/endpoint.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void endpoint_init(struct endpoint *endpoint, int fd)
{
    *endpoint =
        (struct endpoint){.fd = fd, .outgoing.fd = fd, .alert_in = NO_ALERT, .alert_out = NO_ALERT};
}

struct endpoint *endpoint_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* Warnings that say nothing about how a handshake or a connection goes on (RFC 6066, section 3; RFC
 * 8446, section 6.1). */
static bool is_remark(int value)
{
    int alert = value & 0xff;
    return value >> 8 == SSL3_AL_WARNING &&
           (alert == SSL_AD_UNRECOGNIZED_NAME || alert == SSL_AD_USER_CANCELLED);
}

/* An info callback: alerts are told nowhere else. close_notify is no failure, and not counted as
 * one. */
static void note_alert(const SSL *ssl, int where, int value)
{
    struct endpoint *endpoint = endpoint_of(ssl);
    int alert = value & 0xff;
    if ((where & SSL_CB_ALERT) == 0)
        return;
    if (alert == SSL_AD_CLOSE_NOTIFY)
        endpoint->notified = endpoint->notified || (where & SSL_CB_READ) != 0;
    else if ((where & SSL_CB_WRITE) != 0)
        endpoint->alert_out = alert;
    else if (!is_remark(value))
        endpoint->alert_in = alert;
}

/* Called when a server has asked for a certificate, before anything is answered. 1: with what there
 * is, perhaps nothing; -1: not now. */
static int note_request(SSL *ssl, void *context)
{
    struct endpoint *endpoint = context;
    (void)ssl;
    endpoint->asked = true;
    return endpoint->stop_when_asked ? -1 : 1;
}

bool endpoint_start_tls(struct endpoint *endpoint, SSL_CTX *context)
{
    endpoint->ssl = SSL_new(context);
    BIO *outgoing = outgoing_bio(&endpoint->outgoing);
    if (endpoint->ssl == NULL || outgoing == NULL ||
        SSL_set_rfd(endpoint->ssl, endpoint->fd) != 1) {
        BIO_free(outgoing);
        return false;
    }
    SSL_set0_wbio(endpoint->ssl, outgoing);
    SSL_set_app_data(endpoint->ssl, endpoint);
    SSL_set_info_callback(endpoint->ssl, note_alert);
    if (!SSL_is_server(endpoint->ssl))
        SSL_set_cert_cb(endpoint->ssl, note_request, endpoint);
    /* Otherwise a stream that ends without close_notify could not be answered any more. */
    SSL_set_options(endpoint->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* A record's header and body in one read, and what stands behind them: a handshake's many small
     * records in one go. */
    SSL_set_read_ahead(endpoint->ssl, 1);
    if (SSL_is_server(endpoint->ssl))
        SSL_set_accept_state(endpoint->ssl);
    else
        SSL_set_connect_state(endpoint->ssl);
    return true;
}

/* OpenSSL's reasons that mean: both sides speak TLS, but not the same. */
static bool is_mismatch(int reason)
{
    static const int reasons[] = {
        SSL_R_NO_SHARED_CIPHER,       SSL_R_UNSUPPORTED_PROTOCOL,
        SSL_R_VERSION_TOO_LOW,        SSL_R_VERSION_TOO_HIGH,
        SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_NO_SUITABLE_KEY_SHARE,
        SSL_R_NO_SUITABLE_GROUPS,     SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
        SSL_R_WRONG_SSL_VERSION,      SSL_R_NO_CIPHERS_AVAILABLE,
        SSL_R_WRONG_CIPHER_RETURNED,  SSL_R_DH_KEY_TOO_SMALL,
        SSL_R_INAPPROPRIATE_FALLBACK, SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED,
    };
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reason == reasons[i])
            return true;
    return false;
}

static enum io fail(struct endpoint *endpoint)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    snprintf(endpoint->failure, sizeof(endpoint->failure), "%s",
             reason != NULL ? reason : "TLS error");
    endpoint->mismatch = ERR_GET_LIB(code) == ERR_LIB_SSL && is_mismatch(ERR_GET_REASON(code));
    ERR_clear_error();
    return IO_FAILED;
}

/* The only reader of OpenSSL's error queue. */
static enum io tls_result(struct endpoint *endpoint, int result)
{
    int system_error = errno;
    switch (SSL_get_error(endpoint->ssl, result)) {
    case SSL_ERROR_NONE:
        return IO_OK;
    case SSL_ERROR_WANT_READ:
        return IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return IO_WANT_WRITE;
    case SSL_ERROR_WANT_X509_LOOKUP:
        return IO_ASKED;
    case SSL_ERROR_ZERO_RETURN:
        return endpoint->notified ? IO_EOF : IO_TRUNCATED;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return system_error == 0 ? IO_TRUNCATED : IO_RESET;
    default:
        return fail(endpoint);
    }
}

enum io endpoint_handshake(struct endpoint *endpoint)
{
    ERR_clear_error();
    errno = 0;
    return tls_result(endpoint, SSL_do_handshake(endpoint->ssl));
}

/* A ticket of the origin's makes OpenSSL take a buffer for writing, which it would keep until the
 * next write: 16 KB for as long as a connection is idle. Not while a record is half read: before
 * 3.0.14 the buffer with its head would go, too (CVE-2024-4741). */
static void give_buffers_back(SSL *ssl)
{
    if (SSL_rstate_string(ssl)[1] == 'H')
        (void)SSL_free_buffers(ssl);
}

enum io endpoint_read(struct endpoint *endpoint, void *buffer, size_t size, size_t *count)
{
    if (endpoint->ssl == NULL) {
        ssize_t length = recv(endpoint->fd, buffer, size, 0);
        enum io io = io_of_socket(length, IO_WANT_READ);
        *count = io == IO_OK ? (size_t)length : 0;
        endpoint->drained = *count < size;
        return io == IO_OK && length == 0 ? IO_EOF : io;
    }
    ERR_clear_error();
    errno = 0;
    enum io io = tls_result(endpoint, SSL_read_ex(endpoint->ssl, buffer, size, count));
    endpoint->drained = SSL_has_pending(endpoint->ssl) == 0;
    if (endpoint->drained)
        give_buffers_back(endpoint->ssl);
    return io;
}

enum io endpoint_peek(struct endpoint *endpoint)
{
    char byte;
    size_t count;
    ERR_clear_error();
    errno = 0;
    return tls_result(endpoint, SSL_peek_ex(endpoint->ssl, &byte, 1, &count));
}

enum io endpoint_write(struct endpoint *endpoint, const void *bytes, size_t length, size_t *count)
{
    if (endpoint->ssl == NULL) {
        ssize_t written = send(endpoint->fd, bytes, length, MSG_NOSIGNAL);
        enum io io = io_of_socket(written, IO_WANT_WRITE);
        *count = io == IO_OK ? (size_t)written : 0;
        return io;
    }
    ERR_clear_error();
    errno = 0;
    return tls_result(endpoint, SSL_write_ex(endpoint->ssl, bytes, length, count));
}

void endpoint_gather(struct endpoint *endpoint, struct gather *gather)
{
    outgoing_gather(&endpoint->outgoing, gather);
}

enum io endpoint_flush(struct endpoint *endpoint)
{
    return outgoing_flush(&endpoint->outgoing);
}

enum io endpoint_shutdown(struct endpoint *endpoint, bool notify)
{
    enum io flushed = endpoint_flush(endpoint);
    if (flushed != IO_OK)
        return flushed;
    if (endpoint->ssl != NULL && notify) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_shutdown(endpoint->ssl);
        enum io io = result >= 0 ? IO_OK : tls_result(endpoint, result);
        if (io != IO_OK)
            return io;
    }
    (void)shutdown(endpoint->fd, SHUT_WR);
    return IO_OK;
}

void endpoint_refuse(struct endpoint *endpoint, uint8_t alert)
{
    /* A plaintext record (RFC 8446, section 5.1): alert, TLS 1.0 as in every first flight, fatal.
     */
    const uint8_t record[] = {21, 3, 1, 0, 2, 2, alert};
    endpoint->alert_out = alert;
    (void)!send(endpoint->fd, record, sizeof(record), MSG_NOSIGNAL);
}

void endpoint_close(struct endpoint *endpoint, bool reset)
{
    if (endpoint->ssl != NULL) {
        /* A session outlives a connection that was not closed properly (RFC 5246, section 7.2.1).
         * OpenSSL would drop it; and where the peer answers our close_notify with FIN alone, it
         * forgets that there was one. What broke a session has dropped it before. */
        SSL_set_shutdown(endpoint->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(endpoint->ssl);
    }
    endpoint->ssl = NULL;
    outgoing_fini(&endpoint->outgoing);
    if (endpoint->fd < 0)
        return;
    if (reset) {
        struct linger none = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(endpoint->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    }
    close(endpoint->fd);
    endpoint->fd = -1;
}
