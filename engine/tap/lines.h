/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lines.h - takes one direction of a dialogue apart into lines, and passes over what stands between
 * them: a mail, a literal, a list. That is counted, and never kept.
 *
 * A pure function of untrusted bytes. Memory: the structure of 1 KiB. */
#ifndef TAP_LINES_H
#define TAP_LINES_H

#include "core/text.h"

/* Of a longer line the start is kept, and the last LINES_TAIL bytes, which may announce a literal.
 */
#define LINES_LIMIT 1024
#define LINES_TAIL 24

enum lines_found {
    LINES_NOTHING, /* the bytes have ended before */
    LINES_LINE,    /* a line has */
    LINES_DOT,     /* what lines_pass_to_dot() has begun has ended */
};

enum lines_mode { LINES_READ, LINES_COUNT, LINES_TO_DOT };

/* All-zero begins with a line. */
struct lines {
    enum lines_mode mode;
    bool is_over; /* the line in `bytes` was found, and the next one is to come */
    bool cut;
    uint8_t dot;     /* how much of the line with the dot is there */
    uint8_t last;    /* byte that was passed over */
    uint16_t length; /* of the line that is read */
    uint64_t left;   /* to be counted */
    uint64_t passed; /* bytes that were, since it was asked for; without the line with the dot */
    char bytes[LINES_LIMIT];
};

/* Reads on, until something is found; what it has read is taken off. */
enum lines_found lines_read(struct lines *lines, const uint8_t **bytes, size_t *length);

/* The line that was found, without its end, or as much of it as is kept; until it is read on. */
struct text lines_text(const struct lines *lines);
/* How it ends. */
struct text lines_tail(const struct lines *lines);

/* The line that was found is overwritten: it holds a secret. */
void lines_wipe(struct lines *lines);

/* What comes next is no line, but so many bytes. */
void lines_pass(struct lines *lines, uint64_t count);
/* It is what a line with a single dot ends. CR LF ends a line here, and nothing else does: a peer
 * that is content with less ends it earlier than we think, and never later. */
void lines_pass_to_dot(struct lines *lines);

#endif
