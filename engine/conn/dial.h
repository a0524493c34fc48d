/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dial.h - TCP connections to origins. */
#ifndef CONN_DIAL_H
#define CONN_DIAL_H

#include "core/address.h"

/* Starts connecting: a non-blocking socket, which is writable once it is decided. With `source` the
 * origin sees that address instead of this box's (IP_TRANSPARENT). -1 with errno. */
int dial_start(const struct address *origin, const struct address *source) must_check;

/* 0 if the socket is connected, else the error that it met. */
int dial_result(int fd);

/* What every socket of a connection gets: no delay for small writes, and keep-alives, so that a
 * peer that went away without a word is noticed. */
void dial_tune(int fd);

#endif
