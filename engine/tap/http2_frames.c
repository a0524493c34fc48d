/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/http2_frames.h"

#include <nghttp2/nghttp2.h>

static uint32_t number_at(const uint8_t *at, size_t size)
{
    uint32_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

static bool is_padded(const struct http2_frame *frame)
{
    bool may_be = frame->type == NGHTTP2_DATA || frame->type == NGHTTP2_HEADERS ||
                  frame->type == NGHTTP2_PUSH_PROMISE;
    return may_be && (frame->flags & NGHTTP2_FLAG_PADDED) != 0;
}

static uint32_t front_size(const struct http2_frame *frame)
{
    uint32_t size = is_padded(frame) ? 1 : 0;
    if (frame->type == NGHTTP2_HEADERS && (frame->flags & NGHTTP2_FLAG_PRIORITY) != 0)
        size += 5;
    if (frame->type == NGHTTP2_PUSH_PROMISE || frame->type == NGHTTP2_RST_STREAM)
        size += 4;
    return size;
}

/* The rest of what is being gathered, as far as it is there. */
static size_t gather(struct http2_frames *frames, const uint8_t *bytes, size_t length,
                     uint32_t size)
{
    size_t missing = size - frames->gathered_length;
    size_t count = length < missing ? length : missing;
    if (count > 0)
        memcpy(frames->gathered + frames->gathered_length, bytes, count);
    frames->gathered_length += (uint32_t)count;
    return count;
}

static void parse_header(struct http2_frames *frames, const uint8_t *header)
{
    frames->frame = (struct http2_frame){
        .length = number_at(header, 3),
        .type = header[3],
        .flags = header[4],
        .stream = number_at(header + 5, 4) & 0x7fffffff,
    };
    frames->front_size = front_size(&frames->frame);
    frames->gathered_length = 0;
    frames->stage = HTTP2_IN_FRONT;
}

/* Mostly it is there as a whole. Returns how many bytes were taken. */
static size_t read_header(struct http2_frames *frames, const uint8_t *bytes, size_t length)
{
    if (frames->gathered_length == 0 && length >= HTTP2_HEADER_SIZE) {
        parse_header(frames, bytes);
        return HTTP2_HEADER_SIZE;
    }
    size_t count = gather(frames, bytes, length, HTTP2_HEADER_SIZE);
    if (frames->gathered_length == HTTP2_HEADER_SIZE)
        parse_header(frames, frames->gathered);
    return count;
}

static enum http2_step parse_front(struct http2_frames *frames)
{
    struct http2_frame *frame = &frames->frame;
    uint32_t number_start = is_padded(frame) ? 1 : 0;
    frames->padding = is_padded(frame) ? frames->gathered[0] : 0;
    if (frames->front_size + frames->padding > frame->length)
        return HTTP2_BAD;
    frames->left = frame->length - frames->front_size - frames->padding;
    if (frame->type == NGHTTP2_PUSH_PROMISE || frame->type == NGHTTP2_RST_STREAM)
        frame->number = number_at(frames->gathered + number_start, 4);
    frames->gathered_length = 0;
    frames->stage = HTTP2_IN_CONTENT;
    return HTTP2_BEGIN;
}

static size_t read_content(struct http2_frames *frames, const uint8_t *bytes, size_t length,
                           enum http2_step *step, struct text *content)
{
    uint32_t *left = frames->left > 0 ? &frames->left : &frames->padding;
    size_t count = length < *left ? length : *left;
    if (frames->left == 0 && frames->padding == 0) {
        frames->stage = HTTP2_IN_HEADER;
        *step = HTTP2_END;
        return 0;
    }
    if (count > 0 && left == &frames->left) {
        *content = text_from(bytes, count);
        *step = HTTP2_CONTENT;
    }
    *left -= (uint32_t)count;
    return count;
}

size_t http2_frames_read(struct http2_frames *frames, const uint8_t *bytes, size_t length,
                         enum http2_step *step, struct text *content)
{
    size_t count = 0;
    *step = HTTP2_MORE;
    if (frames->stage == HTTP2_IN_HEADER) {
        count = read_header(frames, bytes, length);
        if (frames->stage == HTTP2_IN_HEADER)
            return count;
    }
    if (frames->stage == HTTP2_IN_FRONT) {
        if (frames->front_size > frames->frame.length) {
            *step = HTTP2_BAD;
            return count;
        }
        count += gather(frames, bytes + count, length - count, frames->front_size);
        if (frames->gathered_length == frames->front_size)
            *step = parse_front(frames);
        return count;
    }
    count = read_content(frames, bytes, length, step, content);
    /* Behind padding there may be the end, without a byte more. */
    if (*step == HTTP2_MORE && frames->padding == 0)
        return count + read_content(frames, bytes + count, length - count, step, content);
    return count;
}
