/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_dns.h"

/* RFC 1035, section 4.1.1. */
static const struct flag {
    const char *name;
    uint16_t bit;
} flags[] = {
    {"qr", 0x8000}, {"aa", 0x0400}, {"tc", 0x0200}, {"rd", 0x0100}, {"ra", 0x0080}, {"z", 0x0040},
};

static const char *rcode_name(uint16_t bits, char text[static 4])
{
    static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                        "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                        "NXRRSET", "NOTAUTH", "NOTZONE"};
    unsigned code = bits & 0x0f;
    if (code < ARRAY_SIZE(names))
        return names[code];
    snprintf(text, 4, "%u", code);
    return text;
}

/* ---- records ---- */

static bool is_soa(const struct dns_record *record)
{
    return text_is(record->type, "SOA") && record->data.at == NULL;
}

static bool is_srv(const struct dns_record *record)
{
    return text_is(record->type, "SRV") && record->data.at == NULL;
}

static void write_soa(struct jsonw *json, const struct dns_record *record)
{
    static const char *const numbers[] = {"serial", "refresh", "retry", "expire", "minimum"};
    jsonw_object(json, "soa");
    jsonw_text_value(json, "mname", record->names[0]);
    jsonw_text_value(json, "rname", record->names[1]);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        jsonw_uint(json, numbers[i], record->numbers[i]);
    jsonw_object_end(json);
}

static void write_srv(struct jsonw *json, const char *key, const struct dns_record *record)
{
    static const char *const numbers[] = {"priority", "weight", "port"};
    jsonw_object(json, key);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        jsonw_uint(json, numbers[i], record->numbers[i]);
    jsonw_text_value(json, "name", record->names[0]);
    jsonw_object_end(json);
}

/* As in a zone file: among authorities, as of an update (RFC 2136), Suricata knows no parts. */
static void write_srv_text(struct jsonw *json, const struct dns_record *record)
{
    char text[1100]; /* a name escaped has 1004 at most */
    snprintf(text, sizeof(text), "%u %u %u %.*s", (unsigned)record->numbers[0],
             (unsigned)record->numbers[1], (unsigned)record->numbers[2],
             (int)record->names[0].length, record->names[0].at);
    jsonw_text_value(json, "rdata", text_from(text, strlen(text)));
}

static void write_records(struct jsonw *json, const char *key, const struct dns_record *records,
                          size_t count, bool with_srv)
{
    if (count == 0)
        return;
    jsonw_array(json, key);
    for (size_t i = 0; i < count; i++) {
        const struct dns_record *record = &records[i];
        jsonw_object(json, NULL);
        jsonw_text_value(json, "rrname", record->name);
        jsonw_text_value(json, "rrtype", record->type);
        jsonw_uint(json, "ttl", record->ttl);
        if (is_soa(record))
            write_soa(json, record);
        else if (is_srv(record) && !with_srv)
            write_srv_text(json, record);
        else if (is_srv(record))
            write_srv(json, "srv", record);
        else
            jsonw_text_value(json, "rdata", record->data);
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
}

/* ---- grouped ---- */

/* An SRV record without its parts, as in an update (RFC 2136), is in no group. */
static bool is_in_group(const struct dns_record *record, const char *type)
{
    return text_is(record->type, type) && (is_srv(record) || !text_is(record->type, "SRV"));
}

static size_t count_of(const struct dns_event *dns, const char *type)
{
    size_t count = 0;
    for (size_t i = 0; i < dns->answer_count; i++)
        count += is_in_group(&dns->answers[i], type) ? 1 : 0;
    return count;
}

static void write_group(struct jsonw *json, const struct dns_event *dns, const char *type)
{
    if (count_of(dns, type) == 0)
        return;
    jsonw_array(json, type);
    for (size_t i = 0; i < dns->answer_count; i++) {
        const struct dns_record *record = &dns->answers[i];
        if (!is_in_group(record, type))
            continue;
        if (is_srv(record))
            write_srv(json, NULL, record);
        else
            jsonw_text_value(json, NULL, record->data);
    }
    jsonw_array_end(json);
}

/* Of the types that Suricata groups. */
static void write_groups(struct jsonw *json, const struct dns_event *dns)
{
    static const char *const types[] = {"A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT"};
    if (dns->answer_count == 0)
        return;
    jsonw_object(json, "grouped");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        write_group(json, dns, types[i]);
    jsonw_object_end(json);
}

/* ---- the event ---- */

static void write_header(struct jsonw *json, const struct dns_event *dns)
{
    char text[8], code[4];
    jsonw_uint(json, "id", dns->id);
    snprintf(text, sizeof(text), "%x", (unsigned)dns->flags);
    jsonw_string(json, "flags", text);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if ((dns->flags & flags[i].bit) != 0)
            jsonw_bool(json, flags[i].name, true);
    jsonw_uint(json, "opcode", dns->flags >> 11 & 0x0f);
    jsonw_string(json, "rcode", rcode_name(dns->flags, code));
}

static void write_query(struct jsonw *json, const struct dns_event *dns)
{
    if (dns->name.at == NULL)
        return;
    jsonw_array(json, "queries");
    jsonw_object(json, NULL);
    jsonw_text_value(json, "rrname", dns->name);
    jsonw_text_value(json, "rrtype", dns->type);
    jsonw_object_end(json);
    jsonw_array_end(json);
}

void eve_dns_write(struct jsonw *json, const struct dns_event *dns, uint64_t number)
{
    jsonw_object(json, "dns");
    jsonw_uint(json, "version", 3);
    jsonw_string(json, "type", dns->is_answer ? "response" : "request");
    jsonw_uint(json, "tx_id", number);
    write_header(json, dns);
    write_query(json, dns);
    write_records(json, "answers", dns->answers, dns->answer_count, true);
    write_groups(json, dns);
    write_records(json, "authorities", dns->authorities, dns->authority_count, false);
    jsonw_object_end(json);
}

void eve_dns_write_extras(struct jsonw *json, const struct dns_event *dns)
{
    jsonw_object(json, "dns");
    jsonw_string(json, "transport", dns->is_https ? "https" : "tls");
    if (dns->stream != 0)
        jsonw_uint(json, "stream_id", dns->stream);
    if (dns->has_query)
        jsonw_uint(json, "wait_ms", dns->wait);
    if (dns->cut)
        jsonw_bool(json, "cut", true);
    jsonw_object_end(json);
}
