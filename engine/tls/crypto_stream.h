/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * crypto_stream.h - what a QUIC client says first, put together from the CRYPTO frames of its
 * Initial packets (RFC 9000, sections 12.4 and 19.6), which may come in any order.
 *
 * A pure function of untrusted bytes. A stream belongs to its user; it is a plain value. */
#ifndef TLS_CRYPTO_STREAM_H
#define TLS_CRYPTO_STREAM_H

#include "core/reader.h"

/* The longest ClientHello that is taken: with a post-quantum key share one has under 2 KiB. */
#define CRYPTO_STREAM_LIMIT 4096

/* All-zero is one of which nothing has come yet. */
struct crypto_stream {
    size_t whole; /* so many bytes from the start are there, without a gap */
    uint8_t bytes[CRYPTO_STREAM_LIMIT];
    uint8_t there[CRYPTO_STREAM_LIMIT / 8]; /* a bit for each byte that has come */
};

/* Adds what the frames of one packet bring. False if no client sends such a thing in an Initial
 * packet: a frame that has no place there, bytes that contradict those from before, no ClientHello,
 * or one that is too long. The stream is then of no use any more. */
bool crypto_stream_read(struct crypto_stream *stream, const uint8_t *frames,
                        size_t length) must_check;

/* The length of the ClientHello, which starts at `bytes`, with its header; 0 while it is not whole.
 */
size_t crypto_stream_message(const struct crypto_stream *stream);

/* A number of one to eight bytes (RFC 9000, section 16). */
uint64_t read_varint(struct reader *reader);

#endif
