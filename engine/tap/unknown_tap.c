/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/unknown_tap.h"

#include "tap/entropy.h"

struct half {
    uint8_t first[TAP_FIRST_BYTES];
    size_t first_length;
    uint64_t length;
    struct entropy entropy;
};

struct reader {
    struct tap *tap;
    bool told;
    struct half halves[2]; /* to the client, to the server */
};

static struct unknown_side side_of(const struct reader *reader, const struct half *half)
{
    size_t limit = reader->tap->options.bodies > 0 ? TAP_FIRST_BYTES : UNKNOWN_SIGN;
    size_t length = half->first_length < limit ? half->first_length : limit;
    return (struct unknown_side){.first = text_from(half->first, length),
                                 .length = half->length,
                                 .entropy = entropy_of(&half->entropy)};
}

static void tell(struct reader *reader)
{
    const struct unknown_talk told = {.to_server = side_of(reader, &reader->halves[1]),
                                      .to_client = side_of(reader, &reader->halves[0])};
    const struct message message = {.kind = MESSAGE_UNKNOWN,
                                    .protocol = unknown_tap.name,
                                    .number = tap_number(reader->tap),
                                    .unknown = &told};
    reader->told = true;
    tap_tell(reader->tap, &message);
}

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    reader->tap = tap;
    return true;
}

static void count(struct half *half, const uint8_t *bytes, size_t length)
{
    size_t room = sizeof(half->first) - half->first_length;
    size_t left = (size_t)UNKNOWN_COUNTED - half->length;
    size_t kept = room < length ? room : length;
    memcpy(half->first + half->first_length, bytes, kept);
    half->first_length += kept;
    length = left < length ? left : length;
    entropy_count(&half->entropy, bytes, length);
    half->length += length;
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    count(&reader->halves[to_server ? 1 : 0], bytes, length);
    if (reader->halves[0].length < UNKNOWN_COUNTED || reader->halves[1].length < UNKNOWN_COUNTED)
        return true;
    tell(reader);
    return false;
}

static void fini(void *state)
{
    struct reader *reader = state;
    if (!reader->told)
        tell(reader);
}

const struct tap_kind unknown_tap = {.name = "failed",
                                     .size = sizeof(struct reader),
                                     .start = start,
                                     .read = read_bytes,
                                     .fini = fini};
