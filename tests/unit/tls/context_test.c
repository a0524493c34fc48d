/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log.h"
#include "pair.h"
#include "tls/context.h"
#include "tls/verify.h"

/* A CA that is trusted, one that is ours, and a server's certificate from each. */
struct world {
    struct identity root, own_ca, server, own_server;
    X509_STORE *trust;
    struct tls_context context;
};

static struct tls_settings settings_of(const struct world *world)
{
    return (struct tls_settings){.trust = world->trust, .authority = world->own_ca.certificate};
}

static void make_world(struct world *world)
{
    world->root = make_identity(&(struct recipe){.common_name = "Root", .ca = true});
    world->own_ca = make_identity(&(struct recipe){.common_name = "Own CA", .ca = true});
    world->server = make_identity(&(struct recipe){
        .common_name = "a.test", .names = "DNS:a.test", .rsa_bits = 2048, .issuer = &world->root});
    world->own_server = make_identity(
        &(struct recipe){.common_name = "a.test", .names = "DNS:a.test", .issuer = &world->own_ca});
    world->trust = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(world->trust, world->root.certificate), 1);
    assert_int_equal(X509_STORE_add_cert(world->trust, world->own_ca.certificate), 1);
}

/* With these settings; a server's certificate in the device's context, as each connection of the
 * engine's puts one into its SSL. */
static void init_world_with(struct world *world, const struct tls_settings *settings)
{
    assert_true(tls_context_init(&world->context, settings));
    assert_int_equal(SSL_CTX_use_certificate(world->context.device, world->server.certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(world->context.device, world->server.key), 1);
}

static void init_world(struct world *world)
{
    make_world(world);
    struct tls_settings settings = settings_of(world);
    init_world_with(world, &settings);
}

static void fini_world(struct world *world)
{
    tls_context_fini(&world->context);
    X509_STORE_free(world->trust);
    free_identity(&world->root);
    free_identity(&world->own_ca);
    free_identity(&world->server);
    free_identity(&world->own_server);
}

static enum io read_some(struct pair *pair)
{
    char buffer[64];
    size_t count;
    return endpoint_read(&pair->ours, buffer, sizeof(buffer), &count);
}

/* ---- versions ---- */

static const int all_versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

static void devices_may_speak_the_lowest_version_and_all_above_it(void **state)
{
    (void)state;
    for (size_t lowest = 0; lowest < ARRAY_SIZE(all_versions); lowest++) {
        struct world world;
        init_world(&world);
        SSL_CTX *client = their_client_context();
        for (size_t i = 0; i < ARRAY_SIZE(all_versions); i++) {
            struct pair pair;
            init_tls_pair(&pair, world.context.device, client);
            assert_true(tls_set_min_version(pair.ours.ssl, all_versions[lowest]));
            SSL_set_max_proto_version(pair.theirs, all_versions[i]);
            enum io io = shake_hands(&pair);
            if (i >= lowest) {
                assert_int_equal(io, IO_OK);
                assert_int_equal(SSL_version(pair.ours.ssl), all_versions[i]);
            } else {
                assert_int_equal(io, IO_FAILED);
                assert_int_equal(pair.ours.alert_out, SSL_AD_PROTOCOL_VERSION);
            }
            fini_pair(&pair);
        }
        SSL_CTX_free(client);
        fini_world(&world);
    }
}

static void origins_may_speak_the_lowest_version_and_all_above_it(void **state)
{
    (void)state;
    for (size_t lowest = 0; lowest < ARRAY_SIZE(all_versions); lowest++) {
        struct world world;
        init_world(&world);
        SSL_CTX *server = their_server_context(&world.server, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(all_versions); i++) {
            struct pair pair;
            struct verify verify;
            init_tls_pair(&pair, world.context.origin, server);
            assert_true(tls_set_min_version(pair.ours.ssl, all_versions[lowest]));
            assert_true(verify_prepare(pair.ours.ssl, &verify, "a.test", NULL));
            SSL_set_max_proto_version(pair.theirs, all_versions[i]);
            enum io io = shake_hands(&pair);
            if (i >= lowest) {
                assert_int_equal(io, IO_OK);
                assert_int_equal(SSL_version(pair.ours.ssl), all_versions[i]);
                assert_string_equal(verify_text(&verify), "ok");
            } else {
                assert_int_equal(io, IO_FAILED);
            }
            fini_pair(&pair);
        }
        SSL_CTX_free(server);
        fini_world(&world);
    }
}

static void a_version_that_there_is_not_is_no_lowest_one(void **state)
{
    (void)state;
    static const int versions[] = {0x0305, 0x7fff};
    struct world world;
    init_world(&world);
    SSL *ssl = SSL_new(world.context.origin);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        assert_false(tls_set_min_version(ssl, versions[i]));
    SSL_free(ssl);
    fini_world(&world);
}

static void what_one_connection_may_do_no_other_may(void **state)
{
    (void)state;
    struct world world;
    init_world(&world);
    SSL *old = SSL_new(world.context.device), *next = SSL_new(world.context.device);
    assert_true(tls_set_min_version(old, TLS1_VERSION));
    assert_int_equal(SSL_get_security_level(old), 0);
    assert_int_equal(SSL_get_security_level(next), 1);
    assert_int_equal(SSL_get_min_proto_version(next), TLS1_2_VERSION);
    assert_true(tls_set_min_version(old, TLS1_2_VERSION));
    assert_int_equal(SSL_get_security_level(old), 1);
    SSL_free(old);
    SSL_free(next);
    fini_world(&world);
}

/* ---- what is never done ---- */

static unsigned sessions_given;

static int count_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl, (void)session;
    sessions_given++;
    return 0;
}

/* S4: nothing that could be resumed is handed out, and nothing is resumed. */
static void without_a_secret_no_session_is_given_to_a_device_or_taken_up_again(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct world world;
    init_world(&world);
    SSL_CTX *client = their_client_context();
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client, count_session);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct pair pair;
        SSL_SESSION *session = NULL;
        char byte;
        sessions_given = 0;
        for (int round = 0; round < 2; round++) {
            init_tls_pair(&pair, world.context.device, client);
            SSL_set_max_proto_version(pair.theirs, versions[i]);
            if (session != NULL)
                assert_int_equal(SSL_set_session(pair.theirs, session), 1);
            assert_int_equal(shake_hands(&pair), IO_OK);
            assert_true(SSL_read(pair.theirs, &byte, 1) < 0); /* a ticket would come here */
            assert_int_equal(SSL_session_reused(pair.theirs), 0);
            SSL_SESSION_free(session);
            session = SSL_get1_session(pair.theirs);
            assert_false(SSL_SESSION_has_ticket(session));
            fini_pair(&pair);
        }
        if (versions[i] == TLS1_3_VERSION)
            assert_int_equal(sessions_given, 0);
        SSL_SESSION_free(session);
    }
    SSL_CTX_free(client);
    fini_world(&world);
}

/* S2 */
static void no_session_of_an_origin_is_taken_up_again_that_was_not_offered(void **state)
{
    (void)state;
    struct world world;
    init_world(&world);
    SSL_CTX *server = their_server_context(&world.server, NULL);
    for (int round = 0; round < 3; round++) {
        struct pair pair;
        struct verify verify;
        init_tls_pair(&pair, world.context.origin, server);
        assert_true(verify_prepare(pair.ours.ssl, &verify, "a.test", NULL));
        assert_int_equal(shake_hands(&pair), IO_OK);
        assert_int_equal(read_some(&pair), IO_WANT_READ); /* the tickets */
        assert_int_equal(SSL_session_reused(pair.ours.ssl), 0);
        fini_pair(&pair);
    }
    SSL_CTX_free(server);
    fini_world(&world);
}

/* V4 */
static void a_device_cannot_renegotiate(void **state)
{
    (void)state;
    struct world world;
    struct pair pair;
    init_world(&world);
    SSL_CTX *client = their_client_context();
    init_tls_pair(&pair, world.context.device, client);
    SSL_set_max_proto_version(pair.theirs, TLS1_2_VERSION);
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(SSL_renegotiate(pair.theirs), 1);
    assert_false(step_theirs(&pair)); /* its ClientHello is sent */
    (void)read_some(&pair);
    assert_int_equal(pair.ours.alert_out, SSL_AD_NO_RENEGOTIATION);
    fini_pair(&pair);
    SSL_CTX_free(client);
    fini_world(&world);
}

/* V4 */
static void diffie_hellman_is_of_2048_bits_or_more(void **state)
{
    (void)state;
    struct world world;
    struct pair pair;
    EVP_PKEY *key = NULL;
    init_world(&world);
    SSL_CTX *client = their_client_context();
    init_tls_pair(&pair, world.context.device, client);
    SSL_set_max_proto_version(pair.theirs, TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(pair.theirs, "DHE-RSA-AES128-GCM-SHA256"), 1);
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(SSL_get_peer_tmp_key(pair.theirs, &key), 1);
    assert_true(EVP_PKEY_is_a(key, "DH"));
    assert_true(EVP_PKEY_get_bits(key) >= 2048);
    EVP_PKEY_free(key);
    fini_pair(&pair);
    SSL_CTX_free(client);
    fini_world(&world);
}

/* V2 */
static void ciphers_without_encryption_or_authentication_are_never_chosen(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"NULL", "aNULL", "RC4", "3DES", "EXPORT"};
    struct world world;
    init_world(&world);
    for (size_t i = 0; i < ARRAY_SIZE(ciphers); i++) {
        char list[64];
        struct pair pair;
        SSL_CTX *client = their_client_context();
        SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
        snprintf(list, sizeof(list), "%s:@SECLEVEL=0", ciphers[i]);
        if (SSL_CTX_set_cipher_list(client, list) == 1) { /* this OpenSSL has it */
            init_tls_pair(&pair, world.context.device, client);
            assert_int_equal(shake_hands(&pair), IO_FAILED);
            assert_int_equal(pair.ours.alert_out, SSL_AD_HANDSHAKE_FAILURE);
            fini_pair(&pair);
        }
        ERR_clear_error();
        SSL_CTX_free(client);
    }
    fini_world(&world);
}

/* ---- ALPN ---- */

/* A1 */
static void the_origins_choice_is_the_answer_to_a_device(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *offer, *expected;
    } cases[] = {
        {"h2", "\10http/1.1\2h2", "h2"},
        {"http/1.1", "\2h2\10http/1.1", "http/1.1"},
        {"mqtt", "\4mqtt", "mqtt"},
        {NULL, "\2h2\10http/1.1", ""},
        {"h2", "", ""},
    };
    struct world world;
    init_world(&world);
    SSL_CTX *client = their_client_context();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pair pair;
        const unsigned char *selected;
        unsigned length;
        init_tls_pair(&pair, world.context.device, client);
        if (cases[i].answer != NULL) {
            pair.ours.alpn = (const unsigned char *)cases[i].answer;
            pair.ours.alpn_length = (unsigned char)strlen(cases[i].answer);
        }
        assert_int_equal(SSL_set_alpn_protos(pair.theirs, (const unsigned char *)cases[i].offer,
                                             (unsigned)strlen(cases[i].offer)),
                         0);
        assert_int_equal(shake_hands(&pair), IO_OK);
        SSL_get0_alpn_selected(pair.theirs, &selected, &length);
        assert_int_equal(length, strlen(cases[i].expected));
        if (length > 0)
            assert_memory_equal(selected, cases[i].expected, length);
        fini_pair(&pair);
    }
    SSL_CTX_free(client);
    fini_world(&world);
}

/* ---- trust ---- */

/* CA3 */
static void origins_are_verified_and_our_own_authority_is_no_reason_to_trust(void **state)
{
    (void)state;
    struct world world;
    init_world(&world);
    const struct identity *const servers[] = {&world.server, &world.own_server};
    for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
        struct pair pair;
        struct verify verify;
        SSL_CTX *server = their_server_context(servers[i], NULL);
        init_tls_pair(&pair, world.context.origin, server);
        assert_true(verify_prepare(pair.ours.ssl, &verify, "a.test", NULL));
        assert_int_equal(shake_hands(&pair), IO_OK);
        assert_int_equal(verify_code(&verify), i == 0 ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
        fini_pair(&pair);
        SSL_CTX_free(server);
    }
    fini_world(&world);
}

static void the_context_keeps_the_trusted_store(void **state)
{
    (void)state;
    struct world world;
    struct pair pair;
    struct verify verify;
    init_world(&world);
    X509_STORE_free(world.trust);
    world.trust = NULL;
    SSL_CTX *server = their_server_context(&world.server, NULL);
    init_tls_pair(&pair, world.context.origin, server);
    assert_true(verify_prepare(pair.ours.ssl, &verify, "a.test", NULL));
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(verify_code(&verify), X509_V_OK);
    fini_pair(&pair);
    SSL_CTX_free(server);
    fini_world(&world);
}

/* ---- the key log ---- */

struct key_log {
    unsigned lines, ends;
    bool traffic_secret;
};

static void keep_line(const SSL *ssl, const char *line)
{
    struct key_log *log = tls_keylog_context(ssl);
    log->lines++;
    log->ends += strchr(line, '\n') != NULL;
    log->traffic_secret |= strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0;
}

static void the_key_log_gets_the_secrets_of_both_sides(void **state)
{
    (void)state;
    struct world world;
    make_world(&world);
    struct key_log log = {0};
    struct tls_settings settings = settings_of(&world);
    settings.keylog = keep_line;
    settings.keylog_context = &log;
    init_world_with(&world, &settings);
    SSL_CTX *client = their_client_context(), *server = their_server_context(&world.server, NULL);
    struct pair pair;
    struct verify verify;
    for (int origin = 0; origin < 2; origin++) {
        log = (struct key_log){0};
        if (origin != 0) {
            init_tls_pair(&pair, world.context.origin, server);
            assert_true(verify_prepare(pair.ours.ssl, &verify, "a.test", NULL));
        } else {
            init_tls_pair(&pair, world.context.device, client);
        }
        assert_int_equal(shake_hands(&pair), IO_OK);
        assert_true(log.lines >= 4);
        assert_int_equal(log.ends, 0);
        assert_true(log.traffic_secret);
        fini_pair(&pair);
    }
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    fini_world(&world);
}

static void without_a_key_log_no_secret_leaves(void **state)
{
    (void)state;
    struct world world;
    init_world(&world);
    assert_null(SSL_CTX_get_keylog_callback(world.context.device));
    assert_null(SSL_CTX_get_keylog_callback(world.context.origin));
    fini_world(&world);
    tls_context_fini(&world.context); /* twice does no harm */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_may_speak_the_lowest_version_and_all_above_it),
        cmocka_unit_test(origins_may_speak_the_lowest_version_and_all_above_it),
        cmocka_unit_test(a_version_that_there_is_not_is_no_lowest_one),
        cmocka_unit_test(what_one_connection_may_do_no_other_may),
        cmocka_unit_test(without_a_secret_no_session_is_given_to_a_device_or_taken_up_again),
        cmocka_unit_test(no_session_of_an_origin_is_taken_up_again_that_was_not_offered),
        cmocka_unit_test(a_device_cannot_renegotiate),
        cmocka_unit_test(diffie_hellman_is_of_2048_bits_or_more),
        cmocka_unit_test(ciphers_without_encryption_or_authentication_are_never_chosen),
        cmocka_unit_test(the_origins_choice_is_the_answer_to_a_device),
        cmocka_unit_test(origins_are_verified_and_our_own_authority_is_no_reason_to_trust),
        cmocka_unit_test(the_context_keeps_the_trusted_store),
        cmocka_unit_test(the_key_log_gets_the_secrets_of_both_sides),
        cmocka_unit_test(without_a_key_log_no_secret_leaves),
    };
    ignore_broken_pipes();
    return cmocka_run_group_tests_name("tls/context", tests, NULL, NULL);
}
