/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/relay.h"

#include "pairs.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>

#include <cmocka.h>

/* One side: our endpoint, and the peer that it talks to. */
struct side {
    struct pair pair;
    struct endpoint endpoint;
    SSL *peer; /* NULL without TLS */
};

struct stage {
    struct side device, origin;
    struct slab buffers;
    struct relay_space space;
    struct relay relay;
};

/* ---- TLS peers ---- */

static SSL_CTX *client_context, *server_context;

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
                                     -1, 0) == 1);
    X509_set_issuer_name(certificate, name);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

/* The modes are those of tls/context.c: a relay does not hold still between two tries. */
static SSL_CTX *make_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    CHECK(context != NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

static int make_contexts(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    CHECK(key != NULL);
    X509 *certificate = self_signed(key);
    client_context = make_context(TLS_client_method());
    server_context = make_context(TLS_server_method());
    CHECK(SSL_CTX_use_certificate(server_context, certificate) == 1);
    CHECK(SSL_CTX_use_PrivateKey(server_context, key) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

static int drop_contexts(void **state)
{
    (void)state;
    SSL_CTX_free(client_context);
    SSL_CTX_free(server_context);
    return 0;
}

/* Until both are done, one after the other tries as far as it gets. */
static void shake_hands(struct side *side)
{
    bool ours_done = false, peer_done = false;
    for (int i = 0; i < 100 && !(ours_done && peer_done); i++) {
        peer_done = SSL_do_handshake(side->peer) == 1;
        ours_done = endpoint_handshake(&side->endpoint) == IO_OK;
    }
    CHECK(ours_done && peer_done);
}

/* We are the server if the peer is the client. */
static void start_tls(struct side *side, bool peer_is_client, int version)
{
    SSL_CTX *ours = peer_is_client ? server_context : client_context;
    side->peer = SSL_new(peer_is_client ? client_context : server_context);
    CHECK(side->peer != NULL && SSL_set_fd(side->peer, side->pair.peer) == 1);
    CHECK(SSL_set_max_proto_version(side->peer, version) == 1);
    if (peer_is_client)
        SSL_set_connect_state(side->peer);
    else
        SSL_set_accept_state(side->peer);
    CHECK(endpoint_start_tls(&side->endpoint, ours));
    shake_hands(side);
}

/* ---- the stage ---- */

static void make_side(struct side *side, bool (*make)(struct pair *pair))
{
    CHECK(make(&side->pair));
    endpoint_init(&side->endpoint, side->pair.ours);
}

static struct stage *new_stage_of(bool (*make)(struct pair *pair))
{
    struct stage *stage = calloc(1, sizeof(*stage));
    CHECK(stage != NULL);
    make_side(&stage->device, make);
    make_side(&stage->origin, make);
    slab_init(&stage->buffers, RELAY_BUFFER_SIZE, 4);
    return stage;
}

static struct stage *new_stage(void)
{
    return new_stage_of(pair_make);
}

static void init_relay(struct stage *stage)
{
    relay_init(&stage->relay, &stage->device.endpoint, &stage->origin.endpoint, &stage->buffers,
               &stage->space);
}

static int make_plain_stage(void **state)
{
    struct stage *stage = new_stage();
    init_relay(stage);
    *state = stage;
    return 0;
}

static int make_tcp_stage(void **state)
{
    struct stage *stage = new_stage_of(pair_make_tcp);
    init_relay(stage);
    *state = stage;
    return 0;
}

/* A test's initial state is the TLS version. */
static int make_tls_stage(void **state)
{
    int version = *(const int *)*state;
    struct stage *stage = new_stage();
    start_tls(&stage->device, true, version);
    start_tls(&stage->origin, false, version);
    init_relay(stage);
    *state = stage;
    return 0;
}

/* TLS with the device only. */
static int make_mixed_stage(void **state)
{
    struct stage *stage = new_stage();
    start_tls(&stage->device, true, TLS1_3_VERSION);
    init_relay(stage);
    *state = stage;
    return 0;
}

static void close_side(struct side *side)
{
    SSL_free(side->peer);
    pair_close_peer(&side->pair);
    endpoint_close(&side->endpoint, false);
}

static int drop_stage(void **state)
{
    struct stage *stage = *state;
    relay_fini(&stage->relay);
    close_side(&stage->device);
    close_side(&stage->origin);
    slab_fini(&stage->buffers);
    free(stage);
    ERR_clear_error();
    return 0;
}

/* Runs the relay as its owner does: as long as there is news of what it waits for. */
static enum relay_result pump(struct stage *stage)
{
    struct relay *relay = &stage->relay;
    enum relay_result result = relay_run(relay, true, true);
    bool device_news = true, origin_news = true;
    while (result == RELAY_AGAIN ||
           (result == RELAY_GOING &&
            pairs_have_news(stage->device.pair.ours, (short)relay_device_events(relay),
                            stage->origin.pair.ours, (short)relay_origin_events(relay),
                            &device_news, &origin_news))) {
        if (result == RELAY_AGAIN)
            device_news = origin_news = true;
        result = relay_run(relay, device_news, origin_news);
    }
    return result;
}

/* ---- what peers do ---- */

/* The number of bytes that went, 0 if none does now. */
static size_t peer_write(struct side *side, const void *bytes, size_t length)
{
    if (side->peer != NULL) {
        size_t count = 0;
        return SSL_write_ex(side->peer, bytes, length, &count) == 1 ? count : 0;
    }
    ssize_t count = send(side->pair.peer, bytes, length, MSG_NOSIGNAL);
    return count > 0 ? (size_t)count : 0;
}

static void peer_says(struct side *side, const char *text)
{
    assert_int_equal(peer_write(side, text, strlen(text)), strlen(text));
}

static size_t peer_read(struct side *side, void *bytes, size_t size)
{
    if (side->peer != NULL) {
        size_t count = 0;
        return SSL_read_ex(side->peer, bytes, size, &count) == 1 ? count : 0;
    }
    ssize_t count = recv(side->pair.peer, bytes, size, 0);
    return count > 0 ? (size_t)count : 0;
}

static void assert_peer_hears(struct side *side, const char *text)
{
    char heard[64] = "";
    size_t count = peer_read(side, heard, sizeof(heard) - 1);
    heard[count] = '\0';
    assert_string_equal(heard, text);
}

/* What a peer has heard last: nothing yet, or how the stream ended. */
enum heard { HEARD_NOTHING, HEARD_DATA, HEARD_FIN, HEARD_NOTIFY, HEARD_TRUNCATION, HEARD_ERROR };

static enum heard heard_over_tls(struct side *side, int result)
{
    switch (SSL_get_error(side->peer, result)) {
    case SSL_ERROR_NONE:
        return HEARD_DATA;
    case SSL_ERROR_WANT_READ:
        return HEARD_NOTHING;
    case SSL_ERROR_ZERO_RETURN:
        return HEARD_NOTIFY;
    default:
        break;
    }
    bool truncated = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    ERR_clear_error();
    return truncated ? HEARD_TRUNCATION : HEARD_ERROR;
}

static enum heard peer_listens(struct side *side)
{
    char byte;
    if (side->peer != NULL)
        return heard_over_tls(side, SSL_read(side->peer, &byte, 1));
    ssize_t count = recv(side->pair.peer, &byte, 1, 0);
    if (count < 0)
        return errno == EAGAIN ? HEARD_NOTHING : HEARD_ERROR;
    return count == 0 ? HEARD_FIN : HEARD_DATA;
}

/* close_notify, and FIN behind it: or, without TLS, FIN. */
static void peer_ends(struct side *side)
{
    if (side->peer != NULL)
        assert_true(SSL_shutdown(side->peer) >= 0);
    assert_int_equal(shutdown(side->pair.peer, SHUT_WR), 0);
}

static void peer_ends_without_a_word(struct side *side)
{
    assert_int_equal(shutdown(side->pair.peer, SHUT_WR), 0);
}

/* A Unix socket is reset by closing it with bytes unread. */
static void peer_resets(struct stage *stage, struct side *side, struct side *other)
{
    peer_says(other, "never read");
    assert_int_equal(pump(stage), RELAY_GOING);
    pair_close_peer(&side->pair);
}

/* One stream of bytes through the relay; each step does what can be done. */
struct stream {
    struct side *from, *to;
    uint32_t number;
    size_t sent, received, total;
};

static void send_some(struct stream *stream)
{
    unsigned char bytes[5000];
    while (stream->sent < stream->total) {
        size_t length = stream->total - stream->sent;
        length = length < sizeof(bytes) ? length : sizeof(bytes);
        pattern_fill(stream->number, stream->sent, bytes, length);
        size_t count = peer_write(stream->from, bytes, length);
        if (count == 0)
            return;
        stream->sent += count;
    }
}

static void receive_some(struct stream *stream, size_t limit)
{
    unsigned char bytes[3001];
    while (limit > 0) {
        size_t size = limit < sizeof(bytes) ? limit : sizeof(bytes);
        size_t count = peer_read(stream->to, bytes, size);
        if (count == 0)
            return;
        assert_true(pattern_matches(stream->number, stream->received, bytes, count));
        stream->received += count;
        limit -= count;
    }
}

/* Sends for as long as anything goes, while the peer behind does not read. */
static void send_until_stuck(struct stage *stage, struct stream *stream)
{
    size_t before;
    stream->total = SIZE_MAX / 2;
    do {
        before = stream->sent;
        send_some(stream);
        assert_int_equal(pump(stage), RELAY_GOING);
    } while (stream->sent > before);
    stream->total = stream->sent;
}

/* A peer may take bytes and have nothing to show for it, as long as they are not a whole record:
 * only many such turns on end are a standstill. */
#define IDLE_TURNS 100

static void receive_the_rest(struct stage *stage, struct stream *stream)
{
    for (int idle = 0; stream->received < stream->sent && idle < IDLE_TURNS; idle++) {
        size_t before = stream->received;
        receive_some(stream, SIZE_MAX);
        assert_int_equal(pump(stage), RELAY_GOING);
        if (stream->received > before)
            idle = 0;
    }
    assert_int_equal(stream->received, stream->sent);
}

/* ---- both ways ---- */

static void at_first_both_sides_are_waited_for(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(relay_device_events(&stage->relay), EPOLLIN);
    assert_int_equal(relay_origin_events(&stage->relay), EPOLLIN);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_int_equal(relay_device_events(&stage->relay), EPOLLIN);
    assert_int_equal(relay_origin_events(&stage->relay), EPOLLIN);
}

static void bytes_go_both_ways(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "request");
    peer_says(&stage->origin, "response");
    peer_says(&stage->device, "more");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "response");
    assert_peer_hears(&stage->origin, "more");
    assert_int_equal(stage->relay.up.bytes, 11);
    assert_int_equal(stage->relay.down.bytes, 8);
}

static void a_side_without_news_is_not_touched(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    peer_says(&stage->origin, "response");
    assert_int_equal(relay_run(&stage->relay, false, false), RELAY_GOING);
    assert_int_equal(pair_unread(&stage->device.pair), 7);
    assert_int_equal(relay_run(&stage->relay, false, true), RELAY_GOING);
    assert_int_equal(pair_unread(&stage->device.pair), 7);
    assert_peer_hears(&stage->device, "response");
    assert_int_equal(peer_listens(&stage->origin), HEARD_NOTHING);
}

/* At different paces, and with little room on the way. */
static void megabytes_arrive_exactly_as_they_were_sent(void **state)
{
    struct stage *stage = *state;
    struct stream up = {&stage->device, &stage->origin, 1, 0, 0, (3 << 20) + 17};
    struct stream down = {&stage->origin, &stage->device, 2, 0, 0, (2 << 20) + 1};
    pair_narrow(&stage->device.pair);
    pair_narrow(&stage->origin.pair);
    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        size_t before = up.received + down.received;
        send_some(&up);
        send_some(&down);
        assert_int_equal(pump(stage), RELAY_GOING);
        receive_some(&up, 7001);
        receive_some(&down, 40009);
        if (up.received + down.received > before)
            idle = 0;
    }
    assert_int_equal(up.received, up.total);
    assert_int_equal(down.received, down.total);
    assert_int_equal(stage->relay.up.bytes, up.total);
    assert_int_equal(stage->relay.down.bytes, down.total);
}

/* ---- back-pressure ---- */

static void who_does_not_read_stops_the_reading(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    assert_int_equal(relay_device_events(&stage->relay), 0);
    assert_int_equal(relay_origin_events(&stage->relay), EPOLLIN | EPOLLOUT);

    size_t unread = pair_unread(&stage->device.pair);
    assert_true(unread > 0);
    assert_int_equal(relay_run(&stage->relay, true, true), RELAY_GOING);
    assert_int_equal(pair_unread(&stage->device.pair), unread);
    receive_the_rest(stage, &up);
    assert_int_equal(relay_device_events(&stage->relay), EPOLLIN);
}

/* Whatever is sent, no more than one block is in our hands. */
static void no_more_is_kept_than_one_block(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    const struct relay_half *half = &stage->relay.up;
    assert_non_null(half->left);
    assert_in_range(half->left_end - half->left_start, 1, RELAY_BUFFER_SIZE);
    size_t in_our_hands = up.sent - pair_unread(&stage->device.pair) - half->bytes;
    assert_int_equal(in_our_hands, half->left_end - half->left_start);
}

static void a_block_is_held_only_while_something_waits(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    assert_int_equal(stage->buffers.spares, 0);
    receive_the_rest(stage, &up);
    assert_null(stage->relay.up.left);
    assert_int_equal(stage->buffers.spares, 1);
}

static void a_stuck_direction_does_not_hold_up_the_other(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    struct stream down = {&stage->origin, &stage->device, 2, 0, 0, 1 << 20};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    for (int idle = 0; down.received < down.total && idle < IDLE_TURNS; idle++) {
        size_t before = down.received;
        send_some(&down);
        assert_int_equal(pump(stage), RELAY_GOING);
        receive_some(&down, SIZE_MAX);
        if (down.received > before)
            idle = 0;
    }
    assert_int_equal(down.received, down.total);
    assert_int_equal(up.received, 0);
    receive_the_rest(stage, &up);
}

static void both_directions_may_be_stuck_at_once(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    struct stream down = {.from = &stage->origin, .to = &stage->device, .number = 2};
    pair_narrow(&stage->origin.pair);
    pair_narrow(&stage->device.pair);
    send_until_stuck(stage, &up);
    send_until_stuck(stage, &down);
    assert_int_equal(relay_device_events(&stage->relay), EPOLLOUT);
    assert_int_equal(relay_origin_events(&stage->relay), EPOLLOUT);
    receive_the_rest(stage, &down);
    receive_the_rest(stage, &up);
}

/* LeakSanitizer would tell. */
static void what_waits_is_freed_with_the_relay(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    relay_fini(&stage->relay);
    assert_null(stage->relay.up.left);
    assert_int_equal(stage->buffers.spares, 1);
}

/* A record is a read; after some of them, others have their turn. Not one is forgotten. */
static void a_busy_side_is_cut_short_and_asked_again(void **state)
{
    struct stage *stage = *state;
    char heard[101];
    size_t count = 0;
    for (int i = 0; i < 100; i++)
        peer_says(&stage->device, "x");
    assert_int_equal(relay_run(&stage->relay, true, false), RELAY_AGAIN);
    assert_in_range(stage->relay.up.bytes, 1, 99);
    assert_int_equal(relay_device_events(&stage->relay), EPOLLIN);
    assert_int_equal(pump(stage), RELAY_GOING);
    while (count < sizeof(heard) && peer_listens(&stage->origin) == HEARD_DATA)
        count++;
    assert_int_equal(count, 100);
}

/* ---- endings ---- */

/* Takes out every "-", and keeps what comes behind the last space. */
static size_t keep_last_word(void *context, unsigned char *bytes, size_t length, size_t *kept)
{
    size_t out = 0, word = 0;
    (*(unsigned *)context)++;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '-')
            bytes[out++] = bytes[i];
        if (bytes[i] == ' ')
            word = out;
    }
    *kept = out - word;
    return word;
}

static void a_filter_takes_bytes_out_and_keeps_some_for_later(void **state)
{
    struct stage *stage = *state;
    unsigned calls = 0;
    stage->relay.down.filter = (struct relay_filter){.run = keep_last_word, .context = &calls};
    peer_says(&stage->device, "not-filtered");
    peer_says(&stage->origin, "one-two thr");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "not-filtered");
    assert_peer_hears(&stage->device, "onetwo ");
    peer_says(&stage->origin, "ee- fo");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "three ");
    assert_int_equal(calls, 2);
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "fo"); /* nothing comes behind it */
    assert_int_equal(peer_listens(&stage->device), HEARD_FIN);
}

static void what_a_filter_keeps_is_freed_with_the_relay(void **state)
{
    struct stage *stage = *state;
    unsigned calls = 0;
    stage->relay.up.filter = (struct relay_filter){.run = keep_last_word, .context = &calls};
    peer_says(&stage->device, "one two");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "one ");
    assert_non_null(stage->relay.up.kept);
}

/* What a tap has seen, by direction; '.' stands for an end. */
struct seen {
    char text[2][64];
};

static void see(void *context, bool up, const unsigned char *bytes, size_t length)
{
    struct seen *seen = context;
    strncat(seen->text[up ? 1 : 0], (const char *)bytes, length);
}

static void see_end(void *context, bool up)
{
    struct seen *seen = context;
    strcat(seen->text[up ? 1 : 0], ".");
}

static void a_tap_sees_each_byte_once_as_it_came(void **state)
{
    struct stage *stage = *state;
    struct seen seen = {{"", ""}};
    unsigned calls = 0;
    stage->relay.down.filter = (struct relay_filter){.run = keep_last_word, .context = &calls};
    stage->relay.tap = (struct relay_tap){.read = see, .end = see_end, .context = &seen};
    peer_says(&stage->device, "request");
    peer_says(&stage->origin, "one-two thr");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "onetwo ");
    peer_says(&stage->origin, "ee- fo");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "three ");
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_string_equal(seen.text[1], "request");
    assert_string_equal(seen.text[0], "one-two three- fo.");
}

static void a_tap_hears_of_no_end_that_was_cut_off(void **state)
{
    struct stage *stage = *state;
    struct seen seen = {{"", ""}};
    stage->relay.tap = (struct relay_tap){.read = see, .end = see_end, .context = &seen};
    peer_says(&stage->origin, "half");
    peer_ends_without_a_word(&stage->origin);
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), RELAY_DONE);
    assert_string_equal(seen.text[0], "half");
    assert_string_equal(seen.text[1], ".");
}

static void a_half_close_is_passed_on_and_the_other_way_stays_open(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "request");
    assert_int_equal(peer_listens(&stage->origin), HEARD_FIN);
    assert_int_equal(relay_device_events(&stage->relay), 0);
    assert_int_equal(relay_origin_events(&stage->relay), EPOLLIN);

    peer_says(&stage->origin, "response");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "response");
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_DONE);
    assert_int_equal(peer_listens(&stage->device), HEARD_FIN);
    assert_true(stage->relay.device_first);
}

static void the_origin_may_end_first(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->origin, "banner");
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "banner");
    assert_int_equal(peer_listens(&stage->device), HEARD_FIN);
    peer_says(&stage->device, "late");
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), RELAY_DONE);
    assert_peer_hears(&stage->origin, "late");
    assert_int_equal(peer_listens(&stage->origin), HEARD_FIN);
    assert_false(stage->relay.device_first);
}

static void both_may_end_at_once(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "bye");
    peer_says(&stage->origin, "goodbye");
    peer_ends(&stage->device);
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_DONE);
    assert_peer_hears(&stage->origin, "bye");
    assert_peer_hears(&stage->device, "goodbye");
}

static void the_end_comes_after_everything_that_waits(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    assert_int_equal(shutdown(stage->device.pair.peer, SHUT_WR), 0);
    assert_int_equal(pump(stage), RELAY_GOING);
    receive_the_rest(stage, &up);
    assert_int_equal(peer_listens(&stage->origin), HEARD_FIN);
}

static void a_device_that_resets_is_an_error_of_the_device(void **state)
{
    struct stage *stage = *state;
    peer_resets(stage, &stage->device, &stage->origin);
    assert_int_equal(pump(stage), RELAY_DEVICE_ERROR);
}

static void an_origin_that_resets_is_an_error_of_the_origin(void **state)
{
    struct stage *stage = *state;
    peer_resets(stage, &stage->origin, &stage->device);
    assert_int_equal(pump(stage), RELAY_ORIGIN_ERROR);
}

/* First it ended, which is no error; then there is nobody to write to. */
static void writing_to_an_origin_that_is_gone_is_its_error(void **state)
{
    struct stage *stage = *state;
    pair_close_peer(&stage->origin.pair);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_int_equal(peer_listens(&stage->device), HEARD_FIN);
    peer_says(&stage->device, "anybody there?");
    assert_int_equal(pump(stage), RELAY_ORIGIN_ERROR);
}

static void writing_to_a_device_that_is_gone_is_its_error(void **state)
{
    struct stage *stage = *state;
    pair_close_peer(&stage->device.pair);
    assert_int_equal(pump(stage), RELAY_GOING);
    peer_says(&stage->origin, "anybody there?");
    assert_int_equal(pump(stage), RELAY_DEVICE_ERROR);
}

static void a_peer_that_goes_while_bytes_wait_for_it_is_an_error(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    pair_close_peer(&stage->origin.pair);
    assert_int_equal(pump(stage), RELAY_ORIGIN_ERROR);
}

/* As servers do that refuse an upload: the reset overtakes nothing that was sent before it, but all
 * that they did not read is an error for whoever still sends. */
static void an_early_answer_arrives_though_a_reset_follows_it(void **state)
{
    struct stage *stage = *state;
    struct stream up = {.from = &stage->device, .to = &stage->origin, .number = 1};
    pair_narrow(&stage->origin.pair);
    send_until_stuck(stage, &up);
    assert_int_not_equal(relay_origin_events(&stage->relay) & EPOLLOUT, 0);
    peer_says(&stage->origin, "413 Too Large");
    pair_close_peer(&stage->origin.pair);
    assert_true(comes_in_time(stage->origin.pair.ours, POLLHUP));
    assert_int_equal(pump(stage), RELAY_ORIGIN_ERROR);
    assert_true(comes_in_time(stage->device.pair.peer, POLLIN));
    assert_peer_hears(&stage->device, "413 Too Large");
    assert_int_equal(stage->relay.down.bytes, strlen("413 Too Large"));
}

/* No machine has a block of this size. */
static void no_memory_for_what_waits_is_told(void **state)
{
    struct stage *stage = *state;
    struct stream up = {&stage->device, &stage->origin, 1, 0, 0, 100000};
    slab_init(&stage->buffers, (size_t)1 << 60, 4);
    pair_narrow(&stage->origin.pair);
    send_some(&up);
    assert_int_equal(pump(stage), RELAY_NO_MEMORY);
}

/* ---- TLS ---- */

static void close_notify_is_passed_on_as_close_notify(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "request");
    assert_int_equal(peer_listens(&stage->origin), HEARD_NOTIFY);

    peer_says(&stage->origin, "response");
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_DONE);
    assert_peer_hears(&stage->device, "response");
    assert_int_equal(peer_listens(&stage->device), HEARD_NOTIFY);
}

/* RFC 8446, section 6.1: the FIN need not follow. */
static void close_notify_alone_ends_the_stream(void **state)
{
    struct stage *stage = *state;
    assert_true(SSL_shutdown(stage->origin.peer) >= 0);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_int_equal(peer_listens(&stage->device), HEARD_NOTIFY);
    peer_says(&stage->device, "still here");
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "still here");
}

static void a_missing_close_notify_is_passed_on_as_missing(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "request");
    peer_ends_without_a_word(&stage->device);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "request");
    assert_int_equal(peer_listens(&stage->origin), HEARD_TRUNCATION);
    assert_int_equal(SSL_get_shutdown(stage->origin.peer) & SSL_RECEIVED_SHUTDOWN, 0);
}

static void an_answer_that_is_cut_short_is_still_passed_on(void **state)
{
    struct stage *stage = *state;
    peer_ends(&stage->device);
    peer_says(&stage->origin, "resp");
    peer_ends_without_a_word(&stage->origin);
    assert_int_equal(pump(stage), RELAY_DONE);
    assert_peer_hears(&stage->device, "resp");
    assert_int_equal(peer_listens(&stage->device), HEARD_TRUNCATION);
    assert_int_equal(peer_listens(&stage->origin), HEARD_NOTIFY);
}

static void close_notify_comes_after_everything_that_waits(void **state)
{
    struct stage *stage = *state;
    struct stream down = {&stage->origin, &stage->device, 2, 0, 0, 100000};
    pair_narrow(&stage->device.pair);
    send_some(&down);
    assert_int_equal(down.sent, down.total);
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_true(stage->relay.down.left != NULL || stage->device.endpoint.outgoing.unsent != NULL);
    receive_the_rest(stage, &down);
    assert_int_equal(peer_listens(&stage->device), HEARD_NOTIFY);
}

static void send_garbage(struct side *side)
{
    static const unsigned char record[] = {23, 3, 3, 0, 32, 'n', 'o', 't', ' ', 'e', 'n', 'c'};
    unsigned char bytes[5 + 32] = {0};
    memcpy(bytes, record, sizeof(record));
    assert_int_equal(send(side->pair.peer, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
}

static void broken_tls_of_the_device_is_an_error_of_the_device(void **state)
{
    struct stage *stage = *state;
    send_garbage(&stage->device);
    assert_int_equal(pump(stage), RELAY_DEVICE_ERROR);
    assert_true(strlen(stage->device.endpoint.failure) > 0);
    assert_string_equal(stage->origin.endpoint.failure, "");
}

static void broken_tls_of_the_origin_is_an_error_of_the_origin(void **state)
{
    struct stage *stage = *state;
    send_garbage(&stage->origin);
    assert_int_equal(pump(stage), RELAY_ORIGIN_ERROR);
    assert_true(strlen(stage->origin.endpoint.failure) > 0);
    assert_string_equal(stage->device.endpoint.failure, "");
}

static void a_fin_without_tls_becomes_a_close_notify(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->origin, "plain");
    peer_ends(&stage->origin);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->device, "plain");
    assert_int_equal(peer_listens(&stage->device), HEARD_NOTIFY);
}

static void a_close_notify_becomes_a_fin_without_tls(void **state)
{
    struct stage *stage = *state;
    peer_says(&stage->device, "secret");
    peer_ends(&stage->device);
    assert_int_equal(pump(stage), RELAY_GOING);
    assert_peer_hears(&stage->origin, "secret");
    assert_int_equal(peer_listens(&stage->origin), HEARD_FIN);
}

/* ---- all of them ---- */

/* A sanitizer would rather end the program than refuse memory. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static int tls_1_2 = TLS1_2_VERSION, tls_1_3 = TLS1_3_VERSION;

#define plain(test) cmocka_unit_test_setup_teardown(test, make_plain_stage, drop_stage)
#define tcp(test) cmocka_unit_test_setup_teardown(test, make_tcp_stage, drop_stage)
#define mixed(test) cmocka_unit_test_setup_teardown(test, make_mixed_stage, drop_stage)
#define tls(test, version)                                                  \
    {                                                                       \
#test " (" #version ")", test, make_tls_stage, drop_stage, &version \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        plain(at_first_both_sides_are_waited_for),
        plain(bytes_go_both_ways),
        plain(a_side_without_news_is_not_touched),
        plain(megabytes_arrive_exactly_as_they_were_sent),
        plain(who_does_not_read_stops_the_reading),
        plain(no_more_is_kept_than_one_block),
        plain(a_block_is_held_only_while_something_waits),
        plain(a_stuck_direction_does_not_hold_up_the_other),
        plain(both_directions_may_be_stuck_at_once),
        plain(what_waits_is_freed_with_the_relay),
        plain(a_filter_takes_bytes_out_and_keeps_some_for_later),
        plain(what_a_filter_keeps_is_freed_with_the_relay),
        plain(a_tap_sees_each_byte_once_as_it_came),
        tls(a_tap_sees_each_byte_once_as_it_came, tls_1_3),
        tls(a_tap_hears_of_no_end_that_was_cut_off, tls_1_3),
        plain(a_half_close_is_passed_on_and_the_other_way_stays_open),
        plain(the_origin_may_end_first),
        plain(both_may_end_at_once),
        plain(the_end_comes_after_everything_that_waits),
        plain(a_device_that_resets_is_an_error_of_the_device),
        plain(an_origin_that_resets_is_an_error_of_the_origin),
        plain(writing_to_an_origin_that_is_gone_is_its_error),
        plain(writing_to_a_device_that_is_gone_is_its_error),
        plain(a_peer_that_goes_while_bytes_wait_for_it_is_an_error),
        plain(an_early_answer_arrives_though_a_reset_follows_it),
        tcp(an_early_answer_arrives_though_a_reset_follows_it),
        plain(no_memory_for_what_waits_is_told),
        mixed(bytes_go_both_ways),
        mixed(a_fin_without_tls_becomes_a_close_notify),
        mixed(a_close_notify_becomes_a_fin_without_tls),
        tls(bytes_go_both_ways, tls_1_2),
        tls(bytes_go_both_ways, tls_1_3),
        tls(megabytes_arrive_exactly_as_they_were_sent, tls_1_2),
        tls(megabytes_arrive_exactly_as_they_were_sent, tls_1_3),
        tls(who_does_not_read_stops_the_reading, tls_1_3),
        tls(a_stuck_direction_does_not_hold_up_the_other, tls_1_3),
        tls(both_directions_may_be_stuck_at_once, tls_1_3),
        tls(a_busy_side_is_cut_short_and_asked_again, tls_1_3),
        tls(a_peer_that_goes_while_bytes_wait_for_it_is_an_error, tls_1_3),
        tls(close_notify_is_passed_on_as_close_notify, tls_1_2),
        tls(close_notify_is_passed_on_as_close_notify, tls_1_3),
        tls(close_notify_alone_ends_the_stream, tls_1_3),
        tls(a_missing_close_notify_is_passed_on_as_missing, tls_1_2),
        tls(a_missing_close_notify_is_passed_on_as_missing, tls_1_3),
        tls(an_answer_that_is_cut_short_is_still_passed_on, tls_1_3),
        tls(close_notify_comes_after_everything_that_waits, tls_1_3),
        tls(a_device_that_resets_is_an_error_of_the_device, tls_1_3),
        tls(an_origin_that_resets_is_an_error_of_the_origin, tls_1_3),
        tls(an_early_answer_arrives_though_a_reset_follows_it, tls_1_2),
        tls(an_early_answer_arrives_though_a_reset_follows_it, tls_1_3),
        tls(broken_tls_of_the_device_is_an_error_of_the_device, tls_1_2),
        tls(broken_tls_of_the_origin_is_an_error_of_the_origin, tls_1_3),
    };
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    alarm(120);
    return cmocka_run_group_tests_name("conn/relay", tests, make_contexts, drop_contexts);
}
