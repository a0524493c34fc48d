/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * permessage.h - permessage-deflate, WebSocket's compression (RFC 7692): what was agreed on, and a
 * message's start as it was before.
 *
 * However small what comes in is, it may stand for gigabytes: a direction in which messages grow
 * beyond PERMESSAGE_LIMIT is not inflated any further. Pure functions of untrusted bytes. */
#ifndef TAP_PERMESSAGE_H
#define TAP_PERMESSAGE_H

#include "tap/tap.h"

#include <zlib.h>

/* The length of a message, inflated, that is still followed. */
#define PERMESSAGE_LIMIT ((uint64_t)16 << 20)

struct permessage_terms {
    bool agreed;
    bool forgets[2]; /* towards the client, towards the server: each message stands for itself */
};

/* Reads Sec-WebSocket-Extensions as the server has sent it. */
struct permessage_terms permessage_read(struct text extensions);

/* One direction. All-zero has not begun. */
struct permessage {
    z_stream stream;
    bool begun, failed;
    uint64_t length; /* of the message that is read, inflated */
};

/* A message begins. Without memory it fails, like those behind it. */
void permessage_start(struct permessage *inflater, struct tap *tap, bool forgets);

/* Inflates more of a message, or its end, and keeps its start: *kept bytes of `size` in `out`. */
void permessage_inflate(struct permessage *inflater, const uint8_t *bytes, size_t count,
                        uint8_t *out, size_t size, size_t *kept);
void permessage_end(struct permessage *inflater, uint8_t *out, size_t size, size_t *kept);

void permessage_fini(struct permessage *inflater);

#endif
