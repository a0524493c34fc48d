/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An origin that we come back to, with the session that it has given us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pair.h"
#include "tls/sessions.h"
#include "tls/verify.h"

static struct identity root, own_ca, server, client;
static X509_STORE *trust;
static SSL_CTX *origin, *ours;
static struct verify_rules rules;

static int make_world(void **state)
{
    (void)state;
    root = make_identity(&(struct recipe){.common_name = "Root", .ca = true});
    own_ca = make_identity(&(struct recipe){.common_name = "Own CA", .ca = true});
    server = make_identity(&(struct recipe){.names = "DNS:a.test", .issuer = &root});
    client = make_identity(&(struct recipe){.common_name = "client", .issuer = &root});
    trust = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(trust, root.certificate), 1);
    origin = their_server_context(&server, NULL);
    SSL_CTX_set_session_id_context(origin, (const unsigned char *)"o", 1);
    ours = permissive_context(TLS_client_method());
    rules = (struct verify_rules){.trust = trust, .authority = own_ca.certificate};
    verify_context(ours, &rules);
    sessions_context(ours);
    return 0;
}

static int drop_world(void **state)
{
    (void)state;
    SSL_CTX_free(origin);
    SSL_CTX_free(ours);
    X509_STORE_free(trust);
    free_identity(&root);
    free_identity(&own_ca);
    free_identity(&server);
    free_identity(&client);
    return 0;
}

struct visit {
    const char *origin, *source, *name, *alpn;
    int version;
    const char *ciphers;
    const struct identity *client;
    int client_mode;
};

/* A connection that is still open; the result of its verification. */
struct open_visit {
    struct pair pair;
    struct session_place place;
    struct verify verify;
};

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(&address, text));
    return address;
}

static void set_up(SSL *ssl, const struct visit *visit)
{
    assert_int_equal(SSL_set_max_proto_version(ssl, visit->version), 1);
    assert_int_equal(SSL_set_tlsext_host_name(ssl, visit->name), 1);
    if (visit->ciphers != NULL)
        assert_int_equal(SSL_set_cipher_list(ssl, visit->ciphers), 1);
    if (visit->client != NULL) {
        assert_int_equal(SSL_use_certificate(ssl, visit->client->certificate), 1);
        assert_int_equal(SSL_use_PrivateKey(ssl, visit->client->key), 1);
    }
}

static void start_visit(struct open_visit *open, struct sessions *sessions,
                        const struct visit *visit)
{
    const struct address to = address_of(visit->origin);
    const struct address from = address_of(visit->source != NULL ? visit->source : "10.0.0.1:0");
    const struct session_target target = {
        .origin = &to,
        .source = visit->source != NULL ? &from : NULL,
        .alpn = (const unsigned char *)visit->alpn,
        .alpn_length = visit->alpn != NULL ? strlen(visit->alpn) : 0,
        .client_mode = visit->client_mode,
    };
    init_tls_pair(&open->pair, ours, origin);
    SSL *ssl = open->pair.ours.ssl;
    set_up(ssl, visit);
    assert_true(verify_prepare(ssl, &open->verify, visit->name, &to));
    assert_true(sessions_offer(sessions, &open->place, ssl, &target));
    assert_int_equal(shake_hands(&open->pair), IO_OK);
}

/* Tickets of TLS 1.3 come with the first byte. */
static void hear_a_byte(struct open_visit *open)
{
    char byte;
    size_t count;
    assert_int_equal(SSL_write(open->pair.theirs, "x", 1), 1);
    assert_int_equal(endpoint_read(&open->pair.ours, &byte, 1, &count), IO_OK);
}

/* True if it was resumed. */
static bool finish_visit(struct open_visit *open)
{
    SSL *ssl = open->pair.ours.ssl;
    bool resumed = SSL_session_reused(ssl) == 1;
    if (resumed) {
        assert_true(verify_again(ssl));
        sessions_resumed(&open->place, ssl);
    }
    hear_a_byte(open);
    assert_int_equal(endpoint_shutdown(&open->pair.ours, true), IO_OK);
    fini_pair(&open->pair);
    return resumed;
}

static bool visit_origin(struct sessions *sessions, const struct visit *visit)
{
    struct open_visit open;
    start_visit(&open, sessions, visit);
    bool resumed = finish_visit(&open);
    assert_int_equal(open.verify.count, 0);
    return resumed;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static struct visit usual(int version)
{
    return (struct visit){.origin = "192.0.2.1:443", .name = "a.test", .version = version};
}

static void S2_an_origin_is_come_back_to_with_its_session(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sessions *sessions = sessions_new(10);
        const struct visit visit = usual(versions[i]);
        assert_false(visit_origin(sessions, &visit));
        for (int times = 0; times < 4; times++)
            assert_true(visit_origin(sessions, &visit));
        /* In TLS 1.3 two tickets came at first, and another one for each that was used. */
        assert_int_equal(sessions_count(sessions), versions[i] == TLS1_3_VERSION ? 2 : 1);
        sessions_free(sessions);
    }
}

static void S2_whatever_has_changed_leads_to_a_full_handshake(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct visit others[8];
        for (size_t j = 0; j < ARRAY_SIZE(others); j++)
            others[j] = usual(versions[i]);
        others[0].origin = "192.0.2.2:443";
        others[1].origin = "192.0.2.1:444";
        others[2].source = "10.0.0.7:50012";
        others[3].alpn = "\2h2";
        others[4].ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0";
        others[5].client = &client;
        others[6].version = versions[i] == TLS1_3_VERSION ? TLS1_2_VERSION : TLS1_1_VERSION;
        others[7].client_mode = 1;
        struct sessions *sessions = sessions_new(100);
        const struct visit first = usual(versions[i]);
        assert_false(visit_origin(sessions, &first));
        for (size_t j = 0; j < ARRAY_SIZE(others); j++)
            assert_false(visit_origin(sessions, &others[j]));
        assert_true(visit_origin(sessions, &first));
        sessions_free(sessions);
    }
}

static void S2_another_name_is_another_session(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sessions *sessions = sessions_new(10);
        const struct visit first = usual(versions[i]);
        struct visit other = first;
        struct open_visit open;
        other.name = "b.test";
        assert_false(visit_origin(sessions, &first));
        start_visit(&open, sessions, &other);
        assert_false(finish_visit(&open));
        assert_int_equal(verify_code(&open.verify), X509_V_ERR_HOSTNAME_MISMATCH);
        sessions_free(sessions);
    }
}

static void S2_a_ticket_of_TLS_1_3_is_offered_once(void **state)
{
    (void)state;
    struct sessions *sessions = sessions_new(10);
    const struct visit visit = usual(TLS1_3_VERSION);
    struct open_visit open[3];
    assert_false(visit_origin(sessions, &visit)); /* two tickets come */
    for (size_t i = 0; i < 3; i++)
        start_visit(&open[i], sessions, &visit);
    assert_true(finish_visit(&open[0]));
    assert_true(finish_visit(&open[1]));
    assert_false(finish_visit(&open[2]));
    sessions_free(sessions);
}

static void S2_as_many_connections_at_a_time_are_resumed_as_there_were_tickets(void **state)
{
    (void)state;
    struct sessions *sessions = sessions_new(100);
    const struct visit visit = usual(TLS1_3_VERSION);
    struct open_visit open[10];
    for (size_t i = 0; i < ARRAY_SIZE(open); i++) /* none has ended, so none can be come back to */
        start_visit(&open[i], sessions, &visit);
    for (size_t i = 0; i < ARRAY_SIZE(open); i++)
        assert_false(finish_visit(&open[i]));
    assert_int_equal(sessions_count(sessions), 8); /* of 20 tickets */
    for (size_t i = 0; i < ARRAY_SIZE(open); i++)
        start_visit(&open[i], sessions, &visit);
    for (size_t i = 0; i < ARRAY_SIZE(open); i++)
        assert_int_equal(finish_visit(&open[i]), i < 8);
    sessions_free(sessions);
}

static void the_newest_origin_is_kept_whatever_the_limit(void **state)
{
    (void)state;
    struct sessions *sessions = sessions_new(1);
    const struct visit visit = usual(TLS1_3_VERSION);
    struct visit other = visit;
    other.origin = "192.0.2.2:443";
    assert_false(visit_origin(sessions, &visit));
    assert_int_equal(sessions_count(sessions), 2);
    assert_true(visit_origin(sessions, &visit));
    assert_false(visit_origin(sessions, &other));
    assert_int_equal(sessions_count(sessions), 2);
    assert_false(visit_origin(sessions, &visit));
    sessions_free(sessions);
    assert_int_equal(ERR_peek_error(), 0);
}

/* As nginx does: it answers our close_notify with FIN alone. */
static void S2_an_origin_that_leaves_without_a_word_is_come_back_to(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sessions *sessions = sessions_new(10);
        const struct visit visit = usual(versions[i]);
        struct open_visit open;
        for (int times = 0; times < 4; times++) {
            char byte;
            size_t count;
            start_visit(&open, sessions, &visit);
            assert_int_equal(SSL_session_reused(open.pair.ours.ssl), times > 0);
            sessions_resumed(&open.place, open.pair.ours.ssl);
            hear_a_byte(&open);
            assert_int_equal(endpoint_shutdown(&open.pair.ours, true), IO_OK);
            assert_int_equal(SSL_read(open.pair.theirs, &byte, 1), 0);
            close_theirs(&open.pair);
            assert_int_equal(endpoint_read(&open.pair.ours, &byte, 1, &count), IO_TRUNCATED);
            fini_pair(&open.pair);
        }
        sessions_free(sessions);
    }
}

static void S2_a_session_whose_connection_was_broken_is_not_offered(void **state)
{
    (void)state;
    static const char garbage[] = "\x17\x03\x03\x00\x20 thirty-two bytes, no ciphertext..";
    struct sessions *sessions = sessions_new(10);
    const struct visit visit = usual(TLS1_2_VERSION);
    struct open_visit open;
    char byte;
    size_t count;
    start_visit(&open, sessions, &visit);
    hear_a_byte(&open);
    assert_int_equal(write(open.pair.their_fd, garbage, 5 + 32), 5 + 32);
    assert_int_equal(endpoint_read(&open.pair.ours, &byte, 1, &count), IO_FAILED);
    fini_pair(&open.pair);
    assert_false(visit_origin(sessions, &visit));
    assert_true(visit_origin(sessions, &visit));
    sessions_free(sessions);
}

/* What a full handshake and a resumed one say of an origin is the same, in every mode. */
static void S2_a_resumed_origin_is_verified_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sessions *sessions = sessions_new(10);
        const struct visit visit = usual(versions[i]);
        struct open_visit full, resumed;
        X509_STORE *nobody = X509_STORE_new();
        assert_false(visit_origin(sessions, &visit));
        rules.trust = nobody; /* the trust is gone meanwhile */
        SSL_CTX_set1_cert_store(ours, nobody);
        start_visit(&resumed, sessions, &visit);
        assert_true(finish_visit(&resumed));
        struct sessions *none = sessions_new(10);
        start_visit(&full, none, &visit);
        assert_false(finish_visit(&full));
        assert_int_equal(resumed.verify.count, full.verify.count);
        assert_true(full.verify.count > 0);
        for (size_t j = 0; j < full.verify.count; j++) {
            assert_int_equal(resumed.verify.errors[j].code, full.verify.errors[j].code);
            assert_int_equal(resumed.verify.errors[j].depth, full.verify.errors[j].depth);
        }
        assert_int_equal(resumed.verify.class, VERIFY_UNTRUSTED);
        rules.trust = trust;
        SSL_CTX_set1_cert_store(ours, trust);
        X509_STORE_free(nobody);
        sessions_free(none);
        sessions_free(sessions);
    }
}

/* The limits of time are the parameters of both, so a date in the future stands for a long wait. */
static void S2_a_certificate_that_has_expired_meanwhile_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sessions *sessions = sessions_new(10);
        const struct visit visit = usual(versions[i]);
        struct open_visit later;
        assert_false(visit_origin(sessions, &visit));
        X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ours), time(NULL) + 60 * DAY);
        start_visit(&later, sessions, &visit);
        assert_true(finish_visit(&later));
        assert_int_equal(verify_code(&later.verify), X509_V_ERR_CERT_HAS_EXPIRED);
        X509_VERIFY_PARAM_clear_flags(SSL_CTX_get0_param(ours), X509_V_FLAG_USE_CHECK_TIME);
        sessions_free(sessions);
    }
}

static void the_least_recently_used_go_first(void **state)
{
    (void)state;
    struct sessions *sessions = sessions_new(2);
    struct visit visits[3];
    for (size_t i = 0; i < 3; i++)
        visits[i] = usual(TLS1_2_VERSION);
    visits[1].origin = "192.0.2.2:443";
    visits[2].origin = "192.0.2.3:443";
    assert_false(visit_origin(sessions, &visits[0]));
    assert_false(visit_origin(sessions, &visits[1]));
    assert_true(visit_origin(sessions, &visits[0]));
    assert_false(visit_origin(sessions, &visits[2]));
    assert_int_equal(sessions_count(sessions), 2);
    assert_true(visit_origin(sessions, &visits[0]));
    assert_false(visit_origin(sessions, &visits[1]));
    sessions_free(sessions);
}

static void a_session_that_is_over_is_not_offered(void **state)
{
    (void)state;
    struct sessions *sessions = sessions_new(2);
    const struct visit visit = usual(TLS1_2_VERSION);
    struct open_visit open;
    start_visit(&open, sessions, &visit);
    SSL_SESSION_set_time(SSL_get0_session(open.pair.ours.ssl), time(NULL) - 7 * DAY);
    assert_false(finish_visit(&open));
    assert_int_equal(sessions_count(sessions), 1);
    assert_false(visit_origin(sessions, &visit));
    assert_true(visit_origin(sessions, &visit));
    sessions_free(sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S2_an_origin_is_come_back_to_with_its_session),
        cmocka_unit_test(S2_whatever_has_changed_leads_to_a_full_handshake),
        cmocka_unit_test(S2_another_name_is_another_session),
        cmocka_unit_test(S2_a_ticket_of_TLS_1_3_is_offered_once),
        cmocka_unit_test(S2_as_many_connections_at_a_time_are_resumed_as_there_were_tickets),
        cmocka_unit_test(the_newest_origin_is_kept_whatever_the_limit),
        cmocka_unit_test(S2_an_origin_that_leaves_without_a_word_is_come_back_to),
        cmocka_unit_test(S2_a_session_whose_connection_was_broken_is_not_offered),
        cmocka_unit_test(S2_a_resumed_origin_is_verified_again),
        cmocka_unit_test(S2_a_certificate_that_has_expired_meanwhile_is_noticed),
        cmocka_unit_test(the_least_recently_used_go_first),
        cmocka_unit_test(a_session_that_is_over_is_not_offered),
    };
    ignore_broken_pipes();
    return cmocka_run_group_tests_name("tls/sessions", tests, make_world, drop_world);
}
