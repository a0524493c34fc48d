/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * io.h - what came of reading from a non-blocking socket or writing to it, with TLS or without. */
#ifndef TLS_IO_H
#define TLS_IO_H

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

enum io {
    IO_OK,
    IO_WANT_READ,  /* nothing done: try again when the socket is readable, */
    IO_WANT_WRITE, /* or writable */
    IO_EOF,        /* the peer ended its stream: with close_notify, or, without TLS, with FIN */
    IO_TRUNCATED,  /* TLS, and the stream ended with FIN alone (RFC 8446, section 6.1) */
    IO_RESET,      /* the connection is gone: RST, or an error of the network */
    IO_ASKED,      /* the peer wants a certificate, and `stop_when_asked` is set */
    IO_FAILED,     /* the TLS protocol was broken: `failure` says how */
};

/* Which of epoll's events IO_WANT_READ and IO_WANT_WRITE wait for. */
static inline uint32_t io_events(enum io io)
{
    return io == IO_WANT_READ ? EPOLLIN : EPOLLOUT;
}

/* Of a result of recv(2) or send(2), and errno: IO_OK, IO_RESET, or the one for what would have had
 * to wait. */
static inline enum io io_of_socket(ssize_t result, enum io would_block)
{
    if (result >= 0)
        return IO_OK;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return would_block;
    return IO_RESET;
}

#endif
