/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A device that comes back: once in full, and then with the ticket that it was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/loop.h"
#include "pair.h"
#include "tls/tickets.h"

static struct identity identity;
static SSL_CTX *device;
static SSL_SESSION *given; /* the last ticket that the device was given */
static unsigned given_count;

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(given);
    given = session;
    given_count++;
    return 1;
}

static int make_device(void **state)
{
    (void)state;
    identity = make_identity(&(struct recipe){.common_name = "a.test", .names = "DNS:a.test"});
    device = their_client_context();
    SSL_CTX_set_session_cache_mode(device, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(device, keep_ticket);
    return 0;
}

static int drop_device(void **state)
{
    (void)state;
    SSL_SESSION_free(given);
    SSL_CTX_free(device);
    free_identity(&identity);
    return 0;
}

/* One worker. */
struct server {
    SSL_CTX *context;
    struct tickets tickets;
};

static void init_server(struct server *server, const struct ticket_secret *secret, uint64_t age)
{
    struct ticket_secret older = *secret;
    older.made -= age;
    server->context = their_server_context(&identity, NULL);
    SSL_CTX_set_session_cache_mode(server->context, SSL_SESS_CACHE_OFF);
    assert_true(tickets_init(&server->tickets, server->context, &older));
}

static void fini_server(struct server *server)
{
    SSL_CTX_free(server->context);
    tickets_fini(&server->tickets);
}

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(&address, text));
    return address;
}

struct visit {
    const char *device, *origin, *name, *leaf;
    uint64_t revision;
};
static const struct visit usual = {"10.0.0.7:50012", "192.0.2.1:443", "a.test", "aa", 1};

/* True if the session was resumed. A ticket comes with the first byte. */
static bool visit(struct server *server, int version, const struct visit *visit,
                  SSL_SESSION *ticket)
{
    const struct address from = address_of(visit->device), to = address_of(visit->origin);
    const struct ticket_scope scope = {.device = &from,
                                       .origin = &to,
                                       .name = visit->name,
                                       .leaf = visit->leaf,
                                       .revision = visit->revision};
    struct pair pair;
    char byte;
    size_t count;
    init_tls_pair(&pair, server->context, device);
    assert_true(tickets_bind(pair.ours.ssl, &scope));
    SSL_set_max_proto_version(pair.theirs, version);
    /* A copy: to OpenSSL a session of TLS 1.3 is used up by one use. */
    SSL_SESSION *copy = ticket != NULL ? SSL_SESSION_dup(ticket) : NULL;
    assert_int_equal(SSL_set_session(pair.theirs, copy), 1);
    SSL_SESSION_free(copy);
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(endpoint_write(&pair.ours, "x", 1, &count), IO_OK);
    assert_int_equal(SSL_read(pair.theirs, &byte, 1), 1);
    bool resumed = SSL_session_reused(pair.ours.ssl) == 1;
    assert_int_equal(resumed, SSL_session_reused(pair.theirs));
    (void)SSL_shutdown(pair.theirs);
    fini_pair(&pair);
    return resumed;
}

/* A ticket from a full handshake; the caller's. */
static SSL_SESSION *first_ticket(struct server *server, int version)
{
    SSL_SESSION_free(given);
    given = NULL;
    assert_false(visit(server, version, &usual, NULL));
    assert_non_null(given);
    SSL_SESSION *ticket = given;
    given = NULL;
    return ticket;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void S1_a_device_that_comes_back_resumes_with_any_worker(void **state)
{
    (void)state;
    struct ticket_secret secret;
    struct server workers[2];
    assert_true(ticket_secret_make(&secret));
    init_server(&workers[0], &secret, 0);
    init_server(&workers[1], &secret, 0);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *ticket = first_ticket(&workers[0], versions[i]);
        assert_int_equal(SSL_SESSION_get_max_early_data(ticket), 0);
        assert_true(visit(&workers[0], versions[i], &usual, ticket));
        assert_true(visit(&workers[1], versions[i], &usual, ticket));
        SSL_SESSION_free(ticket);
    }
    fini_server(&workers[0]);
    fini_server(&workers[1]);
}

/* RFC 8446, appendix C.4: who used the last one would have none left. */
static void S1_a_ticket_of_TLS_1_3_that_was_used_is_replaced(void **state)
{
    (void)state;
    struct ticket_secret secret;
    struct server server;
    assert_true(ticket_secret_make(&secret));
    init_server(&server, &secret, 0);
    SSL_SESSION *ticket = first_ticket(&server, TLS1_3_VERSION);
    for (int i = 0; i < 5; i++) {
        assert_true(visit(&server, TLS1_3_VERSION, &usual, ticket));
        SSL_SESSION_free(ticket);
        ticket = given;
        given = NULL;
        assert_non_null(ticket);
    }
    SSL_SESSION_free(ticket);
    fini_server(&server);
}

static void each_handshake_gives_one_ticket(void **state)
{
    (void)state;
    struct ticket_secret secret;
    struct server server;
    assert_true(ticket_secret_make(&secret));
    init_server(&server, &secret, 0);
    given_count = 0;
    SSL_SESSION *ticket = first_ticket(&server, TLS1_3_VERSION);
    assert_int_equal(given_count, 1);
    assert_true(visit(&server, TLS1_3_VERSION, &usual, ticket));
    assert_int_equal(given_count, 2);
    SSL_SESSION_free(ticket);
    fini_server(&server);
}

static void S1_whatever_has_changed_leads_to_a_full_handshake(void **state)
{
    (void)state;
    static const struct visit others[] = {
        {"10.0.0.8:50012", "192.0.2.1:443", "a.test", "aa", 1},
        {"10.0.0.7:50012", "192.0.2.2:443", "a.test", "aa", 1},
        {"10.0.0.7:50012", "192.0.2.1:444", "a.test", "aa", 1},
        {"10.0.0.7:50012", "192.0.2.1:443", "b.test", "aa", 1},
        {"10.0.0.7:50012", "192.0.2.1:443", NULL, "aa", 1},
        {"10.0.0.7:50012", "192.0.2.1:443", "a.test", "bb", 1},
        {"10.0.0.7:50012", "192.0.2.1:443", "a.test", "aa", 2},
    };
    static const struct visit other_port = {"10.0.0.7:9", "192.0.2.1:443", "a.test", "aa", 1};
    struct ticket_secret secret;
    struct server server;
    assert_true(ticket_secret_make(&secret));
    init_server(&server, &secret, 0);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *ticket = first_ticket(&server, versions[i]);
        for (size_t j = 0; j < ARRAY_SIZE(others); j++)
            assert_false(visit(&server, versions[i], &others[j], ticket));
        assert_true(visit(&server, versions[i], &other_port, ticket));
        SSL_SESSION_free(ticket);
    }
    fini_server(&server);
}

static void S4_a_ticket_dies_with_the_policy(void **state)
{
    (void)state;
    struct ticket_secret secrets[2];
    struct server before, after;
    assert_true(ticket_secret_make(&secrets[0]) && ticket_secret_make(&secrets[1]));
    init_server(&before, &secrets[0], 0);
    init_server(&after, &secrets[1], 0);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *ticket = first_ticket(&before, versions[i]);
        assert_false(visit(&after, versions[i], &usual, ticket));
        SSL_SESSION_free(ticket);
    }
    fini_server(&before);
    fini_server(&after);
}

static void S4_a_key_is_accepted_for_half_a_day_after_its_time_and_then_wiped(void **state)
{
    (void)state;
    static const struct {
        uint64_t age;
        bool accepted;
    } cases[] = {{TICKET_KEY_TIME - 60000, true},
                 {TICKET_KEY_TIME, true},
                 {2 * TICKET_KEY_TIME - 60000, true},
                 {2 * TICKET_KEY_TIME, false},
                 {9 * TICKET_KEY_TIME, false}};
    struct ticket_secret secret;
    struct server young;
    assert_true(ticket_secret_make(&secret));
    secret.made -= 1000; /* the clock goes on meanwhile */
    init_server(&young, &secret, 0);
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *ticket = first_ticket(&young, versions[i]);
        for (size_t j = 0; j < ARRAY_SIZE(cases); j++) {
            struct server old;
            init_server(&old, &secret, cases[j].age);
            assert_int_equal(visit(&old, versions[i], &usual, ticket), cases[j].accepted);
            if (cases[j].age >= 2 * TICKET_KEY_TIME) {
                const struct ticket_key *first = &young.tickets.current;
                assert_memory_not_equal(&old.tickets.current, first, sizeof(*first));
                assert_memory_not_equal(&old.tickets.previous, first, sizeof(*first));
            }
            fini_server(&old);
        }
        SSL_SESSION_free(ticket);
    }
    fini_server(&young);
}

static void S4_what_is_not_needed_any_more_is_wiped(void **state)
{
    (void)state;
    static const unsigned char zeros[sizeof(struct tickets)];
    struct ticket_secret secret;
    struct server server;
    assert_true(ticket_secret_make(&secret));
    init_server(&server, &secret, 0);
    assert_memory_not_equal(server.tickets.chain, secret.bytes, sizeof(secret.bytes));
    fini_server(&server);
    assert_memory_equal(&server.tickets, zeros, sizeof(server.tickets));
    ticket_secret_wipe(&secret);
    assert_memory_equal(&secret, zeros, sizeof(secret));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S1_a_device_that_comes_back_resumes_with_any_worker),
        cmocka_unit_test(S1_a_ticket_of_TLS_1_3_that_was_used_is_replaced),
        cmocka_unit_test(each_handshake_gives_one_ticket),
        cmocka_unit_test(S1_whatever_has_changed_leads_to_a_full_handshake),
        cmocka_unit_test(S4_a_ticket_dies_with_the_policy),
        cmocka_unit_test(S4_a_key_is_accepted_for_half_a_day_after_its_time_and_then_wiped),
        cmocka_unit_test(S4_what_is_not_needed_any_more_is_wiped),
    };
    ignore_broken_pipes();
    return cmocka_run_group_tests_name("tls/tickets", tests, make_device, drop_device);
}
