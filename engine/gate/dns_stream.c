/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/dns_stream.h"

#include <string.h>

/* A message and its length. */
#define LARGEST ((size_t)UINT16_MAX + 2)

static void clear(struct dns_stream *stream)
{
    free(stream->buffer);
    *stream = (struct dns_stream){0};
}

void dns_streams_fini(struct dns_streams *streams)
{
    for (size_t i = 0; i < DNS_STREAMS; i++)
        clear(&streams->items[i]);
}

static bool is_same(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->port == b->port && address_same_ip(a, b);
}

static struct dns_stream *find(struct dns_streams *streams, const struct flow *flow)
{
    for (size_t i = 0; i < DNS_STREAMS; i++) {
        struct dns_stream *stream = &streams->items[i];
        if (stream->from.family != 0 && is_same(&stream->from, &flow->device) &&
            is_same(&stream->to, &flow->origin))
            return stream;
    }
    return NULL;
}

static struct dns_stream *add(struct dns_streams *streams, const struct flow *flow,
                              uint32_t sequence)
{
    struct dns_stream *oldest = &streams->items[0];
    for (size_t i = 1; i < DNS_STREAMS; i++)
        if (streams->items[i].used < oldest->used)
            oldest = &streams->items[i];
    clear(oldest);
    oldest->from = flow->device;
    oldest->to = flow->origin;
    oldest->sequence = sequence;
    return oldest;
}

/* ---- parts ---- */

/* Notes that [start, end) is there, and joins what touches. False if there are too many parts. */
static bool add_part(struct dns_stream *stream, size_t start, size_t end)
{
    size_t at = 0, last;
    while (at < stream->part_count && stream->parts[at].end < start)
        at++;
    for (last = at; last < stream->part_count && stream->parts[last].start <= end; last++) {
        if (stream->parts[last].start < start)
            start = stream->parts[last].start;
        if (stream->parts[last].end > end)
            end = stream->parts[last].end;
    }
    if (last == at && stream->part_count == DNS_STREAM_PARTS)
        return false;
    memmove(&stream->parts[at + 1], &stream->parts[last],
            (stream->part_count - last) * sizeof(stream->parts[0]));
    stream->part_count = stream->part_count - (last - at) + 1;
    stream->parts[at].start = start;
    stream->parts[at].end = end;
    return true;
}

/* Bytes from the start of the buffer on without a gap. */
static size_t ready(const struct dns_stream *stream)
{
    return stream->part_count > 0 && stream->parts[0].start == 0 ? stream->parts[0].end : 0;
}

static void take_off(struct dns_stream *stream, size_t count)
{
    size_t kept = 0, end = 0;
    for (size_t i = 0; i < stream->part_count; i++) {
        if (stream->parts[i].end <= count)
            continue;
        stream->parts[kept].start =
            stream->parts[i].start > count ? stream->parts[i].start - count : 0;
        end = stream->parts[kept++].end = stream->parts[i].end - count;
    }
    stream->part_count = kept;
    memmove(stream->buffer, stream->buffer + count, end);
    stream->sequence += (uint32_t)count;
}

static bool make_room(struct dns_stream *stream, size_t size)
{
    if (size <= stream->size)
        return true;
    size_t wanted = size < 2048 ? 2048 : size;
    uint8_t *buffer = realloc(stream->buffer, wanted);
    if (buffer == NULL)
        return false;
    stream->buffer = buffer;
    stream->size = wanted;
    return true;
}

/* ---- segments ---- */

/* False if it cannot be followed any further. */
static bool put(struct dns_stream *stream, uint32_t sequence, struct reader payload)
{
    /* Sequence numbers go round: half of them are behind us (RFC 9293, 3.4). */
    int32_t offset = (int32_t)(sequence - stream->sequence);
    if (offset < 0) { /* it was there before, at least a part of it */
        size_t old = (size_t) - (int64_t)offset;
        if (old >= payload.left)
            return true;
        (void)read_part(&payload, old);
        offset = 0;
    }
    const size_t start = (size_t)offset, end = start + payload.left;
    /* What is behind one message may be the next one: as much as there is room for. */
    if (end > 2 * LARGEST || !make_room(stream, end))
        return false;
    memcpy(stream->buffer + start, payload.at, payload.left);
    return add_part(stream, start, end);
}

/* False if there are more than anybody waits for. */
static bool hand_out(struct dns_stream *stream,
                     void (*message)(void *context, const uint8_t *bytes, size_t length),
                     void *context)
{
    size_t at = 0, count = 0, there = ready(stream);
    while (there - at >= 2) {
        size_t length = (size_t)stream->buffer[at] << 8 | stream->buffer[at + 1];
        if (there - at - 2 < length)
            break;
        if (count++ == DNS_STREAM_MESSAGES)
            return false;
        message(context, stream->buffer + at + 2, length);
        at += 2 + length;
    }
    if (at > 0)
        take_off(stream, at);
    return true;
}

void dns_streams_feed(struct dns_streams *streams, const struct flow *flow,
                      const struct packet_segment *segment,
                      void (*message)(void *context, const uint8_t *bytes, size_t length),
                      void *context)
{
    struct dns_stream *stream = find(streams, flow);
    if (stream != NULL && segment->starts) {
        clear(stream);
        stream = NULL;
    }
    if (stream == NULL && segment->ends && segment->payload.left == 0)
        return;
    if (stream == NULL)
        stream = add(streams, flow, segment->sequence);
    stream->used = ++streams->uses;
    if (!stream->lost && segment->payload.left > 0)
        stream->lost = !put(stream, segment->sequence, segment->payload) ||
                       !hand_out(stream, message, context);
    if (segment->ends)
        clear(stream);
}
