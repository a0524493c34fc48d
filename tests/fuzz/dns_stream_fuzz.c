/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "gate/dns_stream.h"

static size_t messages;

static void hear(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    must_hold(bytes != NULL && length <= UINT16_MAX);
    messages += length;
}

/* Segments: a connection's number and flags, where in it, how long, and what is in it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct dns_streams streams;
    struct reader reader = reader_of(bytes, length);
    messages = 0;
    while (reader.left > 0 && !reader.failed) {
        uint8_t which = read_u8(&reader);
        struct flow flow = {.device = {.family = AF_INET, .port = which & 15},
                            .origin = {.family = AF_INET, .port = 53}};
        struct packet_segment segment = {.starts = (which & 16) != 0, .ends = (which & 32) != 0};
        segment.sequence = (which & 64) != 0 ? read_number(&reader, 4) : read_u16(&reader);
        size_t size = read_u8(&reader);
        segment.payload = read_part(&reader, size);
        if (!reader.failed)
            dns_streams_feed(&streams, &flow, &segment, hear, NULL);
    }
    dns_streams_fini(&streams);
    return 0;
}
