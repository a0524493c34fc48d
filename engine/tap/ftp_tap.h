/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ftp_tap.h - reads FTP's control connection (RFC 959, RFC 4217), and tells each command with all
 * that is replied to it. The data connections are others, and not followed; but their port is told.
 *
 * Memory: that of dialogue.h. */
#ifndef TAP_FTP_TAP_H
#define TAP_FTP_TAP_H

#include "tap/tap.h"

extern const struct tap_kind ftp_tap;

#endif
