/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pair.h"
#include "tls/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>

/* A server's and a client's context of our own: plain OpenSSL, the endpoint is what is tested. */
static SSL_CTX *our_server, *our_client, *their_server, *their_client;

static void make_contexts(void)
{
    struct identity identity =
        make_identity(&(struct recipe){.common_name = "a.test", .names = "DNS:a.test"});
    our_server = their_server_context(&identity, NULL);
    their_server = their_server_context(&identity, NULL);
    our_client = their_client_context();
    their_client = their_client_context();
    SSL_CTX *const ours[] = {our_server, our_client};
    for (size_t i = 0; i < 2; i++)
        SSL_CTX_set_mode(ours[i],
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Nothing shall be on its way once the handshake is done. */
    assert_int_equal(SSL_CTX_set_num_tickets(our_server, 0), 1);
    assert_int_equal(SSL_CTX_set_num_tickets(their_server, 0), 1);
    free_identity(&identity);
}

/* We are the server, and the handshake is done. */
static void init_server_pair(struct pair *pair)
{
    init_tls_pair(pair, our_server, their_client);
    assert_int_equal(shake_hands(pair), IO_OK);
}

static void init_client_pair(struct pair *pair)
{
    init_tls_pair(pair, our_client, their_server);
    assert_int_equal(shake_hands(pair), IO_OK);
}

static void they_write(struct pair *pair, const char *text)
{
    int length = (int)strlen(text);
    if (pair->theirs != NULL)
        assert_int_equal(SSL_write(pair->theirs, text, length), length);
    else
        assert_int_equal(write(pair->their_fd, text, (size_t)length), length);
}

static void assert_they_read(struct pair *pair, const char *text)
{
    char buffer[64] = "";
    int length = pair->theirs != NULL ? SSL_read(pair->theirs, buffer, sizeof(buffer) - 1)
                                      : (int)read(pair->their_fd, buffer, sizeof(buffer) - 1);
    assert_int_equal(length, strlen(text));
    assert_string_equal(buffer, text);
}

static void assert_we_read(struct pair *pair, const char *text)
{
    char buffer[64] = "";
    size_t count;
    assert_int_equal(endpoint_read(&pair->ours, buffer, sizeof(buffer) - 1, &count), IO_OK);
    assert_int_equal(count, strlen(text));
    assert_string_equal(buffer, text);
}

static void we_write(struct pair *pair, const char *text)
{
    size_t count;
    assert_int_equal(endpoint_write(&pair->ours, text, strlen(text), &count), IO_OK);
    assert_int_equal(count, strlen(text));
}

static enum io read_some(struct pair *pair)
{
    char buffer[64];
    size_t count;
    return endpoint_read(&pair->ours, buffer, sizeof(buffer), &count);
}

/* ---- without TLS ---- */

static void a_new_endpoint_has_a_socket_and_nothing_else(void **state)
{
    (void)state;
    struct endpoint endpoint;
    memset(&endpoint, 0xff, sizeof(endpoint));
    endpoint_init(&endpoint, 7);
    assert_int_equal(endpoint.fd, 7);
    assert_null(endpoint.ssl);
    assert_int_equal(endpoint.alert_in, NO_ALERT);
    assert_int_equal(endpoint.alert_out, NO_ALERT);
    assert_false(endpoint.notified);
    assert_string_equal(endpoint.failure, "");
    assert_null(endpoint.alpn);
}

static void plain_bytes_go_both_ways(void **state)
{
    (void)state;
    struct pair pair;
    init_pair(&pair);
    assert_int_equal(read_some(&pair), IO_WANT_READ);
    they_write(&pair, "hello");
    assert_we_read(&pair, "hello");
    assert_int_equal(read_some(&pair), IO_WANT_READ);
    we_write(&pair, "world");
    assert_they_read(&pair, "world");
    fini_pair(&pair);
}

static void a_full_plain_socket_takes_a_part_and_then_nothing(void **state)
{
    (void)state;
    static char bytes[4 << 20];
    struct pair pair;
    init_pair(&pair);
    size_t count = 0, written = 0;
    enum io io;
    while ((io = endpoint_write(&pair.ours, bytes, sizeof(bytes), &count)) == IO_OK)
        written += count;
    assert_int_equal(io, IO_WANT_WRITE);
    assert_true(written > 0);
    ssize_t length;
    while ((length = read(pair.their_fd, bytes, sizeof(bytes))) > 0)
        written -= (size_t)length;
    assert_int_equal(written, 0);
    we_write(&pair, "again");
    assert_they_read(&pair, "again");
    fini_pair(&pair);
}

static void plain_streams_end_with_fin_and_the_other_way_stays_open(void **state)
{
    (void)state;
    struct pair pair;
    init_pair(&pair);
    they_write(&pair, "last");
    assert_int_equal(shutdown(pair.their_fd, SHUT_WR), 0);
    assert_we_read(&pair, "last");
    assert_int_equal(read_some(&pair), IO_EOF);
    assert_int_equal(read_some(&pair), IO_EOF);
    we_write(&pair, "answer");
    assert_int_equal(endpoint_shutdown(&pair.ours, true), IO_OK);
    assert_they_read(&pair, "answer");
    assert_they_read(&pair, "");
    fini_pair(&pair);
}

static void a_plain_peer_that_is_gone_is_a_reset(void **state)
{
    (void)state;
    struct pair pair;
    size_t count;
    init_pair(&pair);
    close_theirs(&pair);
    assert_int_equal(endpoint_write(&pair.ours, "x", 1, &count), IO_RESET);
    assert_int_equal(count, 0);
    fini_pair(&pair);
}

/* ---- TLS ---- */

static void tls_bytes_go_both_ways_as_server_and_as_client(void **state)
{
    (void)state;
    void (*const inits[])(struct pair * pair) = {init_server_pair, init_client_pair};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        inits[i](&pair);
        assert_int_equal(SSL_is_server(pair.ours.ssl), i == 0);
        we_write(&pair, "hello");
        assert_they_read(&pair, "hello");
        they_write(&pair, "world");
        assert_we_read(&pair, "world");
        assert_int_equal(read_some(&pair), IO_WANT_READ);
        assert_int_equal(pair.ours.alert_in, NO_ALERT);
        assert_int_equal(pair.ours.alert_out, NO_ALERT);
        fini_pair(&pair);
    }
}

/* What does not fit is there for the next read. */
static void assert_halves_are_told(struct pair *pair)
{
    char half[4];
    size_t count;
    they_write(pair, "halves");
    assert_int_equal(endpoint_read(&pair->ours, half, sizeof(half), &count), IO_OK);
    assert_false(pair->ours.drained);
    assert_we_read(pair, "es");
    assert_true(pair->ours.drained);
}

/* What OpenSSL holds, no event tells of. */
static void a_read_tells_whether_there_may_be_more(void **state)
{
    (void)state;
    struct pair pair;
    init_server_pair(&pair);
    they_write(&pair, "one");
    they_write(&pair, "two");
    assert_we_read(&pair, "one");
    assert_false(pair.ours.drained);
    assert_we_read(&pair, "two");
    assert_true(pair.ours.drained);
    assert_halves_are_told(&pair);
    fini_pair(&pair);
}

static void a_plain_read_that_fills_its_buffer_may_have_left_more(void **state)
{
    (void)state;
    struct pair pair;
    init_pair(&pair);
    assert_halves_are_told(&pair);
    fini_pair(&pair);
}

static void a_handshake_wants_to_read_while_the_peer_is_silent(void **state)
{
    (void)state;
    struct pair pair;
    init_tls_pair(&pair, our_server, their_client);
    for (int i = 0; i < 3; i++)
        assert_int_equal(endpoint_handshake(&pair.ours), IO_WANT_READ);
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(endpoint_handshake(&pair.ours), IO_OK);
    fini_pair(&pair);
}

static void an_ssl_knows_its_endpoint(void **state)
{
    (void)state;
    struct pair pair;
    init_tls_pair(&pair, our_client, their_server);
    assert_ptr_equal(endpoint_of(pair.ours.ssl), &pair.ours);
    fini_pair(&pair);
}

static void the_context_may_go_before_the_endpoint(void **state)
{
    (void)state;
    struct pair pair;
    SSL_CTX *context = their_client_context();
    init_tls_pair(&pair, context, their_server);
    SSL_CTX_free(context);
    assert_int_equal(shake_hands(&pair), IO_OK);
    fini_pair(&pair);
}

static void a_full_tls_socket_wants_to_write_and_loses_nothing(void **state)
{
    (void)state;
    enum { SIZE = 4 << 20 };
    static unsigned char bytes[SIZE], received[SIZE];
    struct pair pair;
    init_server_pair(&pair);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 255);
    size_t written = 0, read_so_far = 0;
    bool was_full = false;
    while (read_so_far < SIZE) {
        size_t count = 0;
        enum io io = IO_OK;
        while (written < SIZE && io == IO_OK) {
            io = endpoint_write(&pair.ours, bytes + written, SIZE - written, &count);
            written += io == IO_OK ? count : 0;
        }
        assert_true(io == IO_OK || io == IO_WANT_WRITE);
        was_full = was_full || io == IO_WANT_WRITE;
        while (SSL_read_ex(pair.theirs, received + read_so_far, SIZE - read_so_far, &count) == 1)
            read_so_far += count;
        ERR_clear_error();
    }
    assert_true(was_full);
    assert_memory_equal(bytes, received, SIZE);
    fini_pair(&pair);
}

/* Byte after byte, with a look at it after each. */
static void a_record_that_comes_in_pieces_is_read_when_it_is_whole(void **state)
{
    (void)state;
    void (*const inits[])(struct pair * pair) = {init_server_pair, init_client_pair};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        char *bytes;
        inits[i](&pair);
        SSL_set0_wbio(pair.theirs, BIO_new(BIO_s_mem()));
        they_write(&pair, "hello");
        long length = BIO_get_mem_data(SSL_get_wbio(pair.theirs), &bytes);
        assert_true(length > 5);
        for (long at = 0; at < length; at++) {
            assert_int_equal(read_some(&pair), IO_WANT_READ);
            assert_int_equal(write(pair.their_fd, bytes + at, 1), 1);
        }
        assert_we_read(&pair, "hello");
        fini_pair(&pair);
    }
}

/* In the context that the engine has for origins buffers are given back: a ticket, which OpenSSL
 * takes two for, is no reason to keep them. */
static void a_ticket_that_came_leaves_no_buffer_behind(void **state)
{
    (void)state;
    struct pair pair;
    SSL_CTX *context = their_client_context();
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    init_tls_pair(&pair, context, their_server);
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(read_some(&pair), IO_WANT_READ);
    size_t before = mallinfo2().uordblks;
    assert_int_equal(SSL_new_session_ticket(pair.theirs), 1);
    assert_int_equal(SSL_do_handshake(pair.theirs), 1);
    assert_int_equal(read_some(&pair), IO_WANT_READ);
    assert_non_null(SSL_get_session(pair.ours.ssl));
    assert_true(SSL_SESSION_has_ticket(SSL_get_session(pair.ours.ssl)));
    assert_true(mallinfo2().uordblks - before < SSL3_RT_MAX_PLAIN_LENGTH);
    fini_pair(&pair);
    SSL_CTX_free(context);
}

/* ---- how it ends ---- */

static void close_notify_is_an_end_and_the_other_way_stays_open(void **state)
{
    (void)state;
    struct pair pair;
    init_server_pair(&pair);
    they_write(&pair, "last");
    assert_true(SSL_shutdown(pair.theirs) >= 0);
    assert_we_read(&pair, "last");
    assert_int_equal(read_some(&pair), IO_EOF);
    assert_true(pair.ours.notified);
    assert_int_equal(read_some(&pair), IO_EOF);
    we_write(&pair, "answer");
    assert_they_read(&pair, "answer");
    /* close_notify is no failure, and not counted as one. */
    assert_int_equal(pair.ours.alert_in, NO_ALERT);
    fini_pair(&pair);
}

static void a_stream_that_ends_without_close_notify_is_truncated(void **state)
{
    (void)state;
    struct pair pair;
    init_server_pair(&pair);
    they_write(&pair, "part");
    assert_int_equal(shutdown(pair.their_fd, SHUT_WR), 0);
    assert_we_read(&pair, "part");
    assert_int_equal(read_some(&pair), IO_TRUNCATED);
    assert_false(pair.ours.notified);
    we_write(&pair, "answer"); /* all the same */
    assert_they_read(&pair, "answer");
    fini_pair(&pair);
}

static void our_end_is_close_notify_and_fin_and_we_read_on(void **state)
{
    (void)state;
    struct pair pair;
    char byte;
    init_server_pair(&pair);
    we_write(&pair, "last");
    assert_int_equal(endpoint_shutdown(&pair.ours, true), IO_OK);
    assert_they_read(&pair, "last");
    assert_int_equal(SSL_read(pair.theirs, &byte, 1), 0);
    assert_int_equal(SSL_get_error(pair.theirs, 0), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(recv(pair.their_fd, &byte, 1, 0), 0); /* FIN */
    they_write(&pair, "answer");
    assert_we_read(&pair, "answer");
    assert_int_equal(pair.ours.alert_out, NO_ALERT);
    fini_pair(&pair);
}

static void our_truncated_end_is_fin_alone(void **state)
{
    (void)state;
    struct pair pair;
    char byte;
    init_server_pair(&pair);
    we_write(&pair, "part");
    assert_int_equal(endpoint_shutdown(&pair.ours, false), IO_OK);
    they_write(&pair, "answer");
    assert_they_read(&pair, "part");
    assert_true(SSL_read(pair.theirs, &byte, 1) <= 0);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_UNEXPECTED_EOF_WHILE_READING);
    ERR_clear_error();
    assert_we_read(&pair, "answer");
    fini_pair(&pair);
}

static void a_peer_that_leaves_during_the_handshake_truncates_it(void **state)
{
    (void)state;
    struct pair pair;
    init_tls_pair(&pair, our_server, their_client);
    (void)step_theirs(&pair); /* the ClientHello */
    assert_int_equal(shutdown(pair.their_fd, SHUT_WR), 0);
    enum io io = IO_WANT_READ;
    for (int i = 0; i < ROUNDS && wants(io); i++)
        io = endpoint_handshake(&pair.ours);
    assert_int_equal(io, IO_TRUNCATED);
    assert_int_equal(pair.ours.alert_in, NO_ALERT);
    fini_pair(&pair);
}

static void a_peer_that_is_gone_is_a_reset(void **state)
{
    (void)state;
    struct pair pair;
    size_t count;
    init_server_pair(&pair);
    close_theirs(&pair);
    assert_int_equal(endpoint_write(&pair.ours, "x", 1, &count), IO_RESET);
    fini_pair(&pair);
}

/* ---- alerts ---- */

static int they_refuse(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    X509_STORE_CTX_set_error(store, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    return 0;
}

static void an_alert_that_came_is_told_by_its_number(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        init_tls_pair(&pair, our_server, their_client);
        SSL_set_max_proto_version(pair.theirs, versions[i]);
        SSL_set_verify(pair.theirs, SSL_VERIFY_PEER, they_refuse);
        assert_int_equal(shake_hands(&pair), IO_FAILED);
        assert_int_equal(pair.ours.alert_in, SSL_AD_UNKNOWN_CA);
        assert_int_equal(pair.ours.alert_out, NO_ALERT);
        assert_string_equal(pair.ours.failure, "tlsv1 alert unknown ca");
        fini_pair(&pair);
    }
}

static void an_alert_that_we_sent_is_told_by_its_number(void **state)
{
    (void)state;
    struct pair pair;
    init_tls_pair(&pair, our_server, their_client);
    SSL_set_min_proto_version(pair.ours.ssl, TLS1_3_VERSION);
    SSL_set_max_proto_version(pair.theirs, TLS1_2_VERSION);
    assert_int_equal(shake_hands(&pair), IO_FAILED);
    assert_int_equal(pair.ours.alert_out, SSL_AD_PROTOCOL_VERSION);
    assert_int_equal(pair.ours.alert_in, NO_ALERT);
    assert_string_equal(pair.ours.failure, "unsupported protocol");
    fini_pair(&pair);
}

/* In TLS 1.3 a client is done before it hears that a certificate of its own was wanted. */
static void an_alert_that_came_after_the_handshake_is_told_too(void **state)
{
    (void)state;
    struct pair pair;
    init_tls_pair(&pair, our_client, their_server);
    SSL_set_verify(pair.theirs, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(SSL_version(pair.ours.ssl), TLS1_3_VERSION);
    assert_int_equal(pair.ours.alert_in, NO_ALERT);
    assert_int_equal(read_some(&pair), IO_FAILED);
    assert_int_equal(pair.ours.alert_in, SSL_AD_CERTIFICATE_REQUIRED);
    fini_pair(&pair);
}

/* What the server's callback answers to any name. */
static int answer_to_names;

static int answer_name(SSL *ssl, int *alert, void *context)
{
    (void)ssl, (void)context;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return answer_to_names;
}

/* RFC 6066, section 3: a server may say that it does not know the name, and go on. */
static void a_warning_that_a_name_is_unknown_is_no_refusal(void **state)
{
    (void)state;
    static const struct {
        int answer, alert_in;
        enum io io;
    } cases[] = {
        {SSL_TLSEXT_ERR_ALERT_WARNING, NO_ALERT, IO_OK},
        {SSL_TLSEXT_ERR_ALERT_FATAL, SSL_AD_UNRECOGNIZED_NAME, IO_FAILED},
    };
    SSL_CTX_set_tlsext_servername_callback(their_server, answer_name);
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        answer_to_names = cases[i].answer;
        init_tls_pair(&pair, our_client, their_server);
        SSL_set_max_proto_version(pair.theirs, TLS1_2_VERSION); /* 1.3 has no such warnings */
        assert_int_equal(SSL_set_tlsext_host_name(pair.ours.ssl, "other.test"), 1);
        assert_int_equal(shake_hands(&pair), cases[i].io);
        assert_int_equal(pair.ours.alert_in, cases[i].alert_in);
        assert_int_equal(pair.ours.alert_out, NO_ALERT);
        fini_pair(&pair);
    }
    SSL_CTX_set_tlsext_servername_callback(their_server, NULL);
}

/* Each comes before the handshake's first answer, and the handshake comes to its end. */
static void of_warnings_only_those_that_say_something_are_told(void **state)
{
    (void)state;
    static const struct {
        uint8_t alert;
        int alert_in;
    } cases[] = {
        {SSL_AD_UNRECOGNIZED_NAME, NO_ALERT},
        {SSL_AD_USER_CANCELLED, NO_ALERT},
        {SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_CERTIFICATE_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint8_t record[] = {21, 3, 3, 0, 2, SSL3_AL_WARNING, cases[i].alert};
        struct pair pair;
        init_tls_pair(&pair, our_client, their_server);
        SSL_set_max_proto_version(pair.theirs, TLS1_2_VERSION);
        assert_int_equal(write(pair.their_fd, record, sizeof(record)), sizeof(record));
        assert_int_equal(shake_hands(&pair), IO_OK);
        assert_int_equal(pair.ours.alert_in, cases[i].alert_in);
        fini_pair(&pair);
    }
}

static void a_record_that_does_not_decrypt_fails_and_the_peer_is_told(void **state)
{
    (void)state;
    static const char record[] = "\x17\x03\x03\x00\x20.0123456789.0123456789.012345678";
    struct pair pair;
    char byte;
    init_server_pair(&pair);
    assert_int_equal(write(pair.their_fd, record, 37), 37);
    assert_int_equal(read_some(&pair), IO_FAILED);
    assert_int_equal(pair.ours.alert_out, SSL_AD_BAD_RECORD_MAC);
    assert_string_equal(pair.ours.failure, "decryption failed or bad record mac");
    assert_true(SSL_read(pair.theirs, &byte, 1) <= 0);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
    fini_pair(&pair);
}

static void what_is_no_tls_fails_the_handshake(void **state)
{
    (void)state;
    struct pair pair;
    init_pair(&pair);
    assert_true(endpoint_start_tls(&pair.ours, our_server));
    they_write(&pair, "GET / HTTP/1.1\r\n\r\n");
    assert_int_equal(endpoint_handshake(&pair.ours), IO_FAILED);
    assert_string_equal(pair.ours.failure, "http request");
    fini_pair(&pair);
}

/* One endpoint's failure is not found by the next one that looks. */
static void a_failure_stays_with_its_endpoint(void **state)
{
    (void)state;
    struct pair failing, other;
    init_server_pair(&other);
    init_pair(&failing);
    assert_true(endpoint_start_tls(&failing.ours, our_server));
    they_write(&failing, "GET / HTTP/1.1\r\n\r\n");
    assert_int_equal(endpoint_handshake(&failing.ours), IO_FAILED);
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); /* left by somebody */
    assert_int_equal(read_some(&other), IO_WANT_READ);
    they_write(&other, "x");
    assert_we_read(&other, "x");
    assert_string_equal(other.ours.failure, "");
    fini_pair(&failing);
    fini_pair(&other);
}

static void a_refusal_is_one_fatal_alert_in_plain_text(void **state)
{
    (void)state;
    static const uint8_t expected[] = {21, 3, 1, 0, 2, 2, SSL_AD_ACCESS_DENIED};
    struct pair pair;
    uint8_t bytes[16];
    init_pair(&pair);
    endpoint_refuse(&pair.ours, SSL_AD_ACCESS_DENIED);
    assert_int_equal(pair.ours.alert_out, SSL_AD_ACCESS_DENIED);
    assert_int_equal(read(pair.their_fd, bytes, sizeof(bytes)), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
    fini_pair(&pair);
}

static void a_refusal_is_understood_by_a_real_client(void **state)
{
    (void)state;
    struct pair pair;
    init_pair(&pair);
    pair.theirs = SSL_new(their_client);
    assert_int_equal(SSL_set_fd(pair.theirs, pair.their_fd), 1);
    assert_true(SSL_connect(pair.theirs) < 0); /* the ClientHello is sent */
    endpoint_refuse(&pair.ours, SSL_AD_UNRECOGNIZED_NAME);
    ERR_clear_error();
    assert_true(SSL_connect(pair.theirs) < 0);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_UNRECOGNIZED_NAME);
    fini_pair(&pair);
}

static void refusing_somebody_who_is_gone_does_no_harm(void **state)
{
    (void)state;
    struct pair pair;
    init_pair(&pair);
    close_theirs(&pair);
    endpoint_refuse(&pair.ours, SSL_AD_INTERNAL_ERROR);
    fini_pair(&pair);
}

/* ---- closing ---- */

static void a_closed_endpoint_has_nothing_and_may_be_closed_again(void **state)
{
    (void)state;
    struct pair pair;
    char byte;
    init_server_pair(&pair);
    endpoint_close(&pair.ours, false);
    assert_int_equal(pair.ours.fd, -1);
    assert_null(pair.ours.ssl);
    assert_int_equal(recv(pair.their_fd, &byte, 1, 0), 0);
    endpoint_close(&pair.ours, true);
    fini_pair(&pair);
}

/* Two ends of a TCP connection, over the loopback interface. */
static void connect_tcp(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, length), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    close(listener);
}

static void closing_with_a_reset_is_rst_and_without_it_fin(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct endpoint endpoint;
        int fds[2];
        char byte;
        connect_tcp(fds);
        endpoint_init(&endpoint, fds[0]);
        endpoint_close(&endpoint, reset != 0);
        errno = 0;
        assert_int_equal(recv(fds[1], &byte, 1, 0), reset != 0 ? -1 : 0);
        assert_int_equal(errno, reset != 0 ? ECONNRESET : 0);
        close(fds[1]);
    }
}

static void a_reset_that_came_is_told(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        const struct linger none = {.l_onoff = 1, .l_linger = 0};
        struct endpoint endpoint;
        int fds[2];
        char byte;
        size_t count;
        connect_tcp(fds);
        endpoint_init(&endpoint, fds[0]);
        if (tls != 0)
            assert_true(endpoint_start_tls(&endpoint, our_server));
        assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
        close(fds[1]);
        assert_int_equal(tls != 0 ? endpoint_handshake(&endpoint)
                                  : endpoint_read(&endpoint, &byte, 1, &count),
                         IO_RESET);
        endpoint_close(&endpoint, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_endpoint_has_a_socket_and_nothing_else),
        cmocka_unit_test(plain_bytes_go_both_ways),
        cmocka_unit_test(a_full_plain_socket_takes_a_part_and_then_nothing),
        cmocka_unit_test(plain_streams_end_with_fin_and_the_other_way_stays_open),
        cmocka_unit_test(a_plain_peer_that_is_gone_is_a_reset),
        cmocka_unit_test(tls_bytes_go_both_ways_as_server_and_as_client),
        cmocka_unit_test(a_read_tells_whether_there_may_be_more),
        cmocka_unit_test(a_plain_read_that_fills_its_buffer_may_have_left_more),
        cmocka_unit_test(a_handshake_wants_to_read_while_the_peer_is_silent),
        cmocka_unit_test(an_ssl_knows_its_endpoint),
        cmocka_unit_test(the_context_may_go_before_the_endpoint),
        cmocka_unit_test(a_full_tls_socket_wants_to_write_and_loses_nothing),
        cmocka_unit_test(a_record_that_comes_in_pieces_is_read_when_it_is_whole),
        cmocka_unit_test(a_ticket_that_came_leaves_no_buffer_behind),
        cmocka_unit_test(close_notify_is_an_end_and_the_other_way_stays_open),
        cmocka_unit_test(a_stream_that_ends_without_close_notify_is_truncated),
        cmocka_unit_test(our_end_is_close_notify_and_fin_and_we_read_on),
        cmocka_unit_test(our_truncated_end_is_fin_alone),
        cmocka_unit_test(a_peer_that_leaves_during_the_handshake_truncates_it),
        cmocka_unit_test(a_peer_that_is_gone_is_a_reset),
        cmocka_unit_test(an_alert_that_came_is_told_by_its_number),
        cmocka_unit_test(an_alert_that_we_sent_is_told_by_its_number),
        cmocka_unit_test(an_alert_that_came_after_the_handshake_is_told_too),
        cmocka_unit_test(a_warning_that_a_name_is_unknown_is_no_refusal),
        cmocka_unit_test(of_warnings_only_those_that_say_something_are_told),
        cmocka_unit_test(a_record_that_does_not_decrypt_fails_and_the_peer_is_told),
        cmocka_unit_test(what_is_no_tls_fails_the_handshake),
        cmocka_unit_test(a_failure_stays_with_its_endpoint),
        cmocka_unit_test(a_refusal_is_one_fatal_alert_in_plain_text),
        cmocka_unit_test(a_refusal_is_understood_by_a_real_client),
        cmocka_unit_test(refusing_somebody_who_is_gone_does_no_harm),
        cmocka_unit_test(a_closed_endpoint_has_nothing_and_may_be_closed_again),
        cmocka_unit_test(closing_with_a_reset_is_rst_and_without_it_fin),
        cmocka_unit_test(a_reset_that_came_is_told),
    };
    ignore_broken_pipes();
    make_contexts();
    return cmocka_run_group_tests_name("tls/endpoint", tests, NULL, NULL);
}
