/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/packet.h"

#include <netinet/tcp.h>
#include <string.h>

static void skip(struct reader *reader, size_t count)
{
    (void)read_part(reader, count);
}

static void read_ip(struct reader *reader, struct address *address, sa_family_t family)
{
    size_t size = family == AF_INET ? sizeof address->ip.v4 : sizeof address->ip.v6;
    struct reader bytes = read_part(reader, size);
    address->family = family;
    if (!bytes.failed)
        memcpy(&address->ip, bytes.at, size);
}

/* Both protocols begin with them. */
static bool read_ports(struct flow *flow, struct reader *reader)
{
    if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
        return false;
    flow->device.port = read_u16(reader);
    flow->origin.port = read_u16(reader);
    return !reader->failed;
}

static bool read_ipv4(struct flow *flow, struct reader *reader)
{
    size_t header_length = (size_t)(read_u8(reader) & 15) * 4;
    skip(reader, 5); /* type of service, total length, identification */
    bool later_fragment = (read_u16(reader) & 0x1fff) != 0;
    skip(reader, 1); /* time to live */
    flow->protocol = read_u8(reader);
    skip(reader, 2); /* checksum */
    read_ip(reader, &flow->device, AF_INET);
    read_ip(reader, &flow->origin, AF_INET);
    if (header_length < 20 || later_fragment)
        return false;
    skip(reader, header_length - 20);
    return read_ports(flow, reader);
}

/* Goes past the extension headers (RFC 8200, section 4) to the one that says TCP or UDP. */
static bool skip_extensions(struct reader *reader, uint8_t *next_header)
{
    while (!reader->failed) {
        uint8_t header = *next_header;
        if (header != IPPROTO_HOPOPTS && header != IPPROTO_ROUTING && header != IPPROTO_DSTOPTS &&
            header != IPPROTO_AH && header != IPPROTO_FRAGMENT)
            return true;
        *next_header = read_u8(reader);
        size_t length = read_u8(reader);
        if (header == IPPROTO_FRAGMENT) {
            if ((read_u16(reader) & 0xfff8) != 0) /* a later fragment */
                return false;
            skip(reader, 4);
        } else if (header == IPPROTO_AH) { /* RFC 4302: in 32-bit words, less two */
            skip(reader, (length + 2) * 4 - 2);
        } else { /* in units of 8 bytes, less one */
            skip(reader, (length + 1) * 8 - 2);
        }
    }
    return false;
}

static bool read_ipv6(struct flow *flow, struct reader *reader)
{
    skip(reader, 6); /* version, traffic class, flow label, payload length */
    flow->protocol = read_u8(reader);
    skip(reader, 1); /* hop limit */
    read_ip(reader, &flow->device, AF_INET6);
    read_ip(reader, &flow->origin, AF_INET6);
    return skip_extensions(reader, &flow->protocol) && read_ports(flow, reader);
}

static bool read_ip_header(struct flow *flow, struct reader *reader)
{
    if (reader->left == 0)
        return false;
    switch (reader->at[0] >> 4) {
    case 4:
        return read_ipv4(flow, reader);
    case 6:
        return read_ipv6(flow, reader);
    default:
        return false;
    }
}

bool packet_parse(struct flow *flow, const uint8_t *bytes, size_t length)
{
    struct reader reader = reader_of(bytes, length);
    return read_ip_header(flow, &reader);
}

struct reader packet_payload(const uint8_t *bytes, size_t length)
{
    struct reader reader = reader_of(bytes, length);
    struct flow flow = {0};
    if (!read_ip_header(&flow, &reader) || flow.protocol != IPPROTO_UDP)
        return reader_of(bytes, 0);
    size_t datagram_length = read_u16(&reader);
    skip(&reader, 2); /* checksum */
    if (reader.failed)
        return reader_of(bytes, 0);
    size_t payload_length = datagram_length > 8 ? datagram_length - 8 : 0;
    return read_part(&reader, payload_length < reader.left ? payload_length : reader.left);
}

bool packet_segment(struct packet_segment *segment, const uint8_t *bytes, size_t length)
{
    struct reader reader = reader_of(bytes, length);
    struct flow flow = {0};
    if (!read_ip_header(&flow, &reader) || flow.protocol != IPPROTO_TCP)
        return false;
    uint32_t sequence = read_number(&reader, 4);
    skip(&reader, 4); /* acknowledgement */
    size_t header_length = (size_t)(read_u8(&reader) >> 4) * 4;
    uint8_t flags = read_u8(&reader);
    skip(&reader, 6); /* window, checksum, urgent pointer */
    if (header_length < 20)
        return false;
    skip(&reader, header_length - 20);
    *segment = (struct packet_segment){
        .sequence = sequence + ((flags & TH_SYN) != 0), /* which counts as a byte */
        .starts = (flags & TH_SYN) != 0,
        .ends = (flags & (TH_FIN | TH_RST)) != 0,
        .payload = reader,
    };
    return !reader.failed;
}

struct reader packet_quic_id(struct reader payload)
{
    const struct reader none = reader_of(payload.at, 0);
    if ((read_u8(&payload) & 0x80) == 0)
        return none;
    skip(&payload, 4); /* version */
    struct reader id = read_vector(&payload, 1);
    if (payload.failed)
        return none;
    return reader_of(id.at, id.left < PACKET_QUIC_ID_LIMIT ? id.left : PACKET_QUIC_ID_LIMIT);
}
