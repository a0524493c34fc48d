/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sse.h - reads a body of type text/event-stream, and tells each event (HTML, section 9.2).
 *
 * Memory: the structure, and as much of an event's data as is to be told. An event that is not
 * dispatched, for its stream ended in the middle of it, is not told: a browser would not see it.
 * A pure function of untrusted bytes. */
#ifndef TAP_SSE_H
#define TAP_SSE_H

#include "tap/tap.h"

/* Longer types and identifiers are cut. */
#define SSE_TEXT_SIZE 128
/* The longest name of a field that means anything is "event" or "retry". */
#define SSE_FIELD_SIZE 6

struct sse_text {
    char bytes[SSE_TEXT_SIZE];
    uint32_t length;
    bool given;
};

enum sse_part { SSE_FIELD, SSE_COLON, SSE_VALUE };

struct sse {
    struct tap *tap;
    const char *protocol; /* of the connection */
    uint32_t stream;
    enum sse_part part; /* of the line that is read */
    char field[SSE_FIELD_SIZE];
    uint32_t field_length; /* SSE_FIELD_SIZE: it is longer */
    bool after_return;     /* a line feed that comes now belongs to the line's end before */
    uint32_t marks;        /* of the byte order mark that may stand in front: read so far */
    struct sse_text type, id;
    uint64_t data_lines, data_length;
    uint32_t data_kept;
    char data[]; /* as much as `tap->options.bodies` */
};

/* NULL if there is no memory. Given back with tap_free(). */
struct sse *sse_new(struct tap *tap, const char *protocol, uint32_t stream) must_check;

void sse_read(struct sse *sse, const uint8_t *bytes, size_t length);

#endif
