/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pcapng.h - packets in files: the blocks of pcapng (draft-ietf-opsawg-pcapng), and what classic
 * pcap (draft-ietf-opsawg-pcap) has in their place. Byte order is the machine's, as both allow.
 *
 * There is no library for pcapng but Wireshark's own. Functions write to memory of the caller's, of
 * the size that is told, and return how much they have written. Pure functions. */
#ifndef EVENT_PCAPNG_H
#define EVENT_PCAPNG_H

#include "event/tcp_stream.h"

/* The head of a file: a section and its one interface, Ethernet, with times in ns. */
#define PCAPNG_HEAD_SIZE 256
size_t pcapng_head(unsigned char out[static PCAPNG_HEAD_SIZE], const char *application);

/* One packet with a comment (an enhanced packet block). */
static inline size_t pcapng_packet_size(const struct frame *frame, size_t comment_length)
{
    return 48 + frame->head_length + frame->data_length + comment_length;
}
size_t pcapng_packet(unsigned char *out, const struct frame *frame, const char *comment,
                     size_t comment_length);

/* How many packets there were, and how many of them are missing: an interface statistics block. */
#define PCAPNG_STATISTICS_SIZE 80
size_t pcapng_statistics(unsigned char out[static PCAPNG_STATISTICS_SIZE], uint64_t time,
                         uint64_t received, uint64_t missing);

/* Classic pcap, with times in µs. */
#define PCAP_HEAD_SIZE 24
#define PCAP_PACKET_SIZE 16 /* and the frame */
void pcap_head(unsigned char out[static PCAP_HEAD_SIZE]);
void pcap_packet(unsigned char *out, const struct frame *frame);

#endif
