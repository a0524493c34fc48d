/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The first byte's lowest bit tells what the rest is: segments as a stranger makes them up, or a
 * stream that is cut, repeated and put out of order, and has to come out as it went in. */
#include "fuzz.h"
#include "gate/dns_stream.h"

#include <string.h>

#define CUTS 32

/* What has come out of a stream, message for message with their lengths: it must be how `bytes`
 * begins. */
struct outcome {
    const uint8_t *bytes;
    size_t length, at;
};

static void check_message(void *context, const uint8_t *bytes, size_t length)
{
    struct outcome *outcome = context;
    must_hold(length <= UINT16_MAX);
    if (outcome->bytes == NULL)
        return;
    must_hold(outcome->at + 2 + length <= outcome->length);
    must_hold(memcmp(outcome->bytes + outcome->at + 2, bytes, length) == 0);
    outcome->at += 2 + length;
}

static struct flow flow_number(uint8_t number)
{
    struct flow flow = {.protocol = IPPROTO_TCP};
    flow.device = (struct address){.family = AF_INET, .port = number};
    flow.origin = (struct address){.family = AF_INET, .port = 53};
    return flow;
}

/* In memory of its own, so that a sanitizer sees a read behind its end. */
static void feed(struct dns_streams *streams, uint8_t number, uint8_t flags, uint32_t sequence,
                 struct reader payload, struct outcome *outcome)
{
    const struct flow flow = flow_number(number);
    uint8_t *copy = malloc(payload.left > 0 ? payload.left : 1);
    must_hold(copy != NULL);
    if (payload.left > 0)
        memcpy(copy, payload.at, payload.left);
    const struct packet_segment segment = {.sequence = sequence,
                                           .starts = (flags & 1) != 0,
                                           .ends = (flags & 2) != 0,
                                           .payload = reader_of(copy, payload.left)};
    dns_streams_feed(streams, &flow, &segment, check_message, outcome);
    free(copy);
}

/* Each: whose, flags, a sequence number, a length, and what it carries. */
static void feed_strange(struct dns_streams *streams, struct reader reader)
{
    struct outcome outcome = {.bytes = NULL};
    while (reader.left >= 7) {
        const uint8_t number = read_u8(&reader), flags = read_u8(&reader);
        const uint32_t sequence = read_number(&reader, 4);
        const size_t length = read_u8(&reader);
        feed(streams, number, flags, sequence,
             read_part(&reader, length < reader.left ? length : reader.left), &outcome);
    }
}

/* Whole messages of the stream, with their lengths. */
static size_t whole_messages(struct reader stream)
{
    size_t at = 0;
    while (stream.left >= 2) {
        const size_t length = read_u16(&stream);
        if (read_part(&stream, length).failed)
            break;
        at += 2 + length;
    }
    return at;
}

/* A byte for each cut: how long the segment is, whether it comes twice, and whether it is late and
 * lets the next one go first. */
static void feed_cut(struct dns_streams *streams, struct reader reader)
{
    const uint32_t first = read_number(&reader, 4);
    struct reader cuts = read_part(&reader, CUTS), late = {0};
    struct outcome outcome = {.bytes = reader.at, .length = reader.left};
    const size_t expected = whole_messages(reader);
    uint32_t sequence = first, late_sequence = 0;
    if (reader.failed)
        return;
    feed(streams, 0, 0, first, reader_of(reader.at, 0), &outcome);
    while (reader.left > 0) {
        const uint8_t cut = cuts.left > 0 ? read_u8(&cuts) : 63;
        const size_t wanted = (size_t)(cut & 63) + 1;
        const struct reader part = read_part(&reader, wanted < reader.left ? wanted : reader.left);
        const bool is_late = (cut & 64) != 0 && late.left == 0 && reader.left > 0;
        if (is_late) {
            late = part;
            late_sequence = sequence;
        } else {
            feed(streams, 0, 0, sequence, part, &outcome);
            if ((cut & 128) != 0)
                feed(streams, 0, 0, sequence, part, &outcome);
            if (late.left > 0)
                feed(streams, 0, 0, late_sequence, late, &outcome);
            late.left = 0;
        }
        sequence += (uint32_t)part.left;
    }
    must_hold(outcome.at == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct dns_streams *streams = calloc(1, sizeof(*streams));
    struct reader reader = reader_of(bytes, length);
    must_hold(streams != NULL);
    if ((read_u8(&reader) & 1) != 0)
        feed_strange(streams, reader);
    else
        feed_cut(streams, reader);
    dns_streams_fini(streams);
    free(streams);
    return 0;
}
