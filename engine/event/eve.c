/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve.h"

#include "event/community_id.h"

#include <string.h>
#include <time.h>

/* The longest event: a hundred names of a certificate at their longest. */
#define EVENT_SIZE ((size_t)48 << 10)
/* Two IPv6 addresses, and the name of an interface that has to be escaped. */
#define HEAD_SIZE 448

/* "2026-11-23T12:00:00.123456+0000", with no colon in the offset: EVE's form. */
void eve_write_time(struct jsonw *json, const char *key, const struct timeval *time)
{
    /* Many events fall into one second, and its text is made but once. */
    static _Thread_local time_t second = -1;
    static _Thread_local char text[48];
    static _Thread_local size_t length;
    if (time->tv_sec != second) {
        struct tm parts;
        gmtime_r(&time->tv_sec, &parts);
        length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
        second = time->tv_sec;
    }
    memcpy(text + length, ".000000+0000", 13);
    for (long left = (long)time->tv_usec, i = 6; left > 0; left /= 10, i--)
        text[length + (size_t)i] = (char)('0' + left % 10);
    jsonw_bytes(json, key, text, length + 12);
}

static void begin_at(struct jsonw *json, const struct timeval *now, const char *type)
{
    jsonw_object(json, NULL);
    eve_write_time(json, "timestamp", now);
    jsonw_string(json, "event_type", type);
}

void eve_begin(struct jsonw *json, const char *type)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    begin_at(json, &now, type);
}

static void write_community_id(struct jsonw *json, const struct record *record)
{
    const struct flow *flow = record->flow;
    char id[COMMUNITY_ID_SIZE];
    if (record->community_id != NULL)
        jsonw_string(json, "community_id", record->community_id);
    else
        jsonw_string(json, "community_id",
                     community_id(flow->protocol == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP,
                                  &flow->device, &flow->origin, id));
}

/* Who it is, which is the same in all events of a connection. */
static void write_head(struct jsonw *json, const struct record *record)
{
    const struct flow *flow = record->flow;
    char ip[INET6_ADDRSTRLEN];
    jsonw_uint(json, "flow_id", record->flow_id);
    if (flow->interface[0] != '\0')
        jsonw_string(json, "in_iface", flow->interface);
    jsonw_string(json, "src_ip", address_ip_text(&flow->device, ip));
    jsonw_uint(json, "src_port", flow->device.port);
    jsonw_string(json, "dest_ip", address_ip_text(&flow->origin, ip));
    jsonw_uint(json, "dest_port", flow->origin.port);
    jsonw_string(json, "proto", flow->protocol == IPPROTO_UDP ? "UDP" : "TCP");
    write_community_id(json, record);
}

struct text eve_make_head(const struct record *record, struct arena *arena)
{
    char buffer[HEAD_SIZE];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    write_head(&json, record);
    const char *text = jsonw_text(&json);
    const char *head = text != NULL ? arena_strdup(arena, text) : NULL;
    return head != NULL ? text_from(head, json.length) : (struct text){0};
}

void eve_write_header(struct jsonw *json, const struct timeval *now, const char *type,
                      const char *app_proto, const struct record *record)
{
    begin_at(json, now, type);
    if (record->head.at != NULL)
        jsonw_members(json, record->head);
    else
        write_head(json, record);
    jsonw_string(json, "app_proto", app_proto);
}

static void write_list(struct jsonw *json, const char *key, const char *const *items, size_t count)
{
    if (count == 0)
        return;
    jsonw_array(json, key);
    for (size_t i = 0; i < count; i++)
        jsonw_string(json, NULL, items[i]);
    jsonw_array_end(json);
}

static void write_hash(struct jsonw *json, const char *key, const char *hash)
{
    if (hash == NULL)
        return;
    jsonw_object(json, key);
    jsonw_string(json, "hash", hash);
    jsonw_object_end(json);
}

static void write_fingerprints(struct jsonw *json, const char *ja4, const char *ja3)
{
    jsonw_string(json, "ja4", ja4);
    write_hash(json, "ja3", ja3);
}

/* Suricata's schema has years from 1000 to 2999. The year 9999 is no date (RFC 5280, 4.1.2.5). */
static void write_date(struct jsonw *json, const char *key, const char *date)
{
    if (date != NULL && (date[0] == '1' || date[0] == '2') && date[4] == '-')
        jsonw_string(json, key, date);
}

static void write_tls(struct jsonw *json, const struct record *record)
{
    const struct record_certificate *certificate = &record->certificate;
    jsonw_object(json, "tls");
    jsonw_string(json, "subject", certificate->subject);
    jsonw_string(json, "issuerdn", certificate->issuer);
    jsonw_string(json, "serial", certificate->serial);
    jsonw_string(json, "fingerprint", certificate->fingerprint);
    jsonw_string(json, "sni", record->sni);
    jsonw_string(json, "version",
                 record->client.version != NULL ? record->client.version : "UNDETERMINED");
    write_date(json, "notbefore", certificate->not_before);
    write_date(json, "notafter", certificate->not_after);
    write_fingerprints(json, record->ja4, record->ja3);
    write_hash(json, "ja3s", record->upstream.ja3s);
    if (record->client.resumed)
        jsonw_bool(json, "session_resumed", true);
    write_list(json, "client_alpns", record->client_alpns, record->client_alpn_count);
    if (record->upstream.alpn != NULL)
        write_list(json, "server_alpns", &record->upstream.alpn, 1);
    write_list(json, "subjectaltname", certificate->names, certificate->name_count);
    jsonw_object_end(json);
}

static uint64_t age_of(const struct record *record)
{
    return record->end.tv_sec > record->start.tv_sec
               ? (uint64_t)(record->end.tv_sec - record->start.tv_sec)
               : 0;
}

/* As Suricata has it. */
static void write_quic(struct jsonw *json, const struct flow *flow)
{
    char version[12];
    snprintf(version, sizeof(version), "%x", (unsigned)flow->quic_version);
    jsonw_object(json, "quic");
    jsonw_string(json, "version", version);
    jsonw_string(json, "sni", flow->sni);
    jsonw_object_end(json);
}

static const char *flow_reason(enum ending ending)
{
    if (ending == ENDING_SHUTDOWN)
        return "shutdown";
    return ending == ENDING_CUT ? "forced" : "timeout";
}

static void write_flow(struct jsonw *json, const struct record *record)
{
    jsonw_object(json, "flow");
    if (!record->uncounted) {
        jsonw_uint(json, "pkts_toserver", record->packets_to_server);
        jsonw_uint(json, "pkts_toclient", record->packets_to_client);
        jsonw_uint(json, "bytes_toserver", record->bytes_to_server);
        jsonw_uint(json, "bytes_toclient", record->bytes_to_client);
    }
    if (record->start.tv_sec != 0)
        eve_write_time(json, "start", &record->start);
    eve_write_time(json, "end", &record->end);
    if (record->start.tv_sec != 0)
        jsonw_uint(json, "age", age_of(record));
    jsonw_string(json, "state", record->state != NULL ? record->state : "closed");
    jsonw_string(json, "reason", flow_reason(record->ending));
    jsonw_bool(json, "alerted", record->alerted);
    if (record->protocol != NULL)
        jsonw_uint(json, "tx_cnt", record->transactions);
    jsonw_object_end(json);
}

static void write_alert(struct jsonw *json, const struct record *record)
{
    const struct alert_kind kind = alert_kind(record->alert);
    jsonw_object(json, "alert");
    jsonw_string(json, "action", record->blocked ? "blocked" : "allowed");
    jsonw_uint(json, "gid", ALERT_GENERATOR);
    jsonw_uint(json, "signature_id", kind.number);
    jsonw_uint(json, "rev", 1);
    jsonw_string(json, "signature", kind.signature);
    jsonw_string(json, "category", kind.category);
    jsonw_uint(json, "severity", kind.severity);
    jsonw_object_end(json);
}

static void write_session(struct jsonw *json, const struct record_session *session)
{
    jsonw_string(json, "version", session->version);
    jsonw_string(json, "cipher", session->cipher);
    jsonw_string(json, "group", session->group);
    jsonw_string(json, "alpn", session->alpn);
    write_fingerprints(json, session->ja4, session->ja3);
    write_hash(json, "ja3s", session->ja3s);
    if (session->version != NULL) {
        jsonw_bool(json, "resumed", session->resumed);
        jsonw_uint(json, "handshake_ms", session->handshake_ms);
    }
    if (session->alert_in != RECORD_NO_ALERT)
        jsonw_int(json, "alert_in", session->alert_in);
    jsonw_string(json, "alert_in_name", session->alert_in_name);
    if (session->alert_out != RECORD_NO_ALERT)
        jsonw_int(json, "alert_out", session->alert_out);
    jsonw_string(json, "alert_out_name", session->alert_out_name);
}

static bool has_session(const struct record_session *session)
{
    return session->version != NULL || session->ja4 != NULL ||
           session->alert_in != RECORD_NO_ALERT || session->alert_out != RECORD_NO_ALERT;
}

static void write_faults(struct jsonw *json, const struct record *record)
{
    if (record->fault_count == 0)
        return;
    jsonw_array(json, "verify_errors");
    for (size_t i = 0; i < record->fault_count; i++) {
        jsonw_object(json, NULL);
        jsonw_int(json, "code", record->faults[i].code);
        jsonw_int(json, "depth", record->faults[i].depth);
        jsonw_string(json, "text", record->faults[i].text);
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
}

static void write_upstream(struct jsonw *json, const struct record *record)
{
    char ip[INET6_ADDRSTRLEN];
    jsonw_object(json, "upstream");
    jsonw_string(json, "ip", address_ip_text(&record->flow->origin, ip));
    jsonw_uint(json, "port", record->flow->origin.port);
    jsonw_string(json, "community_id", record->upstream_community_id);
    write_session(json, &record->upstream);
    if (record->verified) {
        jsonw_string(json, "verify", record->verify);
        jsonw_int(json, "verify_code", record->verify_code);
        jsonw_string(json, "fingerprint", record->certificate.fingerprint);
        jsonw_string(json, "sha256", record->origin_sha256);
        write_faults(json, record);
    }
    jsonw_object_end(json);
}

static void write_device(struct jsonw *json, const struct flow *flow)
{
    char mac[MAC_TEXT_SIZE];
    const struct timeval first_seen = {.tv_sec = flow->first_seen};
    if (!flow->has_mac && flow->device_name == NULL && flow->first_seen == 0)
        return;
    jsonw_object(json, "device");
    jsonw_string(json, "name", flow->device_name);
    if (flow->has_mac)
        jsonw_string(json, "mac", mac_text(flow->mac, mac));
    if (flow->has_mac && mac_is_randomized(flow->mac))
        jsonw_bool(json, "randomized", true);
    jsonw_string(json, "vendor", flow->vendor);
    if (flow->first_seen != 0)
        eve_write_time(json, "first_seen", &first_seen);
    jsonw_object_end(json);
}

static void write_ending(struct jsonw *json, const struct record *record)
{
    if (record->ending == ENDING_NONE)
        return;
    jsonw_string(json, "ending", ending_name(record->ending));
    jsonw_string(json, "phase", record->phase);
    if (ending_advice(record->ending)[0] != '\0')
        jsonw_string(json, "advice", ending_advice(record->ending));
}

/* The rest is in the events of the connection. */
void eve_open_intercept(struct jsonw *json, const struct record *record)
{
    const struct flow *flow = record->flow;
    char mac[MAC_TEXT_SIZE];
    jsonw_object(json, "intercept");
    if (!flow->has_mac && flow->device_name == NULL)
        return;
    jsonw_object(json, "device");
    jsonw_string(json, "name", flow->device_name);
    if (flow->has_mac)
        jsonw_string(json, "mac", mac_text(flow->mac, mac));
    jsonw_object_end(json);
}

/* How the destination is called: as the device asks for it, or has resolved it. */
static const char *name_of(const struct flow *flow)
{
    if (flow->sni != NULL)
        return flow->sni;
    if (flow->host != NULL)
        return flow->host;
    return flow->name_count > 0 ? flow->names[0] : NULL;
}

static void write_intercept(struct jsonw *json, const struct record *record)
{
    jsonw_object(json, "intercept");
    jsonw_string(json, "action", record->action);
    jsonw_string(json, "reason", record->reason);
    jsonw_string(json, "rule", record->rule);
    jsonw_string(json, "rule_place", record->rule_place);
    if (record->learned != 0)
        jsonw_uint(json, "learned", record->learned);
    jsonw_string(json, "evidence", record->evidence);
    if (record->policy_revision != 0)
        jsonw_uint(json, "policy_rev", record->policy_revision);
    jsonw_string(json, "name", name_of(record->flow));
    write_device(json, record->flow);
    if (record->starttls)
        jsonw_bool(json, "starttls", true);
    if (record->ech)
        jsonw_bool(json, "ech", true);
    if (record->ending != ENDING_NONE) {
        jsonw_string(json, "protocol", record->protocol);
        if (record->untold > 0)
            jsonw_uint(json, "untold", record->untold);
    }
    if (has_session(&record->client)) {
        jsonw_object(json, "client");
        write_session(json, &record->client);
        jsonw_object_end(json);
    }
    if (has_session(&record->upstream) || record->upstream_community_id != NULL)
        write_upstream(json, record);
    if (record->forged_fingerprint != NULL) {
        jsonw_object(json, "forged");
        jsonw_string(json, "fingerprint", record->forged_fingerprint);
        jsonw_string(json, "sha256", record->forged_sha256);
        jsonw_bool(json, "cached", record->forged_cached);
        if (record->forged_override)
            jsonw_bool(json, "override", true);
        jsonw_object_end(json);
    }
    write_ending(json, record);
    jsonw_object_end(json);
}

void eve_compose(struct jsonw *json, enum eve_type type, const struct record *record)
{
    static const char *const names[] = {[EVE_INTERCEPT] = "intercept",
                                        [EVE_TLS] = "tls",
                                        [EVE_FLOW] = "flow",
                                        [EVE_ALERT] = "alert"};
    struct timeval now;
    gettimeofday(&now, NULL);
    eve_write_header(json, &now, names[type], record->app_proto, record);
    if (type == EVE_ALERT)
        write_alert(json, record);
    if (type == EVE_TLS || (type == EVE_ALERT && record->flow->opened))
        write_tls(json, record);
    if (type == EVE_FLOW)
        write_flow(json, record);
    if (record->flow->quic_version != 0)
        write_quic(json, record->flow);
    write_intercept(json, record);
    jsonw_object_end(json);
}

void eve_write(struct recorder_feed *feed, enum eve_type type, const struct record *record)
{
    char buffer[EVENT_SIZE];
    struct jsonw json;
    if (!recorder_wants(feed, OUTPUT_EVENTS))
        return;
    jsonw_init(&json, buffer, sizeof(buffer) - 1);
    eve_compose(&json, type, record);
    if (!eve_put(feed, &json))
        recorder_drop(feed);
}

bool eve_put(struct recorder_feed *feed, struct jsonw *json)
{
    if (jsonw_text(json) == NULL)
        return false;
    json->text[json->length] = '\n';
    recorder_put(feed, OUTPUT_EVENTS, json->text, json->length + 1);
    return true;
}
