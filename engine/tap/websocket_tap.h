/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * websocket_tap.h - reads WebSocket (RFC 6455), and tells each message and each control frame.
 *
 * A message is told when its last fragment has ended; its start is kept as far as that was asked
 * for, and permessage-deflate (RFC 7692) is undone for it.
 *
 * Memory: for each direction a message's start, as much as is wanted of bodies; with compression,
 * zlib's window and state besides, 48 KiB, and only where messages' starts are wanted at all. */
#ifndef TAP_WEBSOCKET_TAP_H
#define TAP_WEBSOCKET_TAP_H

#include "tap/tap.h"

extern const struct tap_kind websocket_tap;

/* Takes over from HTTP (see tap_hand_over()). `extensions` is what the server has agreed to:
 * Sec-WebSocket-Extensions. */
void websocket_tap_begin(struct tap *tap, struct text extensions, size_t rest);

#endif
