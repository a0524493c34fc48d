/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/dns_told.h"

#include "core/reader.h"
#include "tap/dns_packet.h"

#include <ldns/ldns.h>

/* A header, the longest name, type and class. */
#define QUESTION_SIZE (12 + 255 + 4)
#define TYPE_SVCB 64
#define TYPE_HTTPS 65

/* ---- texts ---- */

static struct text keep(struct dns_told *told, const void *bytes, size_t length)
{
    size_t room = told->room < DNS_TEXT ? told->room : DNS_TEXT;
    if (length > room) {
        length = room;
        told->event.cut = true;
    }
    told->room -= length;
    char *copy = arena_copy(&told->texts, bytes, length);
    return copy != NULL ? text_from(copy, length) : (struct text){0};
}

/* Of ldns, which has made it for us. */
static struct text keep_string(struct dns_told *told, char *string)
{
    struct text text = {0};
    if (string != NULL)
        text = keep(told, string, strlen(string));
    free(string);
    return text;
}

/* Without the last dot: the root is "". */
static struct text name_of(struct dns_told *told, const ldns_rdf *name)
{
    struct text text = {0};
    if (name != NULL && ldns_rdf_get_type(name) == LDNS_RDF_TYPE_DNAME)
        text = keep_string(told, ldns_rdf2str(name));
    if (text.length > 0 && text.at[text.length - 1] == '.')
        text.length--;
    return text;
}

/* RFC 9460's may be too new for ldns. */
static bool is_service(const ldns_rr *record)
{
    unsigned type = (unsigned)ldns_rr_get_type(record);
    return type == TYPE_SVCB || type == TYPE_HTTPS;
}

static struct text type_of(struct dns_told *told, const ldns_rr *record)
{
    if (is_service(record))
        return (unsigned)ldns_rr_get_type(record) == TYPE_SVCB ? text_from("SVCB", 4)
                                                               : text_from("HTTPS", 5);
    return keep_string(told, ldns_rr_type2str(ldns_rr_get_type(record)));
}

/* ---- records ---- */

/* True of what is common, and what ldns puts into words with little code and in little time. Not so
 * WKS: for each bit of 4 KiB it looks for a service in /etc/services, which takes a second. */
static bool is_plain(const ldns_rdf *part)
{
    switch (part != NULL ? ldns_rdf_get_type(part) : LDNS_RDF_TYPE_NONE) {
    case LDNS_RDF_TYPE_DNAME:
    case LDNS_RDF_TYPE_INT8:
    case LDNS_RDF_TYPE_INT16:
    case LDNS_RDF_TYPE_INT32:
    case LDNS_RDF_TYPE_A:
    case LDNS_RDF_TYPE_AAAA:
    case LDNS_RDF_TYPE_STR:
    case LDNS_RDF_TYPE_B64:
    case LDNS_RDF_TYPE_HEX:
    case LDNS_RDF_TYPE_TYPE:
    case LDNS_RDF_TYPE_ALG:
    case LDNS_RDF_TYPE_TIME:
    case LDNS_RDF_TYPE_TAG:
    case LDNS_RDF_TYPE_LONG_STR:
    case LDNS_RDF_TYPE_CERTIFICATE_USAGE:
    case LDNS_RDF_TYPE_SELECTOR:
    case LDNS_RDF_TYPE_MATCHING_TYPE:
        return true;
    default:
        return false;
    }
}

static bool has_words(const ldns_rr *record)
{
    bool all = true;
    for (size_t i = 0; i < ldns_rr_rd_count(record); i++)
        all = all && is_plain(ldns_rr_rdf(record, i));
    return all || is_service(record);
}

/* In the form of RFC 3597, which fits all types: the length, and the bytes. */
static size_t write_bytes(const ldns_rr *record, char text[static DNS_TEXT + 1])
{
    uint8_t data[DNS_MESSAGE_LIMIT];
    size_t size = dns_packet_data(record, data, sizeof(data));
    size_t length = (size_t)snprintf(text, DNS_TEXT + 1, "\\# %zu ", size);
    for (size_t i = 0; i < size && length <= DNS_TEXT; i++)
        length += (size_t)snprintf(text + length, DNS_TEXT + 1 - length, "%02x", data[i]);
    return length;
}

static size_t write_words(const ldns_rr *record, char text[static DNS_TEXT + 1])
{
    size_t length = 0;
    for (size_t i = 0; i < ldns_rr_rd_count(record) && length <= DNS_TEXT; i++) {
        char *part = ldns_rdf2str(ldns_rr_rdf(record, i));
        if (part != NULL)
            length += (size_t)snprintf(text + length, DNS_TEXT + 1 - length, "%s%s",
                                       i > 0 ? " " : "", part);
        free(part);
    }
    return length;
}

static struct text data_of(struct dns_told *told, const ldns_rr *record)
{
    char text[DNS_TEXT + 1] = "";
    size_t length = has_words(record) ? write_words(record, text) : write_bytes(record, text);
    return keep(told, text, length);
}

/* RFC 1035, section 3.3.14: strings, one behind the other. They are one text that had to be cut. */
static struct text strings_of(struct dns_told *told, const ldns_rr *record)
{
    uint8_t data[DNS_MESSAGE_LIMIT];
    char text[DNS_MESSAGE_LIMIT];
    size_t length = 0;
    struct reader reader = reader_of(data, dns_packet_data(record, data, sizeof(data)));
    while (reader.left > 0) {
        struct reader string = read_vector(&reader, 1);
        if (string.left > 0)
            memcpy(text + length, string.at, string.left);
        length += string.left;
    }
    return keep(told, text, length);
}

static void read_numbers(struct dns_record *told, const ldns_rr *record, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const ldns_rdf *part = ldns_rr_rdf(record, from + i);
        struct reader reader = reader_of(ldns_rdf_data(part), ldns_rdf_size(part));
        told->numbers[i] = read_number(&reader, ldns_rdf_size(part));
    }
}

static struct dns_record read_record(struct dns_told *told, const ldns_rr *record)
{
    struct dns_record one = {.name = name_of(told, ldns_rr_owner(record)),
                             .type = type_of(told, record),
                             .ttl = ldns_rr_ttl(record)};
    size_t count = ldns_rr_rd_count(record);
    ldns_rr_type type = ldns_rr_get_type(record);
    if (type == LDNS_RR_TYPE_SOA && count == 7) {
        one.names[0] = name_of(told, ldns_rr_rdf(record, 0));
        one.names[1] = name_of(told, ldns_rr_rdf(record, 1));
        read_numbers(&one, record, 2, 5);
    } else if (type == LDNS_RR_TYPE_SRV && count == 4) {
        read_numbers(&one, record, 0, 3);
        one.names[0] = name_of(told, ldns_rr_rdf(record, 3));
    } else if (type == LDNS_RR_TYPE_TXT) {
        one.data = strings_of(told, record);
    } else if (count > 0 &&
               ldns_rdf_get_type(ldns_rr_rdf(record, count - 1)) == LDNS_RDF_TYPE_DNAME &&
               (count == 1 || type == LDNS_RR_TYPE_MX)) {
        one.data = name_of(told, ldns_rr_rdf(record, count - 1));
    } else {
        one.data = data_of(told, record);
    }
    return one;
}

static size_t read_records(struct dns_told *told, struct dns_record *records,
                           const ldns_rr_list *list)
{
    size_t count = ldns_rr_list_rr_count(list), i = 0;
    for (; i < count && i < DNS_RECORDS && told->room > 0; i++)
        records[i] = read_record(told, ldns_rr_list_rr(list, i));
    if (i < count)
        told->event.cut = true;
    return i;
}

/* ---- messages ---- */

static void read_packet(struct dns_told *told, const ldns_pkt *packet)
{
    struct dns_event *event = &told->event;
    const ldns_rr_list *questions = ldns_pkt_question(packet);
    if (ldns_rr_list_rr_count(questions) > 0) {
        const ldns_rr *question = ldns_rr_list_rr(questions, 0);
        event->name = name_of(told, ldns_rr_owner(question));
        event->type = type_of(told, question);
    }
    event->answers = told->answers;
    event->answer_count = read_records(told, told->answers, ldns_pkt_answer(packet));
    event->authorities = told->authorities;
    event->authority_count = read_records(told, told->authorities, ldns_pkt_authority(packet));
}

/* The header and the question, with no records that follow. */
static ldns_pkt *read_question(const uint8_t *bytes)
{
    uint8_t start[QUESTION_SIZE];
    memcpy(start, bytes, sizeof(start));
    memset(start + 6, 0, 6);
    return dns_packet_read(start, sizeof(start));
}

bool dns_told_init(struct dns_told *told, const uint8_t *bytes, size_t length)
{
    bool is_long = length > DNS_MESSAGE_LIMIT;
    told->texts = (struct arena){0};
    told->room = DNS_TEXTS;
    told->event = (struct dns_event){.cut = is_long};
    ldns_pkt *packet = is_long ? read_question(bytes) : dns_packet_read(bytes, length);
    if (packet == NULL)
        return false;
    struct reader reader = reader_of(bytes, 4); /* ldns has read as much */
    told->event.id = read_u16(&reader);
    told->event.flags = read_u16(&reader);
    told->event.is_answer = (told->event.flags & 0x8000) != 0;
    read_packet(told, packet);
    ldns_pkt_free(packet);
    return true;
}

void dns_told_fini(struct dns_told *told)
{
    arena_fini(&told->texts);
}
