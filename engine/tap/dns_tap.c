/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/dns_tap.h"

#include "tap/dns_packet.h"
#include "tap/dns_told.h"

/* RFC 1035, section 4.2.2: in front of a message stands its length. */
#define PREFIX_SIZE 2
#define HEADER_SIZE 12

struct query {
    bool waits;
    uint16_t id;
    uint64_t number, time;
};

struct half {
    uint8_t prefix[PREFIX_SIZE];
    uint32_t prefix_length, length, read;
    uint8_t *bytes; /* of the message; NULL: there is no memory for it */
};

struct reader {
    struct tap *tap;
    struct half halves[2]; /* to the client, to the server */
    unsigned next;         /* where the next query goes: in the place of the oldest */
    struct query queries[DNS_QUERIES];
};

/* ---- queries and their answers ---- */

static uint64_t note_query(struct reader *reader, uint16_t id)
{
    struct query *query = &reader->queries[reader->next];
    reader->next = (reader->next + 1) % DNS_QUERIES;
    *query = (struct query){
        .waits = true, .id = id, .number = tap_number(reader->tap), .time = reader->tap->now};
    return query->number;
}

static uint64_t note_answer(struct reader *reader, struct dns_event *event)
{
    for (size_t i = 0; i < DNS_QUERIES; i++) {
        struct query *query = &reader->queries[i];
        if (!query->waits || query->id != event->id)
            continue;
        query->waits = false;
        event->has_query = true;
        event->wait = reader->tap->now - query->time;
        return query->number;
    }
    return tap_number(reader->tap);
}

static void tell(struct reader *reader, struct dns_event *event)
{
    const struct message message = {.kind = MESSAGE_DNS,
                                    .protocol = "dns",
                                    .number = event->is_answer ? note_answer(reader, event)
                                                               : note_query(reader, event->id),
                                    .dns = event};
    tap_tell(reader->tap, &message);
}

/* ---- messages ---- */

static bool begin_message(struct reader *reader, struct half *half)
{
    half->length = (uint32_t)half->prefix[0] << 8 | half->prefix[1];
    half->read = 0;
    if (half->length < HEADER_SIZE)
        return tap_fail(reader->tap, "a DNS message of %u bytes", (unsigned)half->length);
    half->bytes =
        tap_alloc(reader->tap, half->length < DNS_MESSAGE_LIMIT ? half->length : DNS_MESSAGE_LIMIT);
    return true;
}

static void drop_message(struct reader *reader, struct half *half)
{
    tap_free(reader->tap, half->bytes);
    half->bytes = NULL;
    half->prefix_length = 0;
}

static bool end_message(struct reader *reader, struct half *half)
{
    struct dns_told told;
    bool is_one = true;
    if (half->bytes == NULL) {
        reader->tap->untold++;
    } else {
        is_one = dns_told_init(&told, half->bytes, half->length);
        if (is_one)
            tell(reader, &told.event);
        else
            tap_fail(reader->tap, "a DNS message is malformed");
        dns_told_fini(&told);
    }
    drop_message(reader, half);
    return is_one;
}

static size_t read_message(struct half *half, const uint8_t *bytes, size_t length)
{
    size_t left = half->length - half->read, count = left < length ? left : length;
    size_t room = half->read < DNS_MESSAGE_LIMIT ? DNS_MESSAGE_LIMIT - half->read : 0;
    if (half->bytes != NULL)
        memcpy(half->bytes + half->read, bytes, count < room ? count : room);
    half->read += (uint32_t)count;
    return count;
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    reader->tap = tap;
    return true;
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct half *half = &reader->halves[to_server ? 1 : 0];
    while (length > 0) {
        size_t count = 1;
        if (half->prefix_length < PREFIX_SIZE) {
            half->prefix[half->prefix_length++] = bytes[0];
            if (half->prefix_length == PREFIX_SIZE && !begin_message(reader, half))
                return false;
        } else {
            count = read_message(half, bytes, length);
            if (half->read == half->length && !end_message(reader, half))
                return false;
        }
        bytes += count;
        length -= count;
    }
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    for (size_t i = 0; i < ARRAY_SIZE(reader->halves); i++)
        drop_message(reader, &reader->halves[i]);
}

const struct tap_kind dns_tap = {
    .name = "dns", .size = sizeof(struct reader), .start = start, .read = read_bytes, .fini = fini};
