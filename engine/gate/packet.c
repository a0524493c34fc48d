/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/packet.h"

#include <string.h>

struct reader {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct reader *reader, size_t count)
{
    if (count > reader->left)
        return false;
    reader->at += count;
    reader->left -= count;
    return true;
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static bool parse_ports(struct flow *flow, const struct reader *reader)
{
    if (reader->left < 4 || (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP))
        return false;
    flow->device.port = get16(reader->at);
    flow->origin.port = get16(reader->at + 2);
    return true;
}

static bool parse_ipv4(struct flow *flow, struct reader *reader)
{
    if (reader->left < 20)
        return false;
    size_t header_length = (size_t)(reader->at[0] & 15) * 4;
    bool later_fragment = (get16(reader->at + 6) & 0x1fff) != 0;
    if (header_length < 20 || later_fragment)
        return false;
    flow->protocol = reader->at[9];
    flow->device.family = flow->origin.family = AF_INET;
    memcpy(&flow->device.ip.v4, reader->at + 12, 4);
    memcpy(&flow->origin.ip.v4, reader->at + 16, 4);
    return skip(reader, header_length);
}

/* Goes past the extension headers (RFC 8200, section 4) to the one that says TCP or UDP. */
static bool skip_extensions(struct reader *reader, uint8_t *next_header)
{
    for (;;) {
        size_t length;
        switch (*next_header) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            if (reader->left < 8)
                return false;
            length = ((size_t)reader->at[1] + 1) * 8;
            break;
        case IPPROTO_AH: /* RFC 4302: in 32-bit words, less two */
            if (reader->left < 8)
                return false;
            length = ((size_t)reader->at[1] + 2) * 4;
            break;
        case IPPROTO_FRAGMENT:
            if (reader->left < 8 || (get16(reader->at + 2) & 0xfff8) != 0)
                return false;
            length = 8;
            break;
        default:
            return true;
        }
        *next_header = reader->at[0];
        if (!skip(reader, length))
            return false;
    }
}

static bool parse_ipv6(struct flow *flow, struct reader *reader)
{
    if (reader->left < 40)
        return false;
    flow->protocol = reader->at[6];
    flow->device.family = flow->origin.family = AF_INET6;
    memcpy(&flow->device.ip.v6, reader->at + 8, 16);
    memcpy(&flow->origin.ip.v6, reader->at + 24, 16);
    return skip(reader, 40) && skip_extensions(reader, &flow->protocol);
}

bool packet_parse(struct flow *flow, const uint8_t *bytes, size_t length)
{
    struct reader reader = {bytes, length};
    if (length == 0)
        return false;
    switch (bytes[0] >> 4) {
    case 4:
        return parse_ipv4(flow, &reader) && parse_ports(flow, &reader);
    case 6:
        return parse_ipv6(flow, &reader) && parse_ports(flow, &reader);
    default:
        return false;
    }
}
