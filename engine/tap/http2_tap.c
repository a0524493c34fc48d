/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/http2_tap.h"

#include "tap/hpack.h"
#include "tap/http2_frames.h"
#include "tap/http2_streams.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_LENGTH (sizeof(PREFACE) - 1)
#define SETTING_SIZE 6

/* One direction. */
struct half {
    bool begun; /* its first frame was seen */
    struct http2_frames frames;
    struct hpack hpack;
    uint32_t block;            /* the stream whose header block goes on; 0: none does */
    bool block_ends_stream;    /* and with it the message */
    bool block_is_promise;     /* it is a request's, though the server has sent it */
    struct exchange *exchange; /* of the block or the data; NULL: of one that is not followed */
    uint8_t setting[SETTING_SIZE];
    uint32_t setting_length;
    bool has_table; /* the SETTINGS that are read have a size for the table */
    uint32_t table;
};

struct reader {
    struct tap *tap;
    uint32_t preface;     /* so much of the client's was read */
    uint32_t last_stream; /* of the client's, so far */
    struct http2_streams streams;
    struct half halves[2]; /* to the client, to the server */
};

static bool is_up(const struct reader *reader, const struct half *half)
{
    return half == &reader->halves[1];
}

/* ---- streams ---- */

/* Either direction may be in the middle of it. */
static void forget(struct reader *reader, const struct exchange *exchange)
{
    for (size_t i = 0; i < ARRAY_SIZE(reader->halves); i++)
        if (reader->halves[i].exchange == exchange)
            reader->halves[i].exchange = NULL;
}

static void tell(struct reader *reader, struct exchange *exchange)
{
    forget(reader, exchange);
    http2_streams_tell(&reader->streams, exchange);
}

static struct exchange *open_stream(struct reader *reader, uint32_t stream)
{
    struct exchange *oldest = http2_streams_too_many(&reader->streams);
    if (oldest != NULL)
        tell(reader, oldest);
    return http2_streams_open(&reader->streams, stream);
}

static struct exchange_part *part_of(const struct reader *reader, const struct half *half)
{
    struct exchange *exchange = half->exchange;
    if (exchange == NULL)
        return NULL;
    bool is_request = is_up(reader, half) || (half->block != 0 && half->block_is_promise);
    return is_request ? &exchange->request : &exchange->response;
}

static void end_part(struct reader *reader, struct half *half, struct exchange_part *part)
{
    struct exchange *exchange = half->exchange;
    exchange_end(exchange, part);
    if (exchange_is_whole(exchange))
        tell(reader, exchange);
}

/* ---- header blocks ---- */

/* The exchange that a block belongs to: a client opens streams with them, a server by promises. */
static struct exchange *exchange_of_block(struct reader *reader, const struct half *half)
{
    const struct http2_frame *frame = &half->frames.frame;
    if (half->block_is_promise)
        return open_stream(reader, frame->number & 0x7fffffff);
    if (!is_up(reader, half) || frame->stream <= reader->last_stream)
        return http2_streams_find(&reader->streams, frame->stream);
    reader->last_stream = frame->stream;
    return open_stream(reader, frame->stream);
}

static void begin_block(struct reader *reader, struct half *half)
{
    const struct http2_frame *frame = &half->frames.frame;
    half->block = frame->stream;
    half->block_is_promise = frame->type == NGHTTP2_PUSH_PROMISE;
    half->block_ends_stream =
        half->block_is_promise || (frame->flags & NGHTTP2_FLAG_END_STREAM) != 0;
    half->exchange = exchange_of_block(reader, half);
    struct exchange_part *part = part_of(reader, half);
    if (part == NULL)
        return;
    if (half->block_is_promise)
        half->exchange->pushed = true;
    if (part->start == 0)
        exchange_start(half->exchange, part);
}

struct headers {
    struct exchange *exchange;
    struct exchange_part *part; /* NULL: they are of no use */
};

static void see_header(void *context, struct text name, struct text value)
{
    const struct headers *headers = context;
    if (headers->part != NULL)
        exchange_header(headers->exchange, headers->part, name, value);
}

/* 0 if there is none. */
static unsigned status_of(const struct exchange_part *part)
{
    struct text status = exchange_find(part, HTTP_FIELD_STATUS);
    unsigned number = 0;
    for (size_t i = 0; i < status.length; i++) {
        if (status.length != 3 || status.at[i] < '0' || status.at[i] > '9')
            return 0;
        number = number * 10 + (unsigned)(status.at[i] - '0');
    }
    return number;
}

/* What comes behind a message's headers are trailers; but behind an interim response (RFC 9110,
 * section 15.2) comes the response. */
static void end_headers(struct exchange *exchange, struct exchange_part *part)
{
    if (part->headers_ended)
        return;
    if (part == &exchange->response) {
        unsigned status = status_of(part);
        if (status < 200) {
            exchange_forget(part);
            return;
        }
        exchange->status = status;
    }
    exchange_headers_end(exchange, part);
}

static bool read_block(struct reader *reader, struct half *half, struct text content, bool is_last)
{
    struct headers headers = {.exchange = half->exchange, .part = part_of(reader, half)};
    if (!hpack_read(&half->hpack, (const uint8_t *)content.at, content.length, is_last, see_header,
                    &headers))
        return false;
    if (!is_last)
        return true;
    half->block = 0;
    if (headers.part == NULL)
        return true;
    end_headers(headers.exchange, headers.part);
    if (half->block_ends_stream)
        end_part(reader, half, headers.part);
    return true;
}

/* ---- SETTINGS (RFC 9113, section 6.5) ---- */

static void read_settings(struct half *half, struct text content)
{
    for (size_t i = 0; i < content.length; i++) {
        const uint8_t *setting = half->setting;
        half->setting[half->setting_length++] = (uint8_t)content.at[i];
        if (half->setting_length < SETTING_SIZE)
            continue;
        half->setting_length = 0;
        if (setting[0] != 0 || setting[1] != NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
            continue;
        half->has_table = true;
        half->table = (uint32_t)setting[2] << 24 | (uint32_t)setting[3] << 16 |
                      (uint32_t)setting[4] << 8 | setting[5];
    }
}

/* Who sends them says what it will read: what the other one sends. */
static void end_settings(struct reader *reader, struct half *half)
{
    struct half *other = &reader->halves[is_up(reader, half) ? 0 : 1];
    if ((half->frames.frame.flags & NGHTTP2_FLAG_ACK) != 0)
        hpack_acknowledged(&half->hpack);
    else
        hpack_settings(&other->hpack, half->has_table ? &half->table : NULL);
}

/* ---- frames ---- */

static bool check_frame(struct reader *reader, struct half *half)
{
    const struct http2_frame *frame = &half->frames.frame;
    bool continues = frame->type == NGHTTP2_CONTINUATION;
    bool has_stream = frame->type == NGHTTP2_DATA || frame->type == NGHTTP2_HEADERS ||
                      frame->type == NGHTTP2_PUSH_PROMISE;
    if (!half->begun && frame->type != NGHTTP2_SETTINGS)
        return tap_fail(reader->tap, "HTTP/2 that does not begin with SETTINGS");
    if ((half->block != 0) != continues || (continues && frame->stream != half->block))
        return tap_fail(reader->tap, "a header block that is interrupted, or was not begun");
    if (has_stream && frame->stream == 0)
        return tap_fail(reader->tap, "a message on stream 0");
    if (frame->type == NGHTTP2_PUSH_PROMISE && is_up(reader, half))
        return tap_fail(reader->tap, "a promise by the client");
    half->begun = true;
    return true;
}

static void reset_stream(struct reader *reader, const struct half *half)
{
    const struct http2_frame *frame = &half->frames.frame;
    struct exchange *exchange = http2_streams_find(&reader->streams, frame->stream);
    if (exchange == NULL)
        return;
    exchange->is_reset = true;
    exchange->reset_code = frame->number;
    exchange->reset_by_server = !is_up(reader, half);
    tell(reader, exchange);
}

static bool begin_frame(struct reader *reader, struct half *half)
{
    const struct http2_frame *frame = &half->frames.frame;
    if (!check_frame(reader, half))
        return false;
    if (frame->type == NGHTTP2_HEADERS || frame->type == NGHTTP2_PUSH_PROMISE)
        begin_block(reader, half);
    else if (frame->type == NGHTTP2_DATA)
        half->exchange = http2_streams_find(&reader->streams, frame->stream);
    else if (frame->type == NGHTTP2_RST_STREAM)
        reset_stream(reader, half);
    half->setting_length = 0;
    half->has_table = false;
    return true;
}

static bool read_content(struct reader *reader, struct half *half, struct text content)
{
    const struct http2_frame *frame = &half->frames.frame;
    struct exchange_part *part;
    switch (frame->type) {
    case NGHTTP2_DATA:
        part = part_of(reader, half);
        if (part != NULL && !part->ended)
            exchange_body(half->exchange, part, (const uint8_t *)content.at, content.length);
        return true;
    case NGHTTP2_HEADERS:
    case NGHTTP2_PUSH_PROMISE:
    case NGHTTP2_CONTINUATION:
        return read_block(reader, half, content, false);
    case NGHTTP2_SETTINGS:
        read_settings(half, content);
        return true;
    default:
        return true;
    }
}

static bool end_frame(struct reader *reader, struct half *half)
{
    const struct http2_frame *frame = &half->frames.frame;
    struct exchange_part *part = part_of(reader, half);
    if (frame->type == NGHTTP2_SETTINGS)
        end_settings(reader, half);
    else if (frame->type == NGHTTP2_DATA && (frame->flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
             part != NULL)
        end_part(reader, half, part);
    else if (half->block != 0 && (frame->flags & NGHTTP2_FLAG_END_HEADERS) != 0)
        return read_block(reader, half, text_from("", 0), true);
    return true;
}

static bool take_step(struct reader *reader, struct half *half, enum http2_step step,
                      struct text content)
{
    switch (step) {
    case HTTP2_MORE:
        return true;
    case HTTP2_BEGIN:
        return begin_frame(reader, half);
    case HTTP2_CONTENT:
        return read_content(reader, half, content);
    case HTTP2_END:
        return end_frame(reader, half);
    case HTTP2_BAD:
        return tap_fail(reader->tap, "a frame that is too short for its padding or its type");
    }
    return true;
}

/* ---- the reader ---- */

static bool start(void *state, struct tap *tap)
{
    struct reader *reader = state;
    reader->tap = reader->streams.tap = tap;
    bool good =
        hpack_init(&reader->halves[0].hpack, tap) && hpack_init(&reader->halves[1].hpack, tap);
    if (!good)
        hpack_fini(&reader->halves[0].hpack);
    return good;
}

/* RFC 9113, section 3.4. Returns how many bytes were it, or SIZE_MAX if they are not. */
static size_t read_preface(struct reader *reader, const uint8_t *bytes, size_t length)
{
    size_t left = PREFACE_LENGTH - reader->preface;
    size_t count = left < length ? left : length;
    if (memcmp(bytes, &PREFACE[reader->preface], count) != 0)
        return SIZE_MAX;
    reader->preface += (uint32_t)count;
    return count;
}

static bool read_bytes(void *state, bool to_server, const uint8_t *bytes, size_t length)
{
    struct reader *reader = state;
    struct half *half = &reader->halves[to_server ? 1 : 0];
    size_t at = to_server ? read_preface(reader, bytes, length) : 0;
    if (at == SIZE_MAX)
        return tap_fail(reader->tap, "HTTP/2 without its preface");
    enum http2_step step = at < length ? HTTP2_BEGIN : HTTP2_MORE;
    while (step != HTTP2_MORE) {
        struct text content = {0};
        at += http2_frames_read(&half->frames, bytes + at, length - at, &step, &content);
        if (!take_step(reader, half, step, content))
            return false;
    }
    return true;
}

static void fini(void *state)
{
    struct reader *reader = state;
    http2_streams_fini(&reader->streams);
    hpack_fini(&reader->halves[0].hpack);
    hpack_fini(&reader->halves[1].hpack);
}

const struct tap_kind http2_tap = {.name = "http2",
                                   .size = sizeof(struct reader),
                                   .start = start,
                                   .read = read_bytes,
                                   .fini = fini};
