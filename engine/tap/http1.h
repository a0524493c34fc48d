/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http1.h - where the messages of an HTTP/1 connection begin and end (RFC 9112, section 6).
 *
 * Reads both directions as they come, in pieces of any size, and keeps only the start of a line.
 * Whatever is odd, or ambiguous, or no longer HTTP/1, ends the reading: `over`. Pure functions of
 * untrusted bytes; one thread. */
#ifndef TAP_HTTP1_H
#define TAP_HTTP1_H

#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest header, and how much of a line is kept: enough for what frames a message. */
#define HTTP1_HEADER_LIMIT ((size_t)64 << 10)
#define HTTP1_LINE_KEPT 64
#define HTTP1_REQUESTS_LIMIT 64

enum http1_part {
    HTTP1_START, /* the request or status line */
    HTTP1_HEADER,
    HTTP1_BODY,
    HTTP1_CHUNK_SIZE,
    HTTP1_CHUNK,
    HTTP1_CHUNK_END,
    HTTP1_TRAILER,
};

struct http1_half {
    enum http1_part part;       /* what comes next, or goes on */
    char line[HTTP1_LINE_KEPT]; /* the start of the line that is being read */
    size_t line_length;         /* of all of it so far */
    bool ends_in_return;        /* and so far it does */
    size_t header_length;
    uint64_t left; /* of the body, or of the chunk */
    bool chunked, has_length;
    unsigned status;
};

/* All-zero is the start of a connection. */
struct http1 {
    struct http1_half requests, responses;
    uint64_t heads;   /* of the requests without a response: which are HEAD; the oldest is bit 0 */
    unsigned waiting; /* how many of them there are */
    bool over;
};

/* Reads on, to the end of a line or of a piece of body at most; returns how far. With `over` all
 * bytes are read, and mean nothing. `length` is not 0. */
size_t http1_read_request(struct http1 *http, const uint8_t *bytes, size_t length);
size_t http1_read_response(struct http1 *http, const uint8_t *bytes, size_t length);

#endif
