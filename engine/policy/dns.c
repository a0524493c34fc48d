/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/dns.h"

#include "core/reader.h"
#include "tap/dns_packet.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <string.h>

#define TYPE_SVCB 64
#define TYPE_HTTPS 65
#define KEY_IPV4HINT 4
#define KEY_IPV6HINT 6
#define RECORDS_LIMIT 256 /* that are looked at: a packet waits */
#define TTL_LIMIT 604800u /* nobody keeps an address for longer than a week */

/* The names that lead to the addresses: what was asked for, and what it is an alias of. */
struct chain {
    char names[DNS_ALIASES][DNS_NAME_SIZE];
    uint32_t ttl[DNS_ALIASES]; /* the shortest up to there */
    size_t count;
};

/* ---- names ---- */

static bool is_host_character(uint8_t c)
{
    return isalnum(c) || c == '-' || c == '_';
}

/* Labels, uncompressed (RFC 1035, 3.1). False if it is no host name; the root is none. */
static bool read_name(struct reader *reader, char name[static DNS_NAME_SIZE])
{
    size_t length = 0;
    for (;;) {
        struct reader label = read_vector(reader, 1);
        if (reader->failed || label.left > 63)
            return false;
        if (label.left == 0)
            break;
        if (length + (length > 0) + label.left >= DNS_NAME_SIZE)
            return false;
        if (length > 0)
            name[length++] = '.';
        for (size_t i = 0; i < label.left; i++) {
            if (!is_host_character(label.at[i]))
                return false;
            name[length++] = (char)tolower(label.at[i]);
        }
    }
    name[length] = '\0';
    return length > 0;
}

static bool name_of(const ldns_rdf *dname, char name[static DNS_NAME_SIZE])
{
    if (dname == NULL || ldns_rdf_get_type(dname) != LDNS_RDF_TYPE_DNAME)
        return false;
    struct reader reader = reader_of(ldns_rdf_data(dname), ldns_rdf_size(dname));
    return read_name(&reader, name);
}

/* True if it is this name, which read_name() has read. Without reading it, since there are many to
 * compare: names that differ do so early, unless their sender has spent bytes on it. */
static bool is_named(const ldns_rdf *dname, const char *name)
{
    const uint8_t *bytes = ldns_rdf_data(dname);
    const size_t length = strlen(name);
    size_t label = 0; /* where the next one begins */
    if (ldns_rdf_size(dname) != length + 2)
        return false;
    for (size_t i = 0; i <= length; i++) {
        if (i != label) {
            if (tolower(bytes[i]) != name[i - 1])
                return false;
            continue;
        }
        if (i > 0 && name[i - 1] != '.')
            return false;
        label += (size_t)bytes[i] + 1;
    }
    return label == length + 1;
}

/* Its place in the chain; -1 if it is not in it. */
static int find_in_chain(const struct chain *chain, const char *name)
{
    for (size_t i = 0; i < chain->count; i++)
        if (strcmp(chain->names[i], name) == 0)
            return (int)i;
    return -1;
}

/* A name twice would be a circle. */
static bool add_alias(struct chain *chain, const char *name, uint32_t ttl)
{
    if (chain->count == DNS_ALIASES || find_in_chain(chain, name) >= 0)
        return false;
    strcpy(chain->names[chain->count], name);
    chain->ttl[chain->count++] = ttl;
    return true;
}

static uint32_t ttl_by(const struct chain *chain, int index, const ldns_rr *record)
{
    uint32_t ttl = ldns_rr_ttl(record) < TTL_LIMIT ? ldns_rr_ttl(record) : TTL_LIMIT;
    if (ldns_rr_ttl(record) > INT32_MAX)
        ttl = 0; /* RFC 2181, section 8 */
    return ttl < chain->ttl[index] ? ttl : chain->ttl[index];
}

/* ---- records ---- */

static void add_address(struct dns_message *message, sa_family_t family, const uint8_t *bytes,
                        uint32_t ttl)
{
    struct address address = {.family = family};
    if (message->address_count == DNS_ADDRESSES)
        return;
    memcpy(&address.ip, bytes, address_ip_size(&address));
    for (size_t i = 0; i < message->address_count; i++)
        if (address_same_ip(&message->addresses[i].address, &address))
            return;
    message->addresses[message->address_count++] = (struct dns_address){address, ttl};
}

/* A parameter of RFC 9460, 7.3: addresses one behind another. */
static void add_hints(struct dns_message *message, struct reader hints, sa_family_t family,
                      uint32_t ttl)
{
    const size_t size = family == AF_INET ? 4 : 16;
    while (hints.left >= size) {
        struct reader hint = read_part(&hints, size);
        add_address(message, family, hint.at, ttl);
    }
}

/* RFC 9460, 2.2: priority, target, parameters. */
static void use_service(struct dns_message *message, struct chain *chain, const ldns_rr *record,
                        uint32_t ttl)
{
    uint8_t data[2048];
    char target[DNS_NAME_SIZE];
    struct reader reader = reader_of(data, dns_packet_data(record, data, sizeof(data)));
    (void)read_u16(&reader);
    if (reader.left > 0 && reader.at[0] == 0)
        (void)read_u8(&reader); /* the root: the record's owner itself */
    else if (read_name(&reader, target))
        (void)add_alias(chain, target, ttl);
    else
        return;
    while (reader.left > 0 && !reader.failed) {
        uint16_t key = read_u16(&reader);
        struct reader value = read_vector(&reader, 2);
        if (key == KEY_IPV4HINT)
            add_hints(message, value, AF_INET, ttl);
        else if (key == KEY_IPV6HINT)
            add_hints(message, value, AF_INET6, ttl);
    }
}

static void use_alias(struct chain *chain, const ldns_rr *record, uint32_t ttl)
{
    char target[DNS_NAME_SIZE];
    if (ldns_rr_rd_count(record) == 1 && name_of(ldns_rr_rdf(record, 0), target))
        (void)add_alias(chain, target, ttl);
}

/* What one record says of the name at this place in the chain. */
static void use_record(struct dns_message *message, struct chain *chain, int index,
                       const ldns_rr *record)
{
    const uint32_t ttl = ttl_by(chain, index, record);
    uint8_t data[16];
    switch ((unsigned)ldns_rr_get_type(record)) {
    case LDNS_RR_TYPE_CNAME:
        use_alias(chain, record, ttl);
        return;
    case LDNS_RR_TYPE_A:
        if (dns_packet_data(record, data, sizeof(data)) == 4)
            add_address(message, AF_INET, data, ttl);
        return;
    case LDNS_RR_TYPE_AAAA:
        if (dns_packet_data(record, data, sizeof(data)) == 16)
            add_address(message, AF_INET6, data, ttl);
        return;
    case TYPE_SVCB:
    case TYPE_HTTPS:
        use_service(message, chain, record, ttl);
        return;
    default:
        return;
    }
}

/* Records may stand in any order: each name of the chain looks at all of them. */
static void follow(struct dns_message *message, const ldns_rr_list *records)
{
    struct chain chain = {.count = 0};
    (void)add_alias(&chain, message->name, TTL_LIMIT);
    for (size_t at = 0; at < chain.count; at++)
        for (size_t i = 0; i < ldns_rr_list_rr_count(records) && i < RECORDS_LIMIT; i++) {
            const ldns_rr *record = ldns_rr_list_rr(records, i);
            if (ldns_rr_get_class(record) == LDNS_RR_CLASS_IN &&
                is_named(ldns_rr_owner(record), chain.names[at]))
                use_record(message, &chain, (int)at, record);
        }
}

/* ---- messages ---- */

static bool read_question(struct dns_message *message, const ldns_pkt *packet)
{
    const ldns_rr_list *questions = ldns_pkt_question(packet);
    if (ldns_rr_list_rr_count(questions) != 1)
        return false;
    const ldns_rr *question = ldns_rr_list_rr(questions, 0);
    message->type = (uint16_t)ldns_rr_get_type(question);
    return name_of(ldns_rr_owner(question), message->name);
}

static void read_answer(struct dns_message *message, const ldns_pkt *packet)
{
    ldns_rr_list *records = ldns_rr_list_new();
    /* A host name's server may tell the addresses of what it leads to beside. */
    if (records != NULL && ldns_rr_list_cat(records, ldns_pkt_answer(packet)) &&
        ldns_rr_list_cat(records, ldns_pkt_additional(packet)))
        follow(message, records);
    ldns_rr_list_free(records); /* the records are the packet's */
}

bool dns_read(struct dns_message *message, const uint8_t *bytes, size_t length)
{
    ldns_pkt *packet = dns_packet_read(bytes, length);
    if (packet == NULL)
        return false;
    *message = (struct dns_message){.id = ldns_pkt_id(packet), .is_answer = ldns_pkt_qr(packet)};
    bool good = ldns_pkt_get_opcode(packet) == LDNS_PACKET_QUERY && read_question(message, packet);
    if (good && message->is_answer && !ldns_pkt_tc(packet) &&
        ldns_pkt_get_rcode(packet) == LDNS_RCODE_NOERROR)
        read_answer(message, packet);
    ldns_pkt_free(packet);
    return good;
}
