/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/websocket_tap.h"

#include "tap/permessage.h"

/* RFC 6455, section 5.2: two bytes, a length of up to eight, a mask of four. */
#define HEADER_SIZE 14
/* Section 5.5: of a control frame. */
#define CONTROL_SIZE 125

struct frame {
    uint8_t header[HEADER_SIZE];
    uint32_t header_length; /* so much of it is there */
    bool in_payload;
    bool fin, masked, is_control;
    unsigned opcode;
    uint32_t mask;
    uint64_t length, read; /* of the payload */
};

/* A message that is read. */
struct unit {
    bool open;
    bool compressed, masked;
    unsigned opcode, frames;
    uint32_t mask;
    uint64_t length;
    uint8_t *kept;
    size_t kept_length, size;
};

struct half {
    struct frame frame;
    struct unit message, control;
    uint8_t control_bytes[CONTROL_SIZE];
    struct permessage inflater;
};

struct reader {
    struct tap *tap;
    struct permessage_terms terms;
    struct half halves[2]; /* to the client, to the server */
};

/* ---- telling ---- */

static void tell(struct reader *reader, const struct unit *unit, bool to_server, bool fin)
{
    struct websocket_message told = {
        .to_server = to_server,
        .opcode = unit->opcode,
        .fin = fin,
        .masked = unit->masked,
        .mask = unit->mask,
        .frames = unit->frames,
        .length = unit->length,
        .compressed = unit->compressed,
        .payload = text_from(unit->kept, unit->kept_length),
        .cut = unit->kept_length < unit->length,
    };
    const struct half *half = &reader->halves[to_server ? 1 : 0];
    if (unit->compressed)
        told.cut = half->inflater.failed || unit->kept_length < half->inflater.length ||
                   (unit->kept == NULL && unit->length > 0);
    if (unit->opcode == WEBSOCKET_CLOSE && unit->kept != NULL && unit->kept_length >= 2) {
        told.close_code = (unsigned)unit->kept[0] << 8 | unit->kept[1];
        told.close_reason = text_from(unit->kept + 2, unit->kept_length - 2);
    }
    if (unit->opcode >= WEBSOCKET_CLOSE && reader->tap->options.bodies == 0)
        told.payload = (struct text){0};
    const struct message message = {.kind = MESSAGE_WEBSOCKET,
                                    .protocol = "websocket",
                                    .number = tap_number(reader->tap),
                                    .websocket = &told};
    tap_tell(reader->tap, &message);
}

/* ---- units ---- */

static void begin_unit(struct reader *reader, struct half *half, struct unit *unit)
{
    const struct frame *frame = &half->frame;
    uint8_t *kept = unit->kept;
    size_t size = unit->size;
    *unit = (struct unit){.open = true,
                          .opcode = frame->opcode,
                          .compressed = (frame->header[0] & 0x40) != 0,
                          .kept = kept,
                          .size = size};
    if (frame->is_control) {
        unit->kept = half->control_bytes;
        unit->size = sizeof(half->control_bytes);
        return;
    }
    if (kept == NULL && reader->tap->options.bodies > 0) {
        unit->kept = tap_alloc(reader->tap, reader->tap->options.bodies);
        unit->size = unit->kept != NULL ? reader->tap->options.bodies : 0;
    }
    if (unit->compressed && reader->tap->options.bodies > 0)
        permessage_start(&half->inflater, reader->tap,
                         reader->terms.forgets[half == &reader->halves[1] ? 1 : 0]);
}

static void add(struct half *half, struct unit *unit, const uint8_t *bytes, size_t length)
{
    unit->length += length;
    if (unit->compressed && unit->kept != NULL) {
        permessage_inflate(&half->inflater, bytes, length, unit->kept, unit->size,
                           &unit->kept_length);
        return;
    }
    size_t room = unit->size - unit->kept_length;
    size_t count = length < room ? length : room;
    if (count > 0 && unit->kept != NULL)
        memcpy(unit->kept + unit->kept_length, bytes, count);
    unit->kept_length += unit->kept != NULL ? count : 0;
}

static void end_unit(struct reader *reader, struct half *half, struct unit *unit)
{
    if (unit->compressed && unit->kept != NULL)
        permessage_end(&half->inflater, unit->kept, unit->size, &unit->kept_length);
    tell(reader, unit, half == &reader->halves[1], true);
    unit->open = false;
}

/* ---- frames ---- */

static uint32_t header_size(const uint8_t *header)
{
    uint32_t length = header[1] & 0x7f;
    uint32_t extended = length == 127 ? 8 : length == 126 ? 2 : 0;
    return 2 + extended + ((header[1] & 0x80) != 0 ? 4 : 0);
}

static uint64_t number_at(const uint8_t *at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

static void parse_header(struct frame *frame)
{
    const uint8_t *header = frame->header;
    uint32_t size = header_size(header);
    frame->fin = (header[0] & 0x80) != 0;
    frame->opcode = header[0] & 0x0f;
    frame->is_control = frame->opcode >= WEBSOCKET_CLOSE;
    frame->masked = (header[1] & 0x80) != 0;
    frame->mask = frame->masked ? (uint32_t)number_at(header + size - 4, 4) : 0;
    frame->length = header[1] & 0x7f;
    if (frame->length >= 126)
        frame->length = number_at(header + 2, frame->length == 126 ? 2 : 8);
    frame->read = 0;
    frame->in_payload = true;
}

/* RFC 6455, sections 5.2, 5.4 and 5.5. */
static bool check_frame(struct reader *reader, const struct half *half)
{
    const struct frame *frame = &half->frame;
    bool starts = !frame->is_control && frame->opcode != WEBSOCKET_CONTINUATION;
    if ((frame->header[0] & 0x30) != 0 ||
        ((frame->header[0] & 0x40) != 0 && (!reader->terms.agreed || !starts)))
        return tap_fail(reader->tap, "a WebSocket frame has bits of an extension not agreed on");
    if (frame->is_control && (!frame->fin || frame->length > CONTROL_SIZE))
        return tap_fail(reader->tap, "a WebSocket control frame is too long, or a fragment");
    if (!frame->is_control && starts == half->message.open)
        return tap_fail(reader->tap, "WebSocket fragments are out of order");
    if (frame->length > INT64_MAX)
        return tap_fail(reader->tap, "the length of a WebSocket frame is out of range");
    return true;
}

static struct unit *unit_of(struct half *half)
{
    return half->frame.is_control ? &half->control : &half->message;
}

static bool begin_frame(struct reader *reader, struct half *half)
{
    struct unit *unit = unit_of(half);
    if (!check_frame(reader, half))
        return false;
    if (half->frame.opcode != WEBSOCKET_CONTINUATION)
        begin_unit(reader, half, unit);
    unit->frames++;
    unit->masked = half->frame.masked;
    unit->mask = half->frame.mask;
    return true;
}

/* The mask is XORed byte by byte, from the payload's start. */
static void unmask(struct frame *frame, const uint8_t *bytes, uint8_t *out, size_t length)
{
    const uint8_t mask[4] = {(uint8_t)(frame->mask >> 24), (uint8_t)(frame->mask >> 16),
                             (uint8_t)(frame->mask >> 8), (uint8_t)frame->mask};
    size_t start = (size_t)(frame->read & 3);
    for (size_t i = 0; i < length; i++)
        out[i] = bytes[i] ^ mask[(start + i) & 3];
}

/* True if what is in the payload matters, beside its length. */
static bool is_kept(const struct unit *unit)
{
    return unit->kept != NULL && (unit->compressed || unit->kept_length < unit->size);
}

static void read_payload(struct half *half, const uint8_t *bytes, size_t length)
{
    struct frame *frame = &half->frame;
    struct unit *unit = unit_of(half);
    uint8_t plain[4096];
    while (length > 0) {
        size_t count = length;
        const uint8_t *piece = bytes;
        if (frame->masked && is_kept(unit)) {
            count = length < sizeof(plain) ? length : sizeof(plain);
            unmask(frame, bytes, plain, count);
            piece = plain;
        }
        add(half, unit, piece, count);
        frame->read += count;
        bytes += count;
        length -= count;
    }
}

static void end_frame(struct reader *reader, struct half *half)
{
    struct frame *frame = &half->frame;
    frame->in_payload = false;
    frame->header_length = 0;
    if (frame->fin)
        end_unit(reader, half, unit_of(half));
}

/* Returns how many bytes were taken; 0 if this is no WebSocket. */
static size_t read_some(struct reader *reader, struct half *half, const uint8_t *bytes,
                        size_t length)
{
    struct frame *frame = &half->frame;
    size_t count = 1;
    if (frame->in_payload) {
        uint64_t left = frame->length - frame->read;
        count = left < length ? (size_t)left : length;
        read_payload(half, bytes, count);
    } else {
        frame->header[frame->header_length++] = bytes[0];
        if (frame->header_length < 2 || frame->header_length < header_size(frame->header))
            return count;
        parse_header(frame);
        if (!begin_frame(reader, half))
            return 0;
    }
    if (frame->read == frame->length)
        end_frame(reader, half);
    return count;
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    reader->tap = tap;
    return true;
}

void websocket_tap_begin(struct tap *tap, struct text extensions, size_t rest)
{
    struct permessage_terms terms = permessage_read(extensions);
    struct reader *reader = tap_hand_over(tap, &websocket_tap, rest);
    if (reader != NULL)
        reader->terms = terms;
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct half *half = &reader->halves[to_server ? 1 : 0];
    while (length > 0) {
        size_t count = read_some(reader, half, bytes, length);
        if (count == 0)
            return false;
        bytes += count;
        length -= count;
    }
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    for (int to_server = 1; to_server >= 0; to_server--) {
        struct half *half = &reader->halves[to_server];
        if (half->message.open)
            tell(reader, &half->message, to_server == 1, false);
        permessage_fini(&half->inflater);
        tap_free(reader->tap, half->message.kept);
        half->message.kept = NULL;
    }
}

const struct tap_kind websocket_tap = {.name = "websocket",
                                       .size = sizeof(struct reader),
                                       .start = start,
                                       .read = read_bytes,
                                       .fini = fini};
