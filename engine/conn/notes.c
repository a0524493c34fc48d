/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/notes.h"

#include "event/community_id.h"
#include "policy/outcome.h"
#include "tap/detect.h"
#include "tls/certificate.h"
#include "tls/fingerprint.h"

#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define ALPN_NAMES_LIMIT 16

/* What is only ever written down need not be found out where nothing is. */
static bool is_recorded(const struct conn *conn)
{
    return recorder_wants(conn->pool->options.feed, OUTPUT_EVENTS);
}

static const char *id_between(struct conn *conn, const struct address *from)
{
    char id[COMMUNITY_ID_SIZE];
    return arena_strdup(&conn->arena, community_id(IPPROTO_TCP, from, &conn->flow.origin, id));
}

void notes_start(struct conn *conn)
{
    struct record *record = &conn->record;
    record->flow_id = record_new_flow_id();
    record->flow = &conn->flow;
    if (is_recorded(conn))
        record->community_id = id_between(conn, &conn->flow.device);
    record->app_proto = "failed";
    record->client.alert_in = record->client.alert_out = RECORD_NO_ALERT;
    record->upstream.alert_in = record->upstream.alert_out = RECORD_NO_ALERT;
    gettimeofday(&record->start, NULL);
}

static void note_alpn(struct conn *conn, struct reader list)
{
    const char **names = arena_alloc(&conn->arena, ALPN_NAMES_LIMIT * sizeof(*names));
    size_t count = 0;
    conn->alpn = (unsigned char *)arena_copy(&conn->arena, list.at, list.left);
    conn->alpn_length = conn->alpn != NULL ? list.left : 0;
    while (names != NULL && list.left > 0 && count < ALPN_NAMES_LIMIT) {
        struct reader name = read_vector(&list, 1);
        char *text = name.left > 0 ? arena_copy(&conn->arena, name.at, name.left) : NULL;
        if (text == NULL)
            break;
        names[count++] = text;
    }
    conn->record.client_alpns = names;
    conn->record.client_alpn_count = count;
}

static void note_fingerprints(struct conn *conn, const struct hello *hello, const char **ja4,
                              const char **ja3)
{
    char ja4_text[JA4_SIZE], ja3_text[JA3_SIZE];
    fingerprint_ja4(hello, ja4_text);
    *ja4 = arena_strdup(&conn->arena, ja4_text);
    *ja3 = fingerprint_ja3(hello, ja3_text) ? arena_strdup(&conn->arena, ja3_text) : NULL;
}

static void note_server_fingerprint(struct conn *conn, const struct server_hello *hello)
{
    char ja3s[JA3_SIZE];
    if (fingerprint_ja3s(hello, ja3s))
        conn->record.upstream.ja3s = arena_strdup(&conn->arena, ja3s);
}

/* A message callback, up to the ServerHello. Of the first handshake message of ours there is all to
 * be known; a second one is an answer to HelloRetryRequest. */
static void see_hellos(int ours, int version, int type, const void *bytes, size_t length, SSL *ssl,
                       void *context)
{
    struct conn *conn = context;
    struct record_session *upstream = &conn->record.upstream;
    struct hello hello;
    struct server_hello answer;
    (void)version;
    if (type != SSL3_RT_HANDSHAKE)
        return;
    if (ours && upstream->ja4 == NULL &&
        hello_parse_message(&hello, bytes, length) == HELLO_COMPLETE)
        note_fingerprints(conn, &hello, &upstream->ja4, &upstream->ja3);
    if (!ours && server_hello_parse(&answer, bytes, length)) {
        note_server_fingerprint(conn, &answer);
        SSL_set_msg_callback(ssl, NULL);
    }
}

void notes_upstream_hellos(struct conn *conn)
{
    SSL *ssl = conn->origin.endpoint.ssl;
    if (!is_recorded(conn))
        return;
    SSL_set_msg_callback(ssl, see_hellos);
    SSL_set_msg_callback_arg(ssl, conn);
}

void notes_upstream(struct conn *conn)
{
    struct sockaddr_storage local = {0};
    socklen_t length = sizeof(local);
    struct address ours;
    if (is_recorded(conn) &&
        getsockname(conn->origin.endpoint.fd, (struct sockaddr *)&local, &length) == 0 &&
        address_from_sockaddr(&ours, &local))
        conn->record.upstream_community_id = id_between(conn, &ours);
}

void notes_hello(struct conn *conn, const struct hello *hello)
{
    struct record *record = &conn->record;
    if (is_recorded(conn))
        note_fingerprints(conn, hello, &record->ja4, &record->ja3);
    if (!record->starttls)
        record->app_proto = "tls";
    record->ech = hello->has_ech;
    if (hello->name[0] != '\0')
        conn->flow.sni = record->sni = arena_strdup(&conn->arena, hello->name);
    conn->flow.opened = true;
    if (hello->has_alpn)
        note_alpn(conn, hello->alpn);
    conn->offered_version = hello->max_version;
    conn->ecdsa_for_12 = hello_takes_ecdsa(hello, TLS1_2_VERSION);
    conn->ecdsa_for_13 = hello_takes_ecdsa(hello, TLS1_3_VERSION);
}

void notes_decision(struct conn *conn, const struct decision *decision, const char *action)
{
    struct record *record = &conn->record;
    char place[RULE_PLACE_SIZE];
    conn->decision = *decision;
    record->action = action;
    record->reason = reason_name(decision->reason);
    record->policy_revision = policy_revision(policy_view_policy(conn->policy->view));
    record->rule = record->rule_place = NULL;
    record->learned = decision->learned;
    record->evidence = outcome_evidence(conn->policy->view, decision, &conn->arena);
    if (decision->rule == NULL)
        return;
    record->rule = decision->rule->text;
    record->rule_place = arena_strdup(&conn->arena, rule_place(decision->rule, place));
}

/* Suricata's names: "TLSv1" is 1.0. */
static const char *version_name(const SSL *ssl)
{
    switch (SSL_version(ssl)) {
    case TLS1_3_VERSION:
        return "TLS 1.3";
    case TLS1_2_VERSION:
        return "TLS 1.2";
    case TLS1_1_VERSION:
        return "TLS 1.1";
    case TLS1_VERSION:
        return "TLSv1";
    default:
        return "UNDETERMINED";
    }
}

static const char *group_name(SSL *ssl)
{
    int group = (int)SSL_get_negotiated_group(ssl);
    return group == 0 || group == NID_undef ? NULL : SSL_group_to_name(ssl, group);
}

void notes_session(struct conn *conn, struct record_session *session, const SSL *ssl,
                   uint64_t start)
{
    const unsigned char *alpn;
    unsigned alpn_length;
    session->version = version_name(ssl);
    session->cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
    session->group = group_name((SSL *)ssl);
    session->resumed = SSL_session_reused(ssl) == 1;
    session->handshake_ms = (uint32_t)(clock_ms() - start);
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
    if (alpn_length > 0)
        session->alpn = arena_copy(&conn->arena, alpn, alpn_length);
}

static void note_faults(struct conn *conn)
{
    const struct verify *verify = &conn->verify;
    struct record_fault *faults = arena_alloc(&conn->arena, sizeof(*faults) * VERIFY_ERRORS_LIMIT);
    for (size_t i = 0; faults != NULL && i < verify->count; i++)
        faults[i] = (struct record_fault){
            .code = verify->errors[i].code,
            .depth = verify->errors[i].depth,
            .text = X509_verify_cert_error_string(verify->errors[i].code),
        };
    conn->record.faults = faults;
    conn->record.fault_count = faults != NULL ? verify->count : 0;
}

void notes_origin(struct conn *conn, X509 *certificate)
{
    struct record_certificate *noted = &conn->record.certificate;
    struct certificate_facts facts;
    if (!is_recorded(conn))
        return;
    certificate_describe(&facts, certificate, &conn->arena);
    *noted = (struct record_certificate){
        .subject = facts.subject,
        .issuer = facts.issuer,
        .serial = facts.serial,
        .not_before = facts.not_before,
        .not_after = facts.not_after,
        .fingerprint = facts.fingerprint,
        .names = facts.names,
        .name_count = facts.name_count,
    };
    char *sha256 = arena_alloc(&conn->arena, SHA256_TEXT_SIZE);
    if (sha256 != NULL)
        certificate_sha256(certificate, sha256);
    conn->record.origin_sha256 = sha256;
    conn->record.verified = true;
    conn->record.verify = verify_text(&conn->verify);
    conn->record.verify_code = verify_code(&conn->verify);
    note_faults(conn);
}

void notes_forget_origin(struct conn *conn)
{
    struct record *record = &conn->record;
    record->upstream =
        (struct record_session){.alert_in = RECORD_NO_ALERT, .alert_out = RECORD_NO_ALERT};
    record->upstream_community_id = NULL;
    record->certificate = (struct record_certificate){0};
    record->verified = false;
    record->verify = NULL;
    record->verify_code = 0;
    record->faults = NULL;
    record->fault_count = 0;
    record->origin_sha256 = NULL;
}

void notes_leaf(struct conn *conn, const struct leaf *leaf, bool cached)
{
    conn->record.forged_fingerprint = leaf->fingerprint;
    conn->record.forged_sha256 = leaf->sha256;
    conn->record.forged_cached = cached;
}

void notes_protocol(struct conn *conn, const uint8_t *bytes, size_t length, bool to_server)
{
    if (strcmp(conn->record.app_proto, "failed") == 0)
        conn->record.app_proto = detect_protocol(bytes, length, to_server);
}

void notes_starttls(struct conn *conn, const struct starttls *starttls)
{
    bool begins = starttls->turn == STARTTLS_BEGINS;
    conn->record.starttls = begins;
    if (starttls->name != NULL && (begins || strcmp(conn->record.app_proto, "failed") == 0))
        conn->record.app_proto = starttls->name;
}

/* The kernel counts packets and bytes of the device's socket: RFC 4898's names. */
void notes_traffic(struct conn *conn)
{
    struct record *record = &conn->record;
    struct tcp_info info;
    socklen_t length = sizeof(info);
    memset(&info, 0, sizeof(info));
    if (conn->device.endpoint.fd < 0 ||
        getsockopt(conn->device.endpoint.fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return;
    record->packets_to_server = info.tcpi_segs_in;
    record->packets_to_client = info.tcpi_segs_out;
    record->bytes_to_server = info.tcpi_bytes_received;
    record->bytes_to_client = info.tcpi_bytes_acked;
}

/* OpenSSL's words for TLS's own: "unknown CA". */
static const char *alert_name(int alert)
{
    return alert != NO_ALERT ? SSL_alert_desc_string_long(alert) : NULL;
}

static void note_alerts(struct record_session *session, const struct endpoint *endpoint)
{
    session->alert_in = endpoint->alert_in;
    session->alert_out = endpoint->alert_out;
    session->alert_in_name = alert_name(endpoint->alert_in);
    session->alert_out_name = alert_name(endpoint->alert_out);
}

/* Only data from the device tells that it has accepted our certificate. */
static const char *phase_of(const struct conn *conn)
{
    if (conn->state != CONN_RELAY)
        return conn->stages[conn->state]->name;
    return conn->through.relay.up.bytes > 0 ? "data" : "after_handshake";
}

void notes_end(struct conn *conn, enum ending ending)
{
    conn->record.ending = ending;
    conn->record.phase = phase_of(conn);
    gettimeofday(&conn->record.end, NULL);
    notes_traffic(conn);
    note_alerts(&conn->record.client, &conn->device.endpoint);
    note_alerts(&conn->record.upstream, &conn->origin.endpoint);
}
