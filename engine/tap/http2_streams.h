/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http2_streams.h - the exchanges of an HTTP/2 connection that are under way, by their stream.
 *
 * One that is told is gone: what still comes on its stream finds nothing. */
#ifndef TAP_HTTP2_STREAMS_H
#define TAP_HTTP2_STREAMS_H

#include "tap/exchange.h"

#define HTTP2_BUCKETS 32

/* All-zero, but for the tap, is empty. */
struct http2_streams {
    struct tap *tap;
    unsigned count;
    struct exchange *buckets[HTTP2_BUCKETS]; /* each is a list */
};

/* NULL if there is none, or none any more. */
struct exchange *http2_streams_find(const struct http2_streams *streams, uint32_t stream);

/* The oldest, if it has to be told before another can be opened; NULL if there is room. */
struct exchange *http2_streams_too_many(const struct http2_streams *streams);

/* Begins one. NULL if there is no memory, which is counted. */
struct exchange *http2_streams_open(struct http2_streams *streams, uint32_t stream);

/* Tells it, whole or not, and forgets it. */
void http2_streams_tell(struct http2_streams *streams, struct exchange *exchange);

/* Tells all that are left, the oldest first. */
void http2_streams_fini(struct http2_streams *streams);

#endif
