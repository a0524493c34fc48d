/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/tcp_stream.h"

#include <net/ethernet.h>

/* TCP's flags (RFC 9293, section 3.1). */
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define TCP_SIZE 20
#define HOPS 64
/* More is never under way before it is acknowledged, so no scaling is needed. */
#define WINDOW 65535

/* ---- writing ---- */

struct writer {
    unsigned char bytes[TCP_STREAM_HEAD_SIZE];
    size_t length;
};

static void put8(struct writer *writer, unsigned value)
{
    writer->bytes[writer->length++] = (unsigned char)value;
}

static void put16(struct writer *writer, unsigned value)
{
    put8(writer, value >> 8);
    put8(writer, value);
}

static void put32(struct writer *writer, uint32_t value)
{
    put16(writer, value >> 16);
    put16(writer, value & 0xffff);
}

static void put_bytes(struct writer *writer, const void *bytes, size_t length)
{
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void set16(struct writer *writer, size_t at, uint16_t native)
{
    memcpy(writer->bytes + at, &native, sizeof(native));
}

/* ---- checksums (RFC 1071): whatever the machine's byte order is, the sum has it too ---- */

static uint64_t add_sum(uint64_t sum, const unsigned char *bytes, size_t length)
{
    uint32_t word;
    for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        sum += word;
    }
    word = 0;
    if (length > 0)
        memcpy(&word, bytes, length);
    return sum + word;
}

static uint16_t finish_sum(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The addresses, the protocol and the length (RFC 9293, section 3.1; RFC 8200, section 8.1). */
static uint64_t pseudo_header_sum(const struct tcp_stream_side *from,
                                  const struct tcp_stream_side *to, size_t tcp_length)
{
    struct writer rest = {0};
    const size_t ip_size = address_ip_size(&from->address);
    put32(&rest, (uint32_t)tcp_length);
    put32(&rest, IPPROTO_TCP);
    uint64_t sum = add_sum(0, (const unsigned char *)&from->address.ip, ip_size);
    sum = add_sum(sum, (const unsigned char *)&to->address.ip, ip_size);
    return add_sum(sum, rest.bytes, rest.length);
}

/* ---- one packet ---- */

struct segment {
    uint64_t time;
    unsigned flags;
    const unsigned char *data;
    size_t length;
};

static bool is_ipv4(const struct tcp_stream_side *side)
{
    return side->address.family == AF_INET;
}

static size_t segment_size(const struct tcp_stream_side *side)
{
    return is_ipv4(side) ? TCP_STREAM_SEGMENT_IPV4 : TCP_STREAM_SEGMENT_IPV6;
}

static void put_ethernet(struct writer *writer, const struct tcp_stream_side *from,
                         const struct tcp_stream_side *to)
{
    put_bytes(writer, to->mac, MAC_SIZE);
    put_bytes(writer, from->mac, MAC_SIZE);
    put16(writer, is_ipv4(from) ? ETHERTYPE_IP : ETHERTYPE_IPV6);
}

/* RFC 791, section 3.1; not to be fragmented. */
static void put_ipv4(struct writer *writer, struct tcp_stream_side *from,
                     const struct tcp_stream_side *to, size_t length)
{
    const size_t start = writer->length;
    put16(writer, 0x4500);
    put16(writer, (unsigned)(IPV4_SIZE + length));
    put16(writer, from->id++);
    put16(writer, 0x4000);
    put8(writer, HOPS);
    put8(writer, IPPROTO_TCP);
    put16(writer, 0);
    put_bytes(writer, &from->address.ip, 4);
    put_bytes(writer, &to->address.ip, 4);
    set16(writer, start + 10, finish_sum(add_sum(0, writer->bytes + start, IPV4_SIZE)));
}

/* RFC 8200, section 3. */
static void put_ipv6(struct writer *writer, const struct tcp_stream_side *from,
                     const struct tcp_stream_side *to, size_t length)
{
    put32(writer, 0x60000000);
    put16(writer, (unsigned)length);
    put8(writer, IPPROTO_TCP);
    put8(writer, HOPS);
    put_bytes(writer, &from->address.ip, 16);
    put_bytes(writer, &to->address.ip, 16);
}

/* With SYN comes the one option, the size of segments (RFC 9293, section 3.2). */
static size_t tcp_size(const struct segment *segment)
{
    return (segment->flags & SYN) != 0 ? TCP_SIZE + 4 : TCP_SIZE;
}

static void put_tcp(struct writer *writer, const struct tcp_stream_side *from,
                    const struct tcp_stream_side *to, const struct segment *segment)
{
    const size_t start = writer->length;
    const size_t size = tcp_size(segment);
    put16(writer, from->address.port);
    put16(writer, to->address.port);
    put32(writer, from->next);
    put32(writer, (segment->flags & ACK) != 0 ? to->next : 0);
    put8(writer, (unsigned)(size / 4) << 4);
    put8(writer, segment->flags);
    put16(writer, WINDOW);
    put32(writer, 0); /* the checksum, and nothing urgent */
    if (size > TCP_SIZE)
        put32(writer, 0x02040000 | (uint32_t)segment_size(from));
    uint64_t sum = pseudo_header_sum(from, to, size + segment->length);
    sum = add_sum(sum, writer->bytes + start, size);
    set16(writer, start + 16, finish_sum(add_sum(sum, segment->data, segment->length)));
}

static void make(const struct tcp_stream *stream, struct tcp_stream_side *from,
                 const struct tcp_stream_side *to, const struct segment *segment)
{
    struct writer writer = {.length = 0};
    const size_t tcp_length = tcp_size(segment) + segment->length;
    put_ethernet(&writer, from, to);
    if (is_ipv4(from))
        put_ipv4(&writer, from, to, tcp_length);
    else
        put_ipv6(&writer, from, to, tcp_length);
    put_tcp(&writer, from, to, segment);
    from->next += (uint32_t)segment->length + ((segment->flags & (SYN | FIN)) != 0 ? 1 : 0);
    const struct frame frame = {.time = segment->time,
                                .head = writer.bytes,
                                .head_length = writer.length,
                                .data = segment->data,
                                .data_length = segment->length};
    stream->emit(stream->context, &frame);
}

static void make_empty(const struct tcp_stream *stream, uint64_t time, struct tcp_stream_side *from,
                       const struct tcp_stream_side *to, unsigned flags)
{
    const struct segment segment = {.time = time, .flags = flags};
    make(stream, from, to, &segment);
}

/* ---- the stream ---- */

void tcp_stream_init(struct tcp_stream *stream, uint64_t seed)
{
    stream->device.next = (uint32_t)seed;
    stream->origin.next = (uint32_t)(seed >> 32) * UINT32_C(2654435761);
    stream->device.id = stream->origin.id = 0;
    stream->device.ended = stream->origin.ended = false;
}

static struct tcp_stream_side *sender(struct tcp_stream *stream, bool up)
{
    return up ? &stream->device : &stream->origin;
}

void tcp_stream_open(struct tcp_stream *stream, uint64_t time)
{
    make_empty(stream, time, &stream->device, &stream->origin, SYN);
    make_empty(stream, time, &stream->origin, &stream->device, SYN | ACK);
    make_empty(stream, time, &stream->device, &stream->origin, ACK);
}

/* The acknowledgement comes at once: tools that look for attacks look at what was acknowledged. */
void tcp_stream_data(struct tcp_stream *stream, uint64_t time, bool up, const unsigned char *bytes,
                     size_t length)
{
    struct tcp_stream_side *from = sender(stream, up), *to = sender(stream, !up);
    const size_t size = segment_size(from);
    while (length > 0) {
        const size_t part = length < size ? length : size;
        const struct segment segment = {
            time, part == length ? (unsigned)(PSH | ACK) : (unsigned)ACK, bytes, part};
        make(stream, from, to, &segment);
        bytes += part;
        length -= part;
    }
    make_empty(stream, time, to, from, ACK);
}

void tcp_stream_skip(struct tcp_stream *stream, bool up, uint64_t length)
{
    sender(stream, up)->next += (uint32_t)length;
}

void tcp_stream_end(struct tcp_stream *stream, uint64_t time, bool up)
{
    struct tcp_stream_side *from = sender(stream, up), *to = sender(stream, !up);
    if (from->ended)
        return;
    from->ended = true;
    make_empty(stream, time, from, to, FIN | ACK);
    make_empty(stream, time, to, from, ACK);
}

void tcp_stream_reset(struct tcp_stream *stream, uint64_t time, bool by_device)
{
    make_empty(stream, time, sender(stream, by_device), sender(stream, !by_device), RST | ACK);
}
