/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * endpoint.h - one side of a connection: a non-blocking socket, with or without TLS on it.
 *
 * TLS is a part that may be missing: whoever relays between two endpoints need not know. An
 * endpoint lives in its owner and belongs to one thread. Nothing here waits. */
#ifndef TLS_ENDPOINT_H
#define TLS_ENDPOINT_H

#include "core/macros.h"
#include "tls/outgoing.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/* No alert has this number. */
#define NO_ALERT (-1)

struct endpoint {
    int fd;                   /* owned; -1 if there is none */
    SSL *ssl;                 /* owned; NULL without TLS */
    struct outgoing outgoing; /* what goes from there into the socket */
    int alert_in, alert_out;  /* the last TLS alert (RFC 8446, section 6) each way, or NO_ALERT; of
                               * the peer's only those that end something */
    bool notified;            /* the peer has sent close_notify */
    bool drained;             /* the last read has left nothing, neither here nor in the socket */
    char failure[96];         /* what OpenSSL says, for IO_FAILED */
    bool mismatch;            /* it says: no version, cipher, group or signature in common */
    bool asked;               /* a server has asked for a certificate (RFC 8446, section 4.3.2) */
    bool stop_when_asked;     /* then the handshake is to go no further */
    /* What a server side answers to ALPN: the protocol, or NULL for not at all. */
    const unsigned char *alpn;
    unsigned char alpn_length;
};

/* Takes over the socket. */
void endpoint_init(struct endpoint *endpoint, int fd);

/* Puts TLS on the socket, as client or as server as the context says. Takes no reference that the
 * caller must keep. False if there is no memory. */
bool endpoint_start_tls(struct endpoint *endpoint, SSL_CTX *context) must_check;

/* IO_OK when it is done. What came right behind it may have been read from the socket with it:
 * epoll tells nothing of that, and endpoint_read() or endpoint_peek() has it. */
enum io endpoint_handshake(struct endpoint *endpoint);

/* Up to `size` bytes; *count is set with IO_OK only. Then `drained` tells whether one more would
 * only hear that there is nothing yet; as long as it is false, what there is may be here already,
 * where no event tells of it. */
enum io endpoint_read(struct endpoint *endpoint, void *buffer, size_t size, size_t *count);
enum io endpoint_write(struct endpoint *endpoint, const void *bytes, size_t length, size_t *count);

/* From now on what is written goes to the socket by as much as fits into `gather`, which is
 * borrowed until endpoint_flush() or endpoint_shutdown(): they send what is there, as long as the
 * socket takes it. The rest is kept, with IO_WANT_WRITE; nothing else goes before it. Without TLS
 * nothing is gathered. */
void endpoint_gather(struct endpoint *endpoint, struct gather *gather);
enum io endpoint_flush(struct endpoint *endpoint);

/* Looks whether the peer has anything to say, and takes nothing of it. */
enum io endpoint_peek(struct endpoint *endpoint);

/* Ends our stream: close_notify and FIN; without `notify` FIN alone, as a truncated stream ends. */
enum io endpoint_shutdown(struct endpoint *endpoint, bool notify);

/* Sends a fatal alert before any TLS was spoken on this side. One try. */
void endpoint_refuse(struct endpoint *endpoint, uint8_t alert);

/* Closes. With `reset` the peer sees RST instead of FIN. */
void endpoint_close(struct endpoint *endpoint, bool reset);

/* The endpoint that an SSL belongs to: for callbacks. */
struct endpoint *endpoint_of(const SSL *ssl);

#endif
