/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * imap_tap.h - reads IMAP (RFC 9051, RFC 3501), with literals (RFC 7888), IDLE (RFC 2177) and
 * AUTHENTICATE, and tells each command with its tagged response, and with how many untagged ones
 * came while it was the oldest that waited. Literals are passed over, and their bytes are counted.
 *
 * Memory: that of dialogue.h. */
#ifndef TAP_IMAP_TAP_H
#define TAP_IMAP_TAP_H

#include "tap/tap.h"

extern const struct tap_kind imap_tap;

#endif
