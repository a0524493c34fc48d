/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A function that may end the connection is the last thing that its caller does with it. */
#include "conn/conn.h"

#include "conn/dial.h"
#include "conn/notes.h"
#include "conn/worker.h"
#include "core/log.h"
#include "event/eve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* TLS alerts (RFC 8446, section 6) that we say ourselves. */
enum { ALERT_HANDSHAKE_FAILURE = 40, ALERT_ACCESS_DENIED = 49, ALERT_PROTOCOL_VERSION = 70 };
enum { ALERT_INTERNAL_ERROR = 80 };

/* What a state does; the table stands at the end. */
struct state {
    const char *name;
    void (*enter)(struct conn *conn);
    void (*device_ready)(struct conn *conn, uint32_t events);
    void (*origin_ready)(struct conn *conn, uint32_t events);
    void (*expired)(struct conn *conn);
};
static const struct state states[CONN_STATES];

static void conn_enter(struct conn *conn, enum conn_state state)
{
    timer_stop(&conn->timer);
    conn->state = state;
    states[state].enter(conn);
}

static void device_ready(struct watch *watch, uint32_t events)
{
    struct conn *conn = container_of(watch, struct conn, device.watch);
    states[conn->state].device_ready(conn, events);
}

static void origin_ready(struct watch *watch, uint32_t events)
{
    struct conn *conn = container_of(watch, struct conn, origin.watch);
    states[conn->state].origin_ready(conn, events);
}

static void timer_fired(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, timer);
    states[conn->state].expired(conn);
}

/* What is wanted from either side from now on; 0: only to hear that it is gone. */
static void set_events(struct conn *conn, uint32_t device, uint32_t origin)
{
    loop_change(&conn->worker->loop, &conn->device.watch, device);
    if (conn->origin.watch.fd >= 0)
        loop_change(&conn->worker->loop, &conn->origin.watch, origin);
}

static void set_timer(struct conn *conn, struct timeout_class *class)
{
    timer_start(&conn->timer, class, conn->worker->loop.now, timer_fired);
}

static uint32_t events_for(enum io io)
{
    return io == IO_WANT_READ ? EPOLLIN : EPOLLOUT;
}

/* ---- the end ---- */

static void log_end(const struct conn *conn, enum ending ending)
{
    char device[ADDRESS_TEXT_SIZE], origin[ADDRESS_TEXT_SIZE], detail[160] = "";
    const struct endpoint *origin_end = &conn->origin.endpoint;
    const struct endpoint *device_end = &conn->device.endpoint;
    if (!log_shows(LOG_LEVEL_VERBOSE))
        return;
    if (ending == ENDING_DEVICE_ALERT)
        snprintf(detail, sizeof(detail), " (alert %d, %s)", device_end->alert_in,
                 SSL_alert_desc_string_long(device_end->alert_in));
    else if (ending == ENDING_ORIGIN_ALERT)
        snprintf(detail, sizeof(detail), " (alert %d, %s)", origin_end->alert_in,
                 SSL_alert_desc_string_long(origin_end->alert_in));
    else if (ending == ENDING_DEVICE_TLS)
        snprintf(detail, sizeof(detail), " (%s)", device_end->failure);
    else if (ending == ENDING_ORIGIN_TLS)
        snprintf(detail, sizeof(detail), " (%s)", origin_end->failure);
    else if (ending == ENDING_ORIGIN_UNVERIFIED)
        snprintf(detail, sizeof(detail), " (%s)", verify_text(&conn->verify));
    log_verbose("clientdisconnect %s from %s: %s%s", address_text(&conn->flow.device, device),
                address_text(&conn->flow.origin, origin), ending_sentence(ending), detail);
}

static void tell_tls(struct conn *conn)
{
    if (conn->flow.hello_read && !conn->tls_told)
        eve_write(conn->worker->options.feed, EVE_TLS, &conn->record);
    conn->tls_told = true;
}

static void count_end(struct conn *conn)
{
    struct worker_counters *counters = &conn->worker->counters;
    if (conn->state != CONN_RELAY && conn->state != CONN_SPLICE)
        counter_add(&counters->failed, 1);
}

static void close_side(struct conn *conn, struct conn_side *side, bool reset)
{
    loop_remove(&conn->worker->loop, &side->watch);
    endpoint_close(&side->endpoint, reset);
}

/* Ends the connection and frees it. With `reset` both sides see RST, otherwise FIN. */
static void conn_end(struct conn *conn, enum ending ending, bool reset)
{
    count_end(conn);
    if (conn->record.ending == ENDING_NONE)
        notes_end(conn, ending);
    tell_tls(conn);
    eve_write(conn->worker->options.feed, EVE_FLOW, &conn->record);
    log_end(conn, conn->record.ending);
    timer_stop(&conn->timer);
    if (conn->state == CONN_RELAY)
        relay_fini(&conn->through.relay);
    if (conn->state == CONN_SPLICE)
        splice_fini(&conn->through.splice);
    close_side(conn, &conn->device, reset);
    close_side(conn, &conn->origin, reset);
    leaf_unref(conn->leaf);
    policy_view_unref(conn->view);
    arena_fini(&conn->arena);
    worker_forget(conn->worker, conn);
}

void conn_abort(struct conn *conn, enum ending ending)
{
    conn_end(conn, ending, true);
}

/* Ends with a last word to the device: an alert, or, with NO_ALERT, just FIN. */
static void conn_refuse(struct conn *conn, enum ending ending, int alert)
{
    if (alert != NO_ALERT)
        endpoint_refuse(&conn->device.endpoint, (uint8_t)alert);
    notes_end(conn, ending);
    conn_enter(conn, CONN_LINGER);
}

/* What is still unread would turn our FIN into RST, and that would take the alert with it. */
static void enter_linger(struct conn *conn)
{
    close_side(conn, &conn->origin, false);
    (void)endpoint_shutdown(&conn->device.endpoint, false);
    set_timer(conn, &conn->worker->linger_time);
    set_events(conn, EPOLLIN, 0);
}

static void linger_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    int fd = conn->device.endpoint.fd;
    ssize_t length = recv(fd, conn->worker->relayed, sizeof(conn->worker->relayed), 0);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
        conn_end(conn, conn->record.ending, false);
}

static void linger_expired(struct conn *conn)
{
    conn_end(conn, conn->record.ending, false);
}

/* ---- passing on what is not ours to read ---- */

static void teach_kernel(struct conn *conn)
{
    struct decided decided = {.origin = conn->flow.origin, .verdict = VERDICT_PASS};
    if (!conn->worker->options.teach_kernel || !conn->decision.by_destination)
        return;
    admission_comment(&conn->decision, decided.comment);
    decided.protocol = IPPROTO_TCP;
    gate_remember(conn->worker->options.gate, &decided);
    decided.protocol = IPPROTO_UDP;
    gate_remember(conn->worker->options.gate, &decided);
}

static void start_splice(struct conn *conn)
{
    if (splice_init(&conn->through.splice, conn->device.endpoint.fd, conn->origin.endpoint.fd,
                    &conn->worker->pipes)) {
        conn_enter(conn, CONN_SPLICE);
        return;
    }
    worker_is_full(conn->worker);
    conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
}

static void conn_pass(struct conn *conn, const struct decision *decision)
{
    notes_decision(conn, decision, "passthrough");
    admission_log_ignored(&conn->flow, decision);
    eve_write(conn->worker->options.feed, EVE_INTERCEPT, &conn->record);
    tell_tls(conn);
    teach_kernel(conn);
    if (conn->origin_connected)
        start_splice(conn);
    else
        conn_enter(conn, CONN_PASS_DIAL);
}

static void pass_as_not_tls(struct conn *conn)
{
    struct decision decision = {.verdict = VERDICT_PASS, .reason = REASON_NOT_TLS};
    conn_pass(conn, &decision);
}

/* ---- TCP to the origin ---- */

static enum ending ending_for(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return ENDING_ORIGIN_REFUSED;
    case ETIMEDOUT:
        return ENDING_ORIGIN_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
        return ENDING_ORIGIN_RESET;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return ENDING_OUT_OF_RESOURCES;
    default:
        return ENDING_ORIGIN_UNREACHABLE;
    }
}

/* The line that a user reads to find out what to ignore, with the pattern ready to use. */
static void log_serverconnect(const struct address *origin)
{
    char text[ADDRESS_TEXT_SIZE], ip[INET6_ADDRSTRLEN], escaped[2 * INET6_ADDRSTRLEN];
    size_t at = 0;
    if (!log_shows(LOG_LEVEL_VERBOSE))
        return;
    for (const char *c = address_ip_text(origin, ip); *c != '\0'; c++) {
        if (*c == '.')
            escaped[at++] = '\\';
        escaped[at++] = *c;
    }
    escaped[at] = '\0';
    log_verbose("serverconnect -> %s   (to ignore it: --ignore '^%s:%u$')",
                address_text(origin, text), escaped, (unsigned)origin->port);
}

/* Starts connecting, unless that was done before. False if the connection has ended over it. */
static bool start_dial(struct conn *conn)
{
    struct worker *worker = conn->worker;
    set_timer(conn, &worker->dial_time);
    if (conn->origin.endpoint.fd >= 0)
        return true;
    log_serverconnect(&conn->flow.origin);
    int fd =
        dial_start(&conn->flow.origin, worker->options.source_device ? &conn->flow.device : NULL);
    int error = errno;
    if (fd >= 0) {
        endpoint_init(&conn->origin.endpoint, fd);
        if (loop_add(&worker->loop, &conn->origin.watch, fd, EPOLLOUT, origin_ready))
            return true;
        error = errno;
    }
    if (ending_for(error) == ENDING_OUT_OF_RESOURCES)
        worker_is_full(worker);
    conn_end(conn, ending_for(error), true);
    return false;
}

/* False if the origin could not be reached, and the connection has ended over it: the device sees
 * RST, as it would have seen on its SYN. */
static bool finish_dial(struct conn *conn)
{
    int error = dial_result(conn->origin.endpoint.fd);
    if (error != 0) {
        conn_end(conn, ending_for(error), true);
        return false;
    }
    conn->origin_connected = true;
    return true;
}

static void dial_expired(struct conn *conn)
{
    conn_end(conn, ENDING_ORIGIN_TIMEOUT, true);
}

/* Nothing is wanted from the device while the origin is dialled, so this can only be its end. Half
 * of an end (EPOLLRDHUP) is only asked for where TLS is to follow: no client closes before its
 * handshake. */
static void device_gone(struct conn *conn, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0)
        conn_end(conn, ENDING_DEVICE_GONE, true);
}

static void enter_dial(struct conn *conn)
{
    if (conn->origin_connected) {
        conn_enter(conn, CONN_UPSTREAM);
        return;
    }
    if (start_dial(conn))
        set_events(conn, EPOLLRDHUP, EPOLLOUT);
}

static void dial_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    if (finish_dial(conn))
        conn_enter(conn, CONN_UPSTREAM);
}

static void enter_pass_dial(struct conn *conn)
{
    if (start_dial(conn))
        set_events(conn, 0, EPOLLOUT);
}

static void pass_dial_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    if (finish_dial(conn))
        start_splice(conn);
}

/* ---- the device's first bytes ---- */

/* epoll(7) then tells of them once so many are there: a ClientHello in a thousand pieces costs two
 * wake-ups. */
static void want_bytes(struct conn *conn, size_t count)
{
    int mark = (int)count;
    (void)setsockopt(conn->device.endpoint.fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark));
}

static void decide_by_hello(struct conn *conn, const struct hello *hello)
{
    notes_hello(conn, hello);
    struct decision decision = policy_decide(conn->view, &conn->flow);
    if (decision.verdict == VERDICT_PASS) {
        conn_pass(conn, &decision);
        return;
    }
    notes_decision(conn, &decision, "intercept");
    eve_write(conn->worker->options.feed, EVE_INTERCEPT, &conn->record);
    const struct config *config = policy_config(policy_view_policy(conn->view));
    if (conn->offered_version < config->tls.min_version)
        conn_refuse(conn, ENDING_DEVICE_TLS, ALERT_PROTOCOL_VERSION);
    else
        conn_enter(conn, CONN_DIAL);
}

static void look_at_device(struct conn *conn, uint32_t events)
{
    struct worker *worker = conn->worker;
    struct hello hello;
    ssize_t length =
        recv(conn->device.endpoint.fd, worker->peeked, sizeof(worker->peeked), MSG_PEEK);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
        conn_end(conn, ENDING_DEVICE_GONE, length != 0);
        return;
    }
    if (length < 0)
        return;
    enum hello_result result = hello_parse(&hello, worker->peeked, (size_t)length, worker->message);
    if (result == HELLO_MORE && (events & (EPOLLRDHUP | EPOLLHUP)) == 0) {
        want_bytes(conn, hello.need);
        if (conn->timer.class != &worker->hello_time)
            set_timer(conn, &worker->hello_time);
        return;
    }
    want_bytes(conn, 1);
    if (result == HELLO_COMPLETE) {
        decide_by_hello(conn, &hello);
        return;
    }
    notes_protocol(conn, worker->peeked, (size_t)length, true);
    pass_as_not_tls(conn);
}

static void enter_hello(struct conn *conn)
{
    set_timer(conn, &conn->worker->silence_time);
    set_events(conn, EPOLLIN | EPOLLRDHUP, 0);
}

/* Time is up for a ClientHello that never became whole, or for anything at all. */
static void hello_expired(struct conn *conn)
{
    char byte;
    if (recv(conn->device.endpoint.fd, &byte, 1, MSG_PEEK) > 0) {
        want_bytes(conn, 1);
        pass_as_not_tls(conn);
    } else {
        conn_enter(conn, CONN_SILENT);
    }
}

static void enter_silent(struct conn *conn)
{
    if (start_dial(conn))
        set_events(conn, EPOLLIN | EPOLLRDHUP, EPOLLOUT);
}

static void silent_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    uint8_t first[64];
    if (!conn->origin_connected) {
        if (!finish_dial(conn))
            return;
        if (conn->timer.class == &conn->worker->dial_time)
            timer_stop(&conn->timer);
        set_events(conn, EPOLLIN | EPOLLRDHUP, EPOLLIN);
        return;
    }
    ssize_t length = recv(conn->origin.endpoint.fd, first, sizeof(first), MSG_PEEK);
    if (length > 0)
        notes_protocol(conn, first, (size_t)length, false);
    pass_as_not_tls(conn);
}

static void silent_expired(struct conn *conn)
{
    if (!conn->origin_connected) {
        dial_expired(conn);
        return;
    }
    want_bytes(conn, 1);
    pass_as_not_tls(conn);
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
    const char *name = conn->flow.name;
    return name != NULL && !is_ip_literal(name) ? name : NULL;
}

static bool start_upstream(struct conn *conn)
{
    const char *name = name_for_origin(conn);
    if (!endpoint_start_tls(&conn->origin.endpoint, conn->worker->policy.tls.origin))
        return false;
    SSL *ssl = conn->origin.endpoint.ssl;
    /* A malformed ALPN list is refused here, and then not sent on. */
    if (conn->alpn_length > 0)
        (void)SSL_set_alpn_protos(ssl, conn->alpn, (unsigned)conn->alpn_length);
    return SSL_set_max_proto_version(ssl, conn->offered_version) == 1 &&
           (name == NULL || SSL_set_tlsext_host_name(ssl, name) == 1) &&
           verify_prepare(ssl, &conn->verify, name, &conn->flow.origin);
}

static struct leaf_request leaf_request_for(const struct conn *conn)
{
    const struct config *config = policy_config(policy_view_policy(conn->view));
    const SSL *origin = conn->origin.endpoint.ssl;
    bool ecdsa = SSL_version(origin) >= TLS1_3_VERSION ? conn->ecdsa_for_13 : conn->ecdsa_for_12;
    struct leaf_request request = {
        .origin = SSL_get0_peer_certificate(origin),
        .key = ecdsa ? LEAF_KEY_ECDSA : LEAF_KEY_RSA,
    };
    if (config->tls.upstream == UPSTREAM_IGNORE) {
        request.good_dates = true;
        request.add_name = conn->verify.name_mismatch ? name_for_origin(conn) : NULL;
        return request;
    }
    static const enum leaf_signer signers[] = {[VERIFY_GOOD_CHAIN] = LEAF_BY_AUTHORITY,
                                               [VERIFY_SELF_SIGNED] = LEAF_BY_ITSELF,
                                               [VERIFY_UNTRUSTED] = LEAF_BY_UNTRUSTED};
    request.signer = signers[verify_class(&conn->verify)];
    request.not_before = conn->verify.not_before;
    request.not_after = conn->verify.not_after;
    return request;
}

static void upstream_done(struct conn *conn)
{
    const struct config *config = policy_config(policy_view_policy(conn->view));
    SSL *ssl = conn->origin.endpoint.ssl;
    bool cached;
    notes_session(conn, &conn->record.upstream, ssl, conn->handshake_start);
    struct leaf_request request = leaf_request_for(conn);
    if (request.origin == NULL) {
        conn_refuse(conn, ENDING_ORIGIN_TLS, ALERT_HANDSHAKE_FAILURE);
        return;
    }
    notes_origin(conn, request.origin);
    if (config->tls.upstream == UPSTREAM_VERIFY && conn->verify.count > 0) {
        conn_refuse(conn, ENDING_ORIGIN_UNVERIFIED, ALERT_ACCESS_DENIED);
        return;
    }
    conn->leaf = leaf_cache_get(conn->worker->options.leaves, &request, &cached);
    if (conn->leaf == NULL) {
        conn_refuse(conn, ENDING_FORGE_FAILED, ALERT_INTERNAL_ERROR);
        return;
    }
    notes_leaf(conn, conn->leaf, cached);
    conn_enter(conn, CONN_DEVICE);
}

static void upstream_failed(struct conn *conn, enum io io)
{
    const struct endpoint *origin = &conn->origin.endpoint;
    if (io == IO_RESET)
        conn_end(conn, ENDING_ORIGIN_RESET, true);
    else if (io != IO_FAILED)
        conn_refuse(conn, ENDING_ORIGIN_CLOSED, NO_ALERT);
    else if (origin->alert_in != NO_ALERT)
        conn_refuse(conn, ENDING_ORIGIN_ALERT, origin->alert_in);
    else
        conn_refuse(conn, ENDING_ORIGIN_TLS, ALERT_HANDSHAKE_FAILURE);
}

static void upstream_step(struct conn *conn, uint32_t events)
{
    (void)events;
    enum io io = endpoint_handshake(&conn->origin.endpoint);
    if (io == IO_OK)
        upstream_done(conn);
    else if (io == IO_WANT_READ || io == IO_WANT_WRITE)
        set_events(conn, EPOLLRDHUP, events_for(io));
    else
        upstream_failed(conn, io);
}

static void enter_upstream(struct conn *conn)
{
    conn->handshake_start = clock_ms();
    set_timer(conn, &conn->worker->handshake_time);
    if (start_upstream(conn))
        upstream_step(conn, 0);
    else
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
}

static void upstream_expired(struct conn *conn)
{
    conn_end(conn, ENDING_ORIGIN_TLS_TIMEOUT, true);
}

/* ---- TLS with the device ---- */

static bool start_device(struct conn *conn)
{
    struct endpoint *device = &conn->device.endpoint;
    const SSL *origin = conn->origin.endpoint.ssl;
    unsigned alpn_length;
    SSL_get0_alpn_selected(origin, &device->alpn, &alpn_length);
    device->alpn_length = (unsigned char)alpn_length;
    return endpoint_start_tls(device, conn->worker->policy.tls.device) &&
           SSL_set_max_proto_version(device->ssl, SSL_version(origin)) == 1 &&
           SSL_use_certificate(device->ssl, conn->leaf->certificate) == 1 &&
           SSL_use_PrivateKey(device->ssl, conn->leaf->key) == 1;
}

static void device_failed(struct conn *conn, enum io io)
{
    if (io != IO_FAILED)
        conn_end(conn, ENDING_DEVICE_GONE, io == IO_RESET);
    else if (conn->device.endpoint.alert_in != NO_ALERT)
        conn_end(conn, ENDING_DEVICE_ALERT, false);
    else
        conn_refuse(conn, ENDING_DEVICE_TLS, NO_ALERT); /* OpenSSL has said the alert */
}

static void device_step(struct conn *conn, uint32_t events)
{
    (void)events;
    enum io io = endpoint_handshake(&conn->device.endpoint);
    if (io == IO_OK) {
        notes_session(conn, &conn->record.client, conn->device.endpoint.ssl, conn->handshake_start);
        counter_add(&conn->worker->counters.intercepted, 1);
        tell_tls(conn);
        conn_enter(conn, CONN_RELAY);
    } else if (io == IO_WANT_READ || io == IO_WANT_WRITE) {
        set_events(conn, events_for(io), 0);
    } else {
        device_failed(conn, io);
    }
}

static void enter_device(struct conn *conn)
{
    conn->handshake_start = clock_ms();
    set_timer(conn, &conn->worker->handshake_time);
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

/* ---- both directions ---- */

static enum ending device_ending(const struct endpoint *device)
{
    if (device->alert_in != NO_ALERT)
        return ENDING_DEVICE_ALERT;
    return device->failure[0] != '\0' ? ENDING_DEVICE_TLS : ENDING_DEVICE_RESET;
}

static enum ending origin_ending(const struct endpoint *origin)
{
    if (origin->alert_in != NO_ALERT)
        return ENDING_ORIGIN_ALERT;
    return origin->failure[0] != '\0' ? ENDING_ORIGIN_TLS : ENDING_ORIGIN_RESET;
}

static void relay_step(struct conn *conn, bool device_news, bool origin_news)
{
    struct relay *relay = &conn->through.relay;
    switch (relay_run(relay, device_news, origin_news)) {
    case RELAY_AGAIN:
        loop_again(&conn->worker->loop, &conn->device.watch);
        set_events(conn, relay_device_events(relay), relay_origin_events(relay));
        return;
    case RELAY_GOING:
        set_events(conn, relay_device_events(relay), relay_origin_events(relay));
        return;
    case RELAY_DONE:
        conn_end(conn, ENDING_CLOSED, false);
        return;
    case RELAY_DEVICE_ERROR:
        conn_end(conn, device_ending(&conn->device.endpoint), true);
        return;
    case RELAY_ORIGIN_ERROR:
        conn_end(conn, origin_ending(&conn->origin.endpoint), true);
        return;
    case RELAY_NO_MEMORY:
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
        return;
    }
}

static void enter_relay(struct conn *conn)
{
    relay_init(&conn->through.relay, &conn->device.endpoint, &conn->origin.endpoint,
               &conn->worker->buffer_slab, conn->worker->relayed);
    relay_step(conn, true, true);
}

/* No events: it is our turn again (loop_again), and either side may have more. */
static void relay_device_ready(struct conn *conn, uint32_t events)
{
    relay_step(conn, true, events == 0);
}

static void relay_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    relay_step(conn, false, true);
}

static void splice_step(struct conn *conn, bool device_news, bool origin_news)
{
    struct splice *splice = &conn->through.splice;
    switch (splice_run(splice, device_news, origin_news)) {
    case SPLICE_AGAIN:
        loop_again(&conn->worker->loop, &conn->device.watch);
        set_events(conn, splice_device_events(splice), splice_origin_events(splice));
        return;
    case SPLICE_GOING:
        set_events(conn, splice_device_events(splice), splice_origin_events(splice));
        return;
    case SPLICE_DONE:
        conn_end(conn, ENDING_CLOSED, false);
        return;
    case SPLICE_DEVICE_ERROR:
        conn_end(conn, ENDING_DEVICE_RESET, true);
        return;
    case SPLICE_ORIGIN_ERROR:
        conn_end(conn, ENDING_ORIGIN_RESET, true);
        return;
    }
}

static void enter_splice(struct conn *conn)
{
    counter_add(&conn->worker->counters.passed, 1);
    splice_step(conn, true, true);
}

static void splice_device_ready(struct conn *conn, uint32_t events)
{
    splice_step(conn, true, events == 0);
}

static void splice_origin_ready(struct conn *conn, uint32_t events)
{
    (void)events;
    splice_step(conn, false, true);
}

static const struct state states[CONN_STATES] = {
    [CONN_HELLO] = {"hello", enter_hello, look_at_device, NULL, hello_expired},
    [CONN_SILENT] = {"silent", enter_silent, look_at_device, silent_origin_ready, silent_expired},
    [CONN_DIAL] = {"dial", enter_dial, device_gone, dial_origin_ready, dial_expired},
    [CONN_UPSTREAM] = {"upstream", enter_upstream, device_gone, upstream_step, upstream_expired},
    [CONN_DEVICE] = {"device", enter_device, device_step, device_origin_ready, device_expired},
    [CONN_RELAY] = {"relay", enter_relay, relay_device_ready, relay_origin_ready, NULL},
    [CONN_PASS_DIAL] = {"pass dial", enter_pass_dial, device_gone, pass_dial_origin_ready,
                        dial_expired},
    [CONN_SPLICE] = {"splice", enter_splice, splice_device_ready, splice_origin_ready, NULL},
    [CONN_LINGER] = {"linger", enter_linger, linger_ready, NULL, linger_expired},
};

/* ---- the beginning ---- */

static void start_deciding(struct conn *conn)
{
    char device[ADDRESS_TEXT_SIZE];
    struct decision decision = policy_decide(conn->view, &conn->flow);
    if (decision.verdict == VERDICT_PASS) {
        conn_pass(conn, &decision);
        return;
    }
    if (log_shows(LOG_LEVEL_VERBOSE))
        log_verbose("clientconnect %s", address_text(&conn->flow.device, device));
    conn_enter(conn, CONN_HELLO);
}

void conn_start(struct worker *worker, int fd, const struct address *device,
                const struct address *origin)
{
    struct conn *conn = slab_alloc(&worker->conn_slab);
    struct endpoint endpoint;
    endpoint_init(&endpoint, fd);
    if (conn == NULL) {
        endpoint_close(&endpoint, true);
        worker_is_full(worker);
        return;
    }
    memset(conn, 0, sizeof(*conn));
    conn->worker = worker;
    conn->device.endpoint = endpoint;
    endpoint_init(&conn->origin.endpoint, -1);
    conn->device.watch.fd = conn->origin.watch.fd = -1;
    conn->view = policy_view_ref(worker->policy.view);
    conn->flow = (struct flow){.device = *device, .origin = *origin, .protocol = IPPROTO_TCP};
    LIST_INSERT_HEAD(&worker->conns, conn, link);
    counter_add(&worker->counters.active, 1);

    dial_tune(fd);
    neighbours_find(&worker->neighbours, &conn->flow, worker->loop.now);
    notes_start(conn);
    if (loop_add(&worker->loop, &conn->device.watch, fd, 0, device_ready))
        start_deciding(conn);
    else
        conn_end(conn, ENDING_OUT_OF_RESOURCES, true);
}
