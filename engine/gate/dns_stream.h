/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_stream.h - DNS messages in TCP connections (RFC 7766): each with its length in front.
 *
 * Puts the segments of one direction in order, and hands out messages when their last byte is
 * there. Bounded: a few connections at once, of which the one that was silent for longest goes; a
 * message of 64 KB at most, as many as somebody waits for, and segments that are a few ahead. What
 * is not understood is given up, and that connection is not read any more. One thread. */
#ifndef GATE_DNS_STREAM_H
#define GATE_DNS_STREAM_H

#include "gate/packet.h"

/* Directions of connections that are read at once. */
#define DNS_STREAMS 128
/* Parts of a message that may be there before what is in front of them. */
#define DNS_STREAM_PARTS 8
/* Messages that come to be whole by one segment: each takes its time, whatever is in it, and a
 * segment may have tens of thousands. */
#define DNS_STREAM_MESSAGES 128

struct dns_stream {
    struct address from, to; /* family 0: free */
    uint64_t used;           /* a count: larger is later */
    bool lost;               /* it is not followed any more */
    uint32_t sequence;       /* of the first byte in `buffer` */
    uint8_t *buffer;
    size_t size;
    struct {
        size_t start, end;
    } parts[DNS_STREAM_PARTS]; /* what is there, in order; the parts do not touch */
    size_t part_count;
};

struct dns_streams {
    struct dns_stream items[DNS_STREAMS];
    uint64_t uses;
};

/* All-zero is empty, and need not be freed. */
void dns_streams_fini(struct dns_streams *streams);

/* Takes a segment, and calls `message` for each message that is complete by it. */
void dns_streams_feed(struct dns_streams *streams, const struct flow *flow,
                      const struct packet_segment *segment,
                      void (*message)(void *context, const uint8_t *bytes, size_t length),
                      void *context);

#endif
