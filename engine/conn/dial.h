/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dial.h - TCP connections to origins. */
#ifndef CONN_DIAL_H
#define CONN_DIAL_H

#include "core/address.h"

#include <stdint.h>

struct conn;

/* Starts connecting: a non-blocking socket, which is writable once it is decided. With `source` the
 * origin sees that address instead of this box's (IP_TRANSPARENT). -1 with errno. */
int dial_start(const struct address *origin, const struct address *source) must_check;

/* 0 if the socket is connected, else the error that it met. */
int dial_result(int fd);

/* What every socket of a connection gets: no delay for small writes, and keep-alives, so that a
 * peer that went away without a word is noticed. */
void dial_tune(int fd);

/* ---- the origin of a connection ---- */

/* Starts connecting, unless that was done before. False if the connection has ended over it. */
bool dial_origin(struct conn *conn) must_check;

/* The socket tells that it is decided. False if the origin could not be reached, and the connection
 * has ended over it: the device sees RST, as it would have seen on its SYN. */
bool dial_origin_done(struct conn *conn) must_check;

/* The origin has not answered in time. */
void dial_expired(struct conn *conn);

/* Something of the device, while nothing is wanted of it: that can only be its end. Half of an end
 * (EPOLLRDHUP) is only asked for where TLS is to follow: no client closes before its handshake. */
void dial_device_gone(struct conn *conn, uint32_t events);

#endif
