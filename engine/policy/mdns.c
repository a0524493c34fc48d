/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/mdns.h"

#include <ldns/ldns.h>
#include <string.h>

/* The address in an A or AAAA record is the source's. */
static bool is_source(const ldns_rdf *rdata, const struct address *source)
{
    return rdata != NULL && ldns_rdf_size(rdata) == address_ip_size(source) &&
           memcmp(ldns_rdf_data(rdata), &source->ip, address_ip_size(source)) == 0;
}

/* The owner of a PTR record is the source's address, backwards below arpa. */
static bool is_reverse(const ldns_rdf *owner, const struct address *source)
{
    uint8_t bytes[sizeof(source->ip)];
    memcpy(bytes, &source->ip, sizeof(bytes));
    ldns_rdf *address =
        ldns_rdf_new_frm_data(source->family == AF_INET ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                              address_ip_size(source), bytes);
    ldns_rdf *reverse = address != NULL ? ldns_rdf_address_reverse(address) : NULL;
    bool same = reverse != NULL && ldns_dname_compare(owner, reverse) == 0;
    ldns_rdf_deep_free(reverse);
    ldns_rdf_deep_free(address);
    return same;
}

/* "NAME.local", and nothing above or below it (RFC 6762, section 3). */
static bool take_name(const ldns_rdf *domain, char name[static MDNS_NAME_SIZE])
{
    static const uint8_t rest[] = "\5local"; /* and the root's 0 */
    const uint8_t *labels = ldns_rdf_data(domain);
    size_t size = ldns_rdf_size(domain);
    size_t label = size > 0 ? labels[0] : 0;
    if (label == 0 || size != 1 + label + sizeof(rest) ||
        strncasecmp((const char *)labels + 1 + label, (const char *)rest, sizeof(rest)) != 0 ||
        !device_name_take(name, labels + 1, label))
        return false;
    strcat(name, ".local");
    return true;
}

static bool read_record(const ldns_rr *record, const struct address *source,
                        char name[static MDNS_NAME_SIZE])
{
    const ldns_rr_type own = source->family == AF_INET ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
    const ldns_rdf *rdata = ldns_rr_rdf(record, 0);
    /* With no time to live it says good-bye. */
    if (rdata == NULL || ldns_rr_ttl(record) == 0)
        return false;
    if (ldns_rr_get_type(record) == own)
        return is_source(rdata, source) && take_name(ldns_rr_owner(record), name);
    return ldns_rr_get_type(record) == LDNS_RR_TYPE_PTR &&
           is_reverse(ldns_rr_owner(record), source) && take_name(rdata, name);
}

static bool read_records(const ldns_rr_list *records, const struct address *source,
                         char name[static MDNS_NAME_SIZE])
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++)
        if (read_record(ldns_rr_list_rr(records, i), source, name))
            return true;
    return false;
}

bool mdns_read(const uint8_t *bytes, size_t length, const struct address *source,
               char name[static MDNS_NAME_SIZE])
{
    const size_t header = 12, flags = 2;
    const uint8_t response = 0x80, opcode = 0x78;
    ldns_pkt *packet;
    /* Most packets are questions. */
    if (length < header || length > MDNS_PACKET_LIMIT || (bytes[flags] & response) == 0 ||
        (bytes[flags] & opcode) != 0 || ldns_wire2pkt(&packet, bytes, length) != LDNS_STATUS_OK)
        return false;
    bool found = read_records(ldns_pkt_answer(packet), source, name) ||
                 read_records(ldns_pkt_additional(packet), source, name);
    ldns_pkt_free(packet);
    return found;
}
