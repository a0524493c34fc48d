/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http1_tap.h - reads HTTP/1.0 and HTTP/1.1 (RFC 9112), with llhttp, and tells each exchange.
 *
 * An exchange is told when its request and its response have both ended, and what is left of them
 * when the connection ends. Interim responses (1xx) are looked over. After "101 Switching
 * Protocols" to WebSocket the reader of that takes over; after any other, and in a tunnel
 * (CONNECT), nothing more is read.
 *
 * Memory: an exchange (exchange.h) for each request whose response has not ended, of which there
 * are no more than HTTP1_WAITING, and no more than TAP_MEMORY has room for; between them none. */
#ifndef TAP_HTTP1_TAP_H
#define TAP_HTTP1_TAP_H

#include "tap/tap.h"

/* Requests without a response: a device that has sent more is not followed any further. */
#define HTTP1_WAITING 64

extern const struct tap_kind http1_tap;

#endif
