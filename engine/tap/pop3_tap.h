/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pop3_tap.h - reads POP3 (RFC 1939, RFC 2449, RFC 5034), and tells each command with its reply.
 * Mails and lists are passed over, and their bytes are counted: as they came, with dots doubled.
 *
 * Memory: that of dialogue.h. */
#ifndef TAP_POP3_TAP_H
#define TAP_POP3_TAP_H

#include "tap/tap.h"

extern const struct tap_kind pop3_tap;

#endif
