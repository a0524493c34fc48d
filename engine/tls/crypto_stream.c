/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/crypto_stream.h"

#define HANDSHAKE_CLIENT_HELLO 1
#define HANDSHAKE_HEADER_SIZE 4

enum frame {
    FRAME_PADDING = 0x00,
    FRAME_PING = 0x01,
    FRAME_ACK = 0x02,
    FRAME_ACK_ECN = 0x03,
    FRAME_CRYPTO = 0x06,
    FRAME_CLOSE = 0x1c,
};

uint64_t read_varint(struct reader *reader)
{
    uint8_t first = read_u8(reader);
    uint64_t number = first & 0x3f;
    for (int more = (1 << (first >> 6)) - 1; more > 0; more--)
        number = number << 8 | read_u8(reader);
    return number;
}

static struct reader read_bytes(struct reader *reader, uint64_t count)
{
    return read_part(reader, count > SIZE_MAX ? SIZE_MAX : (size_t)count);
}

static bool is_there(const struct crypto_stream *stream, size_t at)
{
    return (stream->there[at / 8] >> at % 8 & 1) != 0;
}

/* Clients repeat themselves; one that says two things at one place is none, and we cannot know
 * which of them the server would take. */
static bool add_bytes(struct crypto_stream *stream, uint64_t offset, struct reader content)
{
    if (offset > CRYPTO_STREAM_LIMIT || content.left > CRYPTO_STREAM_LIMIT - offset)
        return false;
    for (size_t i = 0, at = (size_t)offset; i < content.left; i++, at++) {
        if (is_there(stream, at) && stream->bytes[at] != content.at[i])
            return false;
        stream->bytes[at] = content.at[i];
        stream->there[at / 8] |= (uint8_t)(1u << at % 8);
    }
    while (stream->whole < CRYPTO_STREAM_LIMIT && is_there(stream, stream->whole))
        stream->whole++;
    return true;
}

static bool read_crypto(struct crypto_stream *stream, struct reader *reader)
{
    uint64_t offset = read_varint(reader);
    uint64_t length = read_varint(reader);
    struct reader content = read_bytes(reader, length);
    return !reader->failed && add_bytes(stream, offset, content);
}

static void skip_numbers(struct reader *reader, uint64_t count)
{
    for (; count > 0 && !reader->failed; count--)
        (void)read_varint(reader);
}

static void skip_ack(struct reader *reader, bool ecn)
{
    skip_numbers(reader, 2); /* the largest acknowledged, the delay */
    uint64_t ranges = read_varint(reader);
    skip_numbers(reader, 1); /* the first range */
    if (ranges > reader->left) {
        reader->failed = true;
        return;
    }
    skip_numbers(reader, 2 * ranges + (ecn ? 3 : 0));
}

static void skip_close(struct reader *reader)
{
    skip_numbers(reader, 2); /* the error, the frame that caused it */
    (void)read_bytes(reader, read_varint(reader));
}

/* Most of a packet may be that. */
static void skip_padding(struct reader *reader)
{
    size_t count = 0;
    while (count < reader->left && reader->at[count] == FRAME_PADDING)
        count++;
    (void)read_part(reader, count);
}

static bool read_frame(struct crypto_stream *stream, struct reader *reader)
{
    uint64_t type = read_varint(reader);
    switch (type) {
    case FRAME_PADDING:
        skip_padding(reader);
        break;
    case FRAME_PING:
        break;
    case FRAME_ACK:
    case FRAME_ACK_ECN:
        skip_ack(reader, type == FRAME_ACK_ECN);
        break;
    case FRAME_CRYPTO:
        return read_crypto(stream, reader);
    case FRAME_CLOSE:
        skip_close(reader);
        break;
    default:
        return false;
    }
    return !reader->failed;
}

static size_t message_length(const struct crypto_stream *stream)
{
    const uint8_t *head = stream->bytes;
    return HANDSHAKE_HEADER_SIZE + ((size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]);
}

bool crypto_stream_read(struct crypto_stream *stream, const uint8_t *frames, size_t length)
{
    struct reader reader = reader_of(frames, length);
    while (reader.left > 0)
        if (!read_frame(stream, &reader))
            return false;
    if (stream->whole >= 1 && stream->bytes[0] != HANDSHAKE_CLIENT_HELLO)
        return false;
    return stream->whole < HANDSHAKE_HEADER_SIZE || message_length(stream) <= CRYPTO_STREAM_LIMIT;
}

size_t crypto_stream_message(const struct crypto_stream *stream)
{
    if (stream->whole < HANDSHAKE_HEADER_SIZE || stream->whole < message_length(stream))
        return 0;
    return message_length(stream);
}
