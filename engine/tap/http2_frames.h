/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http2_frames.h - where HTTP/2's frames begin and end in one direction (RFC 9113, sections 4 and
 * 6), and what in them is padding.
 *
 * Keeps a frame's header and the few bytes in front of what flows, and nothing of that. A pure
 * function of untrusted bytes. */
#ifndef TAP_HTTP2_FRAMES_H
#define TAP_HTTP2_FRAMES_H

#include "core/text.h"

#define HTTP2_HEADER_SIZE 9
/* Of HEADERS: the length of its padding, and a priority. */
#define HTTP2_FRONT_SIZE 6

struct http2_frame {
    uint32_t length; /* of the payload */
    uint8_t type, flags;
    uint32_t stream;
    uint32_t number; /* in front of RST_STREAM and PUSH_PROMISE: the error, the promised stream */
};

enum http2_stage { HTTP2_IN_HEADER, HTTP2_IN_FRONT, HTTP2_IN_CONTENT };

/* All-zero is the start of the first frame. */
struct http2_frames {
    struct http2_frame frame;
    enum http2_stage stage;
    uint8_t gathered[HTTP2_HEADER_SIZE];
    uint32_t gathered_length, front_size;
    uint32_t left, padding; /* of the content, and behind it */
};

enum http2_step {
    HTTP2_MORE,    /* that was all: there have to be more bytes */
    HTTP2_BEGIN,   /* a frame begins: `frame` */
    HTTP2_CONTENT, /* a piece of what is in it */
    HTTP2_END,     /* it has ended */
    HTTP2_BAD,     /* it is too short for what it is */
};

/* Reads on. Returns how many bytes were taken, and says what they were: to be called again until
 * that is HTTP2_MORE. */
size_t http2_frames_read(struct http2_frames *frames, const uint8_t *bytes, size_t length,
                         enum http2_step *step, struct text *content);

#endif
