/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tcp_stream.h - the packets that would have carried a stream of bytes in the clear: made up, for
 * tools that read packets.
 *
 * Ethernet (or what stands for it), IPv4 or IPv6, and TCP (RFC 9293), with the addresses and ports
 * of the connection, a handshake, segments that fit an Ethernet frame, acknowledgements, and an end
 * as it was. All checksums and sequence numbers are right; where bytes are missing, the numbers
 * tell how many. Pure functions of their state. */
#ifndef EVENT_TCP_STREAM_H
#define EVENT_TCP_STREAM_H

#include "core/flow.h"

/* What a segment carries at most, so that a frame is no longer than 1514 bytes. */
#define TCP_STREAM_SEGMENT_IPV4 1460
#define TCP_STREAM_SEGMENT_IPV6 1440
#define TCP_STREAM_HEAD_SIZE (14 + 40 + 24)
#define TCP_STREAM_FRAME_SIZE 1514

/* One packet, in two pieces. Borrowed for the call in which it is made. */
struct frame {
    uint64_t time;             /* ns since 1970 */
    const unsigned char *head; /* up to TCP's header */
    size_t head_length;
    const unsigned char *data;
    size_t data_length;
};

struct tcp_stream_side {
    struct address address;
    uint8_t mac[MAC_SIZE]; /* all-zero where it is not known */
    uint32_t next;         /* the next sequence number */
    uint16_t id;           /* of the next IPv4 packet */
    bool ended;
};

struct tcp_stream {
    struct tcp_stream_side device, origin;
    void (*emit)(void *context, const struct frame *frame); /* gets the packets */
    void *context;                                          /* borrowed */
};

/* Addresses are set, and MAC addresses may be; also who gets the packets. `seed` is where the
 * numbers start. */
void tcp_stream_init(struct tcp_stream *stream, uint64_t seed);

/* Three packets: SYN, SYN and ACK, ACK. Times are in ns since 1970. */
void tcp_stream_open(struct tcp_stream *stream, uint64_t time);

/* Bytes in one direction, `up` from the device, and their acknowledgement. */
void tcp_stream_data(struct tcp_stream *stream, uint64_t time, bool up, const unsigned char *bytes,
                     size_t length);

/* So many bytes are missing in this direction. */
void tcp_stream_skip(struct tcp_stream *stream, bool up, uint64_t length);

/* The end of one direction: FIN and its acknowledgement. Nothing if it has ended already. */
void tcp_stream_end(struct tcp_stream *stream, uint64_t time, bool up);

/* The connection was reset by one side. */
void tcp_stream_reset(struct tcp_stream *stream, uint64_t time, bool by_device);

#endif
