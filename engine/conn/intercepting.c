/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/intercepting.h"

#include "conn/dial.h"
#include "conn/forging.h"
#include "conn/notes.h"
#include "conn/passing.h"
#include "core/log.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- TCP to the origin ---- */

static void enter_dial(struct conn *conn)
{
    if (conn->origin_connected) {
        conn_enter(conn, CONN_UPSTREAM);
        return;
    }
    if (dial_origin(conn))
        conn_want(conn, EPOLLRDHUP, EPOLLOUT);
}

static void dial_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    if (dial_origin_done(conn))
        conn_enter(conn, CONN_UPSTREAM);
}

/* ---- TLS with the origin ---- */

static bool is_ip_literal(const char *name)
{
    unsigned char ip[16];
    return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

/* The device's name, unless it is none that TLS could ask for (RFC 6066, section 3). */
static const char *name_for_origin(const struct conn *conn)
{
    const char *name = conn->flow.sni;
    return name != NULL && !is_ip_literal(name) ? name : NULL;
}

/* When all else is set: what is offered again depends on it. */
static bool offer_session(struct conn *conn)
{
    const struct session_target target = {
        .origin = &conn->flow.origin,
        .source = conn->pool->options.source_device ? &conn->flow.device : NULL,
        .alpn = conn->alpn,
        .alpn_length = conn->alpn_length,
        .client_mode = (int)conn->rules.client.mode,
    };
    return sessions_offer(conn->policy->tls->context.sessions, &conn->session_place,
                          conn->origin.endpoint.ssl, &target);
}

/* Whoever asks for a certificate is to be verified before there is any answer. What begins in
 * mid-connection cannot begin again, so it goes on without. */
static bool prepare_for_request(struct conn *conn)
{
    const struct client_choice *client = &conn->rules.client;
    struct endpoint *origin = &conn->origin.endpoint;
    origin->stop_when_asked =
        client->mode == CLIENT_SHOWN || (client->mode == CLIENT_SPLICE && !conn->record.starttls);
    if (client->mode != CLIENT_SHOWN)
        return true;
    SSL_set_post_handshake_auth(origin->ssl, 1);
    return credentials_use(client->credentials, origin->ssl);
}

static bool start_upstream(struct conn *conn)
{
    const char *name = name_for_origin(conn);
    if (!endpoint_start_tls(&conn->origin.endpoint, conn->policy->tls->context.origin))
        return false;
    SSL *ssl = conn->origin.endpoint.ssl;
    notes_upstream_hellos(conn);
    /* A malformed ALPN list is refused here, and then not sent on. */
    if (conn->alpn_length > 0)
        (void)SSL_set_alpn_protos(ssl, conn->alpn, (unsigned)conn->alpn_length);
    if (!offer_apply(&conn->offer, ssl))
        return false;
    if (conn->rules.legacy_server == ANSWER_YES)
        tls_allow_legacy_server(ssl);
    return prepare_for_request(conn) &&
           (name == NULL || SSL_set_tlsext_host_name(ssl, name) == 1) &&
           verify_prepare(ssl, &conn->verify, name, &conn->flow.origin) && offer_session(conn);
}

/* What a handshake has not verified yet: the staple of a full one. A resumed session shows no
 * certificate: the one it has kept is verified as in a full handshake. */
static bool verify_rest(struct conn *conn)
{
    SSL *ssl = conn->origin.endpoint.ssl;
    if (SSL_session_reused(ssl) == 0) {
        verify_staple(ssl);
        return true;
    }
    sessions_resumed(&conn->session_place, ssl);
    return verify_again(ssl);
}

/* What the device checks the certificate for. */
static const char *name_for_device(struct conn *conn)
{
    char ip[INET6_ADDRSTRLEN];
    const char *name = name_for_origin(conn);
    return name != NULL ? name
                        : arena_strdup(&conn->arena, address_ip_text(&conn->flow.origin, ip));
}

static struct leaf_request leaf_request_for(struct conn *conn)
{
    const SSL *origin = conn->origin.endpoint.ssl;
    bool ecdsa = SSL_version(origin) >= TLS1_3_VERSION ? conn->ecdsa_for_13 : conn->ecdsa_for_12;
    struct leaf_request request = {
        .origin = SSL_get0_peer_certificate(origin),
        .key = ecdsa ? LEAF_KEY_ECDSA : LEAF_KEY_RSA,
    };
    if (conn->rules.upstream == UPSTREAM_IGNORE) {
        request.good_dates = true;
        request.add_name = conn->verify.name_mismatch ? name_for_device(conn) : NULL;
        return request;
    }
    static const enum leaf_signer signers[] = {[VERIFY_GOOD_CHAIN] = LEAF_BY_AUTHORITY,
                                               [VERIFY_SELF_SIGNED] = LEAF_BY_ITSELF,
                                               [VERIFY_UNTRUSTED] = LEAF_BY_UNTRUSTED};
    request.signer = signers[conn->verify.class];
    request.not_before = conn->verify.not_before;
    request.not_after = conn->verify.not_after;
    return request;
}

/* True if what is wrong with the origin was the end, by the policy. */
static bool refused_by_rules(struct conn *conn)
{
    if (conn->rules.upstream != UPSTREAM_IGNORE && conn->verify.revoked)
        conn_refuse(conn, ENDING_ORIGIN_REVOKED, SSL_AD_ACCESS_DENIED);
    else if (conn->rules.upstream == UPSTREAM_VERIFY && conn->verify.count > 0)
        conn_refuse(conn, ENDING_ORIGIN_UNVERIFIED, SSL_AD_ACCESS_DENIED);
    else
        return false;
    return true;
}

static void upstream_done(struct conn *conn)
{
    SSL *ssl = conn->origin.endpoint.ssl;
    notes_session(conn, &conn->record.upstream, ssl, conn->handshake_start);
    histogram_add(&conn->pool->tally.handshakes[TALLY_ORIGIN], conn->record.upstream.handshake_ms);
    bool verified = verify_rest(conn);
    struct leaf_request request = leaf_request_for(conn);
    if (!verified || request.origin == NULL) {
        conn_refuse(conn, ENDING_ORIGIN_TLS, SSL_AD_HANDSHAKE_FAILURE);
        return;
    }
    notes_origin(conn, request.origin);
    if (refused_by_rules(conn))
        return;
    conn->by_our_ca = request.signer == LEAF_BY_AUTHORITY;
    if (conn->origin.endpoint.asked && conn->rules.client.mode == CLIENT_SPLICE)
        mtls_remember(&conn->pool->mtls, &conn->flow, conn->pool->loop.now);
    forging_begin(conn, &request);
}

/* In TLS 1.3 our side of the handshake ends before the origin has seen that we have none. */
static bool may_be_refused_yet(const struct conn *conn)
{
    const struct endpoint *origin = &conn->origin.endpoint;
    return origin->asked && conn->rules.client.mode != CLIENT_SHOWN &&
           SSL_version(origin->ssl) >= TLS1_3_VERSION;
}

/* The device's ClientHello is still where it was, in its socket: the origin shall have it. */
static void leave_to_device(struct conn *conn)
{
    char device[DEVICE_TEXT_SIZE], origin[ADDRESS_TEXT_SIZE];
    const char *name = conn->flow.sni;
    log_info("%s (%s) asks %s for a certificate: its connections there pass untouched for an hour",
             address_text(&conn->flow.origin, origin), name != NULL ? name : "no name",
             flow_device_ip_text(&conn->flow, device));
    mtls_remember(&conn->pool->mtls, &conn->flow, conn->pool->loop.now);
    conn_drop_origin(conn);
    passing_as(conn, REASON_MTLS);
}

static void upstream_step(struct conn *conn, uint32_t events);

/* The origin has shown its certificate by now, and that it has the key. Ours is for nobody else. */
static void upstream_asked(struct conn *conn)
{
    struct endpoint *origin = &conn->origin.endpoint;
    verify_staple(origin->ssl);
    if (refused_by_rules(conn)) {
        return;
    } else if (conn->rules.client.mode == CLIENT_SPLICE) {
        leave_to_device(conn);
    } else {
        if (conn->rules.upstream != UPSTREAM_IGNORE && conn->verify.count > 0)
            SSL_certs_clear(origin->ssl);
        origin->stop_when_asked = false;
        upstream_step(conn, 0);
    }
}

static void upstream_failed(struct conn *conn, enum io io)
{
    const struct endpoint *origin = &conn->origin.endpoint;
    if (io == IO_RESET)
        conn_end(conn, ENDING_ORIGIN_RESET, true);
    else if (io != IO_FAILED)
        conn_refuse(conn, ENDING_ORIGIN_CLOSED, NO_ALERT);
    else if (origin->alert_in == SSL_AD_PROTOCOL_VERSION ||
             origin->alert_in == SSL_AD_INSUFFICIENT_SECURITY)
        conn_refuse(conn, ENDING_ORIGIN_MISMATCH, origin->alert_in);
    else if (origin->alert_in != NO_ALERT)
        conn_refuse(conn, ENDING_ORIGIN_ALERT, origin->alert_in);
    else if (origin->mismatch)
        conn_refuse(conn, ENDING_ORIGIN_MISMATCH, SSL_AD_HANDSHAKE_FAILURE);
    else
        conn_refuse(conn, ENDING_ORIGIN_TLS, SSL_AD_HANDSHAKE_FAILURE);
}

static void upstream_step(struct conn *conn, uint32_t events)
{
    (void)events;
    enum io io = endpoint_handshake(&conn->origin.endpoint);
    if (io == IO_OK && may_be_refused_yet(conn))
        conn_enter(conn, CONN_VERDICT);
    else if (io == IO_OK)
        upstream_done(conn);
    else if (io == IO_ASKED)
        upstream_asked(conn);
    else if (io == IO_WANT_READ || io == IO_WANT_WRITE)
        conn_want(conn, EPOLLRDHUP, io_events(io));
    else
        upstream_failed(conn, io);
}

static void enter_upstream(struct conn *conn)
{
    conn->handshake_start = clock_ms();
    conn_timeout(conn, &conn->pool->handshake_time);
    if (start_upstream(conn))
        upstream_step(conn, 0);
    else
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
}

static void upstream_expired(struct conn *conn)
{
    conn_end(conn, ENDING_ORIGIN_TLS_TIMEOUT, true);
}

/* ---- the origin's word on our having no certificate ---- */

/* An alert says no; a session ticket, or anything else, that all is well. */
static void verdict_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    enum io io = endpoint_peek(&conn->origin.endpoint);
    if (io == IO_OK || io == IO_WANT_READ || io == IO_WANT_WRITE)
        upstream_done(conn);
    else
        upstream_failed(conn, io);
}

/* What came with the handshake's end is here already, and no event tells of it. */
static void enter_verdict(struct conn *conn)
{
    conn_timeout(conn, &conn->pool->verdict_time);
    conn_want(conn, EPOLLRDHUP, EPOLLIN);
    if (SSL_has_pending(conn->origin.endpoint.ssl) == 1)
        verdict_origin_ready(conn, 0);
}

/* ---- TLS with the device ---- */

static bool bind_tickets(struct conn *conn)
{
    const struct ticket_scope scope = {
        .device = &conn->flow.device,
        .origin = &conn->flow.origin,
        .name = conn->flow.sni,
        .leaf = conn->leaf->sha256,
        .revision = policy_revision(policy_view_policy(conn->policy->view)),
    };
    return tickets_bind(conn->device.endpoint.ssl, &scope);
}

/* Where the origin may be old, a device that has offered its version gets it. */
static int lowest_for_device(const struct conn *conn)
{
    int chosen = SSL_version(conn->origin.endpoint.ssl);
    bool by_origin = conn->rules.legacy_server == ANSWER_YES && chosen < conn->rules.min_version;
    return by_origin ? chosen : conn->rules.min_version;
}

static bool start_device(struct conn *conn)
{
    struct endpoint *device = &conn->device.endpoint;
    const SSL *origin = conn->origin.endpoint.ssl;
    unsigned alpn_length;
    SSL_get0_alpn_selected(origin, &device->alpn, &alpn_length);
    device->alpn_length = (unsigned char)alpn_length;
    return endpoint_start_tls(device, conn->policy->tls->context.device) && bind_tickets(conn) &&
           tls_set_min_version(device->ssl, lowest_for_device(conn)) &&
           SSL_set_max_proto_version(device->ssl, SSL_version(origin)) == 1 &&
           SSL_use_certificate(device->ssl, conn->leaf->certificate) == 1 &&
           SSL_use_PrivateKey(device->ssl, conn->leaf->key) == 1 &&
           SSL_set1_chain(device->ssl, (STACK_OF(X509) *)conn->leaf->chain) == 1;
}

static void device_failed(struct conn *conn, enum io io)
{
    if (io != IO_FAILED)
        conn_end(conn, ENDING_DEVICE_GONE, io == IO_RESET);
    else if (conn->device.endpoint.alert_in != NO_ALERT)
        conn_end(conn, ENDING_DEVICE_ALERT, false);
    else
        conn_refuse(conn, /* OpenSSL has said the alert */
                    conn->device.endpoint.mismatch ? ENDING_DEVICE_MISMATCH : ENDING_DEVICE_TLS,
                    NO_ALERT);
}

static void device_step(struct conn *conn, uint32_t events)
{
    (void)events;
    enum io io = endpoint_handshake(&conn->device.endpoint);
    if (io == IO_OK) {
        notes_session(conn, &conn->record.client, conn->device.endpoint.ssl, conn->handshake_start);
        histogram_add(&conn->pool->tally.handshakes[TALLY_DEVICE],
                      conn->record.client.handshake_ms);
        counter_add(&conn->pool->counters.intercepted, 1);
        conn_tell_tls(conn);
        conn_enter(conn, CONN_RELAY);
    } else if (io == IO_WANT_READ || io == IO_WANT_WRITE) {
        conn_want(conn, io_events(io), 0);
    } else {
        device_failed(conn, io);
    }
}

static void enter_device(struct conn *conn)
{
    conn->handshake_start = clock_ms();
    conn_timeout(conn, &conn->pool->handshake_time);
    if (start_device(conn))
        device_step(conn, 0);
    else
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
}

/* Whatever the origin has to say waits for the relay, its end too. */
static void device_origin_ready(struct conn *conn, uint32_t events)
{
    (void)conn, (void)events;
}

static void device_expired(struct conn *conn)
{
    conn_end(conn, ENDING_DEVICE_TLS_TIMEOUT, true);
}

const struct conn_stage intercepting_dial = {.name = "dial",
                                             .enter = enter_dial,
                                             .device_ready = dial_device_gone,
                                             .origin_ready = dial_origin_ready,
                                             .expired = dial_expired};

const struct conn_stage intercepting_upstream = {.name = "upstream",
                                                 .enter = enter_upstream,
                                                 .device_ready = dial_device_gone,
                                                 .origin_ready = upstream_step,
                                                 .expired = upstream_expired};

const struct conn_stage intercepting_verdict = {.name = "verdict",
                                                .enter = enter_verdict,
                                                .device_ready = dial_device_gone,
                                                .origin_ready = verdict_origin_ready,
                                                .expired = upstream_done};

const struct conn_stage intercepting_device = {.name = "device",
                                               .enter = enter_device,
                                               .device_ready = device_step,
                                               .origin_ready = device_origin_ready,
                                               .expired = device_expired};
