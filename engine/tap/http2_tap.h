/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http2_tap.h - reads HTTP/2 (RFC 9113), and tells each exchange.
 *
 * A stream is told when both of its sides have ended, or it was reset; and what is left of it when
 * the connection ends, or when there are more than HTTP2_STREAMS open: then the oldest goes first.
 * Interim responses (1xx) are looked over. What a server promises is told like what was asked for.
 *
 * Memory: an exchange (exchange.h) a stream, and HPACK's state for each direction (hpack.h); no
 * more than TAP_MEMORY altogether. A stream for which there is none left is not told, but counted.
 */
#ifndef TAP_HTTP2_TAP_H
#define TAP_HTTP2_TAP_H

#include "tap/tap.h"

/* Streams that are followed at a time. */
#define HTTP2_STREAMS 128

extern const struct tap_kind http2_tap;

#endif
