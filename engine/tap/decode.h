/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * decode.h - undoes Content-Encoding (RFC 9110, section 8.4): gzip, deflate, brotli, zstd.
 *
 * The start of a body is enough: what can be decoded of it is. However small, it may stand for
 * gigabytes: never more is made of it than there is room for, and decoders get no more than
 * DECODE_MEMORY, given back before the return. Pure functions of untrusted bytes. */
#ifndef TAP_DECODE_H
#define TAP_DECODE_H

#include "core/text.h"

/* Brotli's largest window of 16 MB (RFC 7932, section 9.1), and what belongs to it. Zstandard's is
 * 8 MB (RFC 9659, section 3). */
#define DECODE_MEMORY ((size_t)18 << 20)

enum decode_result {
    DECODE_DONE,   /* all that was given is decoded */
    DECODE_CUT,    /* there was no room for more */
    DECODE_FAILED, /* not an encoding that we know, or damaged at its start */
};

/* Undoes the encoding of this name; a list of several is not undone, since nobody sends one.
 * *length tells how much there is in `out`. What is damaged further on is decoded up to there. */
enum decode_result decode_body(struct text encoding, const uint8_t *bytes, size_t count,
                               uint8_t *out, size_t size, size_t *length) must_check;

#endif
