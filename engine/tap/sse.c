/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/sse.h"

static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};

struct sse *sse_new(struct tap *tap, const char *protocol, uint32_t stream)
{
    struct sse *sse = tap_alloc(tap, sizeof(*sse) + tap->options.bodies);
    if (sse == NULL)
        return NULL;
    sse->tap = tap;
    sse->protocol = protocol;
    sse->stream = stream;
    return sse;
}

/* ---- an event ---- */

static struct text given_text(const struct sse_text *text)
{
    return text->given ? text_from(text->bytes, text->length) : (struct text){0};
}

static void dispatch(struct sse *sse)
{
    if (sse->data_lines > 0) {
        const struct sse_event event = {
            .stream = sse->stream,
            .type = given_text(&sse->type),
            .id = given_text(&sse->id),
            .length = sse->data_length,
            .data = text_from(sse->data, sse->data_kept),
            .cut = sse->data_kept < sse->data_length,
        };
        const struct message message = {.kind = MESSAGE_SSE,
                                        .protocol = sse->protocol,
                                        .number = tap_number(sse->tap),
                                        .sse = &event};
        tap_tell(sse->tap, &message);
    }
    sse->type = (struct sse_text){0};
    sse->data_lines = sse->data_length = 0;
    sse->data_kept = 0;
}

/* ---- a line: its field's name, a colon, a blank that does not count, the value ---- */

static bool field_is(const struct sse *sse, const char *name)
{
    return sse->field_length == strlen(name) && memcmp(sse->field, name, sse->field_length) == 0;
}

static void add_text(struct sse_text *text, const char *bytes, size_t length)
{
    size_t room = sizeof(text->bytes) - text->length;
    size_t count = length < room ? length : room;
    memcpy(text->bytes + text->length, bytes, count);
    text->length += (uint32_t)count;
}

static void add_data(struct sse *sse, const char *bytes, size_t length)
{
    size_t room = sse->tap->options.bodies - sse->data_kept;
    size_t count = length < room ? length : room;
    memcpy(sse->data + sse->data_kept, bytes, count);
    sse->data_kept += (uint32_t)count;
    sse->data_length += length;
}

static void add_value(struct sse *sse, const char *bytes, size_t length)
{
    if (field_is(sse, "data"))
        add_data(sse, bytes, length);
    else if (field_is(sse, "event"))
        add_text(&sse->type, bytes, length);
    else if (field_is(sse, "id"))
        add_text(&sse->id, bytes, length);
}

/* The field's name is whole. What was there before goes, but for data: lines of it add up. */
static void begin_value(struct sse *sse)
{
    if (field_is(sse, "event"))
        sse->type = (struct sse_text){.given = true};
    else if (field_is(sse, "id"))
        sse->id = (struct sse_text){.given = true};
    else if (field_is(sse, "data") && sse->data_lines++ > 0)
        add_data(sse, "\n", 1);
}

static void end_line(struct sse *sse)
{
    bool is_empty = sse->part == SSE_FIELD && sse->field_length == 0;
    if (sse->part == SSE_FIELD && !is_empty)
        begin_value(sse);
    if (is_empty)
        dispatch(sse);
    sse->part = SSE_FIELD;
    sse->field_length = 0;
}

static void read_field(struct sse *sse, uint8_t byte)
{
    if (byte == ':') {
        sse->part = SSE_COLON;
        begin_value(sse);
    } else if (sse->field_length < SSE_FIELD_SIZE) {
        sse->field[sse->field_length++] = (char)byte;
    }
}

/* ---- the bytes ---- */

/* How many bytes there are up to the end of the line. */
static size_t find_end(const uint8_t *bytes, size_t length)
{
    const uint8_t *feed = memchr(bytes, '\n', length);
    size_t count = feed != NULL ? (size_t)(feed - bytes) : length;
    const uint8_t *back = memchr(bytes, '\r', count);
    return back != NULL ? (size_t)(back - bytes) : count;
}

static size_t read_some(struct sse *sse, const uint8_t *bytes, size_t length)
{
    size_t count = find_end(bytes, length);
    if (count == 0) {
        bool is_rest = bytes[0] == '\n' && sse->after_return;
        sse->after_return = bytes[0] == '\r';
        if (!is_rest)
            end_line(sse);
        return 1;
    }
    sse->after_return = false;
    if (sse->part == SSE_FIELD) {
        read_field(sse, bytes[0]);
        return 1;
    }
    size_t skip = sse->part == SSE_COLON && bytes[0] == ' ' ? 1 : 0;
    sse->part = SSE_VALUE;
    add_value(sse, (const char *)bytes + skip, count - skip);
    return count;
}

void sse_read(struct sse *sse, const uint8_t *bytes, size_t length)
{
    while (length > 0 && sse->marks < sizeof(byte_order_mark) &&
           bytes[0] == byte_order_mark[sse->marks]) {
        sse->marks++;
        bytes++;
        length--;
    }
    if (length > 0)
        sse->marks = sizeof(byte_order_mark);
    for (size_t at = 0; at < length;)
        at += read_some(sse, bytes + at, length - at);
}
