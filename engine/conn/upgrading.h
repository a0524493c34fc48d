/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * upgrading.h - a plaintext dialogue that may lead to TLS: STARTTLS.
 *
 * Its bytes are looked at where they lie, in the sockets, and only what the reader takes is moved.
 * So what is not understood can be spliced at any time, and what was sent beyond the agreement on
 * TLS can be told from what comes after it, and dropped: it was no part of the TLS session, and who
 * sent it is not known (RFC 3207, section 4.2, and its likes). */
#ifndef CONN_UPGRADING_H
#define CONN_UPGRADING_H

#include "tap/starttls.h"

struct conn;

struct upgrade {
    struct starttls reader;
    size_t up, down; /* taken by the reader, but not yet moved: from the device, to the device */
    bool waits;      /* something has been waiting for its turn for a while */
};

extern const struct conn_stage upgrading_starttls;

/* The connection's first bytes, which are no TLS. True if they may start such a dialogue: then it
 * is followed, and the connection may have ended. */
bool upgrading_begin(struct conn *conn, const uint8_t *bytes, size_t length,
                     bool by_device) must_check;

#endif
