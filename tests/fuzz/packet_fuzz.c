/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "gate/packet.h"

#include <string.h>

static bool same_address(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(&a->ip, &b->ip, a->family == AF_INET ? sizeof a->ip.v4 : sizeof a->ip.v6) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct flow whole = {0};
    bool whole_read = packet_parse(&whole, bytes, length);
    if (whole_read) {
        must_hold(whole.protocol == IPPROTO_TCP || whole.protocol == IPPROTO_UDP);
        must_hold(whole.device.family == whole.origin.family);
        must_hold(whole.device.family == (bytes[0] >> 4 == 4 ? AF_INET : AF_INET6));
    }
    struct reader payload = packet_payload(bytes, length);
    must_hold(!payload.failed &&
              (payload.left == 0 || payload.at + payload.left <= bytes + length));
    must_hold(payload.left == 0 || (whole_read && whole.protocol == IPPROTO_UDP));
    struct reader id = packet_quic_id(payload);
    must_hold(id.left <= PACKET_QUIC_ID_LIMIT);
    must_hold(id.left == 0 || id.at + id.left <= payload.at + payload.left);
    struct packet_segment segment;
    if (packet_segment(&segment, bytes, length)) {
        must_hold(whole_read && whole.protocol == IPPROTO_TCP && !segment.payload.failed);
        must_hold(segment.payload.at + segment.payload.left == bytes + length);
    }
    /* What a shorter copy of the packet says, the whole one says too. */
    for (size_t cut = 0; cut < length && cut < 256; cut++) {
        struct flow part = {0};
        if (!packet_parse(&part, bytes, cut))
            continue;
        must_hold(whole_read && part.protocol == whole.protocol);
        must_hold(same_address(&part.device, &whole.device));
        must_hold(same_address(&part.origin, &whole.origin));
    }
    return 0;
}
