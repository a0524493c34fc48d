/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * altsvc.h - takes QUIC out of what HTTP/1 responses offer as alternatives (Alt-Svc, RFC 7838).
 *
 * A device whose QUIC is refused cannot use it, and need not try. Only the entries "h3", "h3-…" and
 * "quic" go, with the line if there are no others; every other byte stays. No line is held but one
 * that may be Alt-Svc, and where the framing is in doubt everything passes. One thread. */
#ifndef TAP_ALTSVC_H
#define TAP_ALTSVC_H

#include "tap/http1.h"

/* A longer line is left as it is. */
#define ALTSVC_LINE_LIMIT 4096

/* All-zero is the start of a connection. */
struct altsvc {
    struct http1 http;
    size_t held;   /* of a line, that are shown again */
    bool is_whole; /* it is held until it is known that the next line does not go on with it */
};

/* What the device sends is only looked at. */
void altsvc_by_device(struct altsvc *altsvc, const uint8_t *bytes, size_t length);

/* What the origin sends is changed in place. Returns how many bytes may go on now; the *kept ones
 * behind them have to be shown again, in front of what comes next, or, if nothing does, go on. */
size_t altsvc_by_origin(struct altsvc *altsvc, uint8_t *bytes, size_t length, size_t *kept);

/* A whole Alt-Svc line, with its end; returns its length without QUIC: 0 if nothing else was in it.
 */
size_t altsvc_strip(uint8_t *line, size_t length);

#endif
