/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * smtp_tap.h - reads SMTP (RFC 5321), with PIPELINING, AUTH (RFC 4954) and BDAT (RFC 3030), and
 * tells each command with its reply, and with what is known of the mail. The mail itself is passed
 * over, and its bytes are counted: as they came, with dots doubled.
 *
 * Memory: that of dialogue.h, and 3 KiB for the mail's addresses: MAIL_RECIPIENTS of them at most
 * in MAIL_TEXT bytes. */
#ifndef TAP_SMTP_TAP_H
#define TAP_SMTP_TAP_H

#include "tap/tap.h"

extern const struct tap_kind smtp_tap;

#endif
