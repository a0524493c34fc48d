/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/dns_packet.h"

#include <ldns/ldns.h>
#include <string.h>

ldns_pkt *dns_packet_read(const uint8_t *bytes, size_t length)
{
    ldns_pkt *packet;
    if (length > DNS_MESSAGE_LIMIT || ldns_wire2pkt(&packet, bytes, length) != LDNS_STATUS_OK)
        return NULL;
    return packet;
}

size_t dns_packet_data(const ldns_rr *record, uint8_t *out, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < ldns_rr_rd_count(record); i++) {
        const ldns_rdf *part = ldns_rr_rdf(record, i);
        if (part == NULL || length + ldns_rdf_size(part) > size)
            return 0;
        memcpy(out + length, ldns_rdf_data(part), ldns_rdf_size(part));
        length += ldns_rdf_size(part);
    }
    return length;
}
