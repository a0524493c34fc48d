/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * load_client [OPTION...] ADDRESS PORT   makes connections with HTTP/1.1 requests on them, many at
 * a time, and prints what it found as one line of JSON. Times are in microseconds.
 *
 *   -n N      connections, one request each; -r N: so many requests on each, one after another, or
 *             with -H none
 *   -c N      so many at a time
 *   -t VERSION  TLS of this version (1.2 or 1.3), or `any`; without, none
 *   -s        resumes the sessions of earlier connections, each once
 *   -S NAME   server name; %u in it becomes the connection's number
 *   -P PATH   what is asked for; with -u BYTES it is sent instead, by PUT
 *   -a        each connection goes to an address of its own, counted up from ADDRESS
 *   -T        as soon as it is connected, the connection is closed: nothing is asked
 *   -H        holds all connections open, until standard input ends
 *   -d S      asks for nothing more when S seconds have passed
 *
 * Certificates are not verified, since this is about what the other side spends; the issuer of one
 * is printed. One thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER_SIZE 2048
#define CHUNK_SIZE 65536
#define SESSIONS_LIMIT 4096
#define EVENTS 256

enum state { CONNECTING, HANDSHAKING, SENDING, RECEIVING, HELD };
enum io { IO_DONE, IO_AGAIN, IO_END, IO_BROKEN };

struct samples {
    uint32_t *values;
    size_t count, room;
};

struct connection {
    int fd;
    SSL *ssl;
    enum state state;
    unsigned requests_left;
    double begun, asked;
    char header[HEADER_SIZE];
    size_t header_length, sent;
    uint64_t body_left, to_send;
    bool in_body, last, answered;
};

/* What is asked for, and what came of it: there is one. */
static struct {
    struct in_addr address;
    in_port_t port;
    unsigned connections, requests, concurrency, seconds;
    bool resume, count_up, connect_only, hold;
    const char *version, *name, *path;
    uint64_t upload;

    int epoll;
    SSL_CTX *context;
    SSL_SESSION *sessions[SESSIONS_LIMIT];
    size_t session_count;
    unsigned started, active, done, failed, resumed, reopened, answers;
    uint64_t unasked; /* requests that no connection has got */
    double end;       /* or 0 */
    uint64_t bytes;
    char issuer[256], spoken[16], failure[128];
    struct samples connects, first_bytes, answer_times;
} load = {
    .connections = 1, .requests = 1, .concurrency = 1, .name = "origin.test", .path = "/hello"};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- samples ---- */

static void add_sample(struct samples *samples, double seconds)
{
    if (samples->count == samples->room) {
        samples->room = samples->room == 0 ? 1024 : samples->room * 2;
        samples->values = realloc(samples->values, samples->room * sizeof(*samples->values));
        if (samples->values == NULL)
            die("samples");
    }
    samples->values[samples->count++] = (uint32_t)(seconds * 1e6 + 0.5);
}

static int compare(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

static void print_samples(const char *name, struct samples *samples)
{
    size_t count = samples->count;
    if (count == 0)
        return;
    qsort(samples->values, count, sizeof(*samples->values), compare);
    printf(", \"%s\": {\"median\": %u, \"p99\": %u}", name, samples->values[count / 2],
           samples->values[count - 1 - count / 100]);
}

/* ---- one connection ---- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    if (load.session_count == SESSIONS_LIMIT)
        return 0;
    load.sessions[load.session_count++] = session;
    return 1;
}

/* There comes no other one where TLS 1.2 was resumed. */
static void keep_session_again(SSL *ssl)
{
    if (SSL_version(ssl) == TLS1_2_VERSION && SSL_session_reused(ssl)) {
        SSL_SESSION *session = SSL_get1_session(ssl);
        if (!keep_session(ssl, session))
            SSL_SESSION_free(session);
    }
}

static void finish(struct connection *connection, const char *failure)
{
    load.active--;
    if (failure == NULL) {
        load.done++;
    } else if (load.failed++ == 0) {
        snprintf(load.failure, sizeof(load.failure), "%s: %s", failure, strerror(errno));
    }
    if (connection->ssl != NULL && failure == NULL) {
        SSL_shutdown(connection->ssl); /* or its session could not be resumed */
        if (load.resume)
            keep_session_again(connection->ssl);
    }
    SSL_free(connection->ssl);
    close(connection->fd);
    free(connection);
    ERR_clear_error();
}

static enum io tls_result(const struct connection *connection, int result)
{
    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_END;
    default:
        return IO_BROKEN;
    }
}

static enum io plain_result(ssize_t result)
{
    if (result > 0)
        return IO_DONE;
    if (result == 0)
        return IO_END;
    return errno == EAGAIN ? IO_AGAIN : IO_BROKEN;
}

static enum io read_some(struct connection *connection, char *bytes, size_t size, size_t *count)
{
    if (connection->ssl != NULL) {
        int result = SSL_read_ex(connection->ssl, bytes, size, count);
        return result == 1 ? IO_DONE : tls_result(connection, result);
    }
    ssize_t result = read(connection->fd, bytes, size);
    *count = result > 0 ? (size_t)result : 0;
    return plain_result(result);
}

static enum io write_some(struct connection *connection, const char *bytes, size_t size,
                          size_t *count)
{
    if (connection->ssl != NULL) {
        int result = SSL_write_ex(connection->ssl, bytes, size, count);
        return result == 1 ? IO_DONE : tls_result(connection, result);
    }
    ssize_t result = send(connection->fd, bytes, size, MSG_NOSIGNAL);
    *count = result > 0 ? (size_t)result : 0;
    return plain_result(result);
}

static void ask(struct connection *connection)
{
    const char *host = connection->ssl != NULL
                           ? SSL_get_servername(connection->ssl, TLSEXT_NAMETYPE_host_name)
                           : load.name;
    int length = snprintf(connection->header, HEADER_SIZE, "%s %s HTTP/1.1\r\nHost: %s\r\n",
                          load.upload > 0 ? "PUT" : "GET", load.path, host);
    length += snprintf(connection->header + length, HEADER_SIZE - (size_t)length,
                       load.upload > 0 ? "Content-Length: %llu\r\n\r\n" : "\r\n",
                       (unsigned long long)load.upload);
    connection->header_length = (size_t)length;
    connection->sent = 0;
    connection->to_send = load.upload;
    connection->asked = now();
    connection->state = SENDING;
}

static enum io send_request(struct connection *connection)
{
    static const char zeros[CHUNK_SIZE];
    size_t count;
    enum io io = IO_DONE;
    while (io == IO_DONE && connection->sent < connection->header_length) {
        io = write_some(connection, connection->header + connection->sent,
                        connection->header_length - connection->sent, &count);
        connection->sent += io == IO_DONE ? count : 0;
    }
    while (io == IO_DONE && connection->to_send > 0) {
        size_t size = connection->to_send < CHUNK_SIZE ? connection->to_send : CHUNK_SIZE;
        io = write_some(connection, zeros, size, &count);
        connection->to_send -= io == IO_DONE ? count : 0;
        load.bytes += io == IO_DONE ? count : 0;
    }
    if (io == IO_DONE) {
        connection->header_length = 0;
        connection->in_body = false;
        connection->state = RECEIVING;
    }
    return io;
}

/* The header is whole: what it says of the body. Returns how much of the body came with it. */
static size_t begin_body(struct connection *connection, const char *end)
{
    size_t length = (size_t)(end - connection->header) + 4;
    size_t more = connection->header_length - length;
    connection->header[length - 2] = '\0';
    const char *field = strcasestr(connection->header, "\r\nContent-Length:");
    connection->body_left = field != NULL ? strtoull(field + 17, NULL, 10) : 0;
    connection->last = strcasestr(connection->header, "\r\nConnection: close") != NULL;
    connection->in_body = true;
    bool empty = strncmp(connection->header + 8, " 204", 4) == 0;
    if (strncmp(connection->header + 8, " 20", 3) != 0 || (field == NULL && !empty)) {
        fprintf(stderr, "%s\n", connection->header);
        errno = EPROTO;
        return SIZE_MAX;
    }
    return more;
}

/* Of the answer. IO_DONE when it is whole. */
static enum io receive(struct connection *connection)
{
    static char chunk[CHUNK_SIZE];
    do {
        bool in_body = connection->in_body;
        char *to = in_body ? chunk : connection->header + connection->header_length;
        size_t size = in_body ? CHUNK_SIZE : HEADER_SIZE - 1 - connection->header_length, count;
        enum io io = read_some(connection, to, size, &count);
        if (io != IO_DONE)
            return io;
        if (!connection->answered)
            add_sample(&load.first_bytes, now() - connection->begun);
        connection->answered = true;
        if (!in_body) {
            connection->header_length += count;
            connection->header[connection->header_length] = '\0';
            const char *end = strstr(connection->header, "\r\n\r\n");
            if (end == NULL)
                continue;
            count = begin_body(connection, end);
        }
        if (count > connection->body_left)
            return IO_BROKEN;
        connection->body_left -= count;
        load.bytes += count;
    } while (!connection->in_body || connection->body_left > 0);
    if (load.hold && connection->last)
        return IO_END;
    return IO_DONE;
}

static void note_handshake(const struct connection *connection)
{
    load.resumed += SSL_session_reused(connection->ssl) ? 1 : 0;
    X509 *certificate = SSL_get0_peer_certificate(connection->ssl);
    if (load.issuer[0] == '\0' && certificate != NULL) {
        X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_commonName, load.issuer,
                                  sizeof(load.issuer));
        snprintf(load.spoken, sizeof(load.spoken), "%s", SSL_get_version(connection->ssl));
    }
}

static bool is_over(void)
{
    return load.end > 0 && now() >= load.end;
}

static void hold(struct connection *connection)
{
    load.active--;
    load.done++;
    connection->state = HELD;
}

/* The next request, or the end. False if the connection is gone. */
static bool go_on(struct connection *connection)
{
    add_sample(&load.answer_times, now() - connection->asked);
    load.answers++;
    connection->requests_left--;
    if (connection->requests_left > 0 && connection->last) {
        load.reopened++;
        load.unasked += connection->requests_left;
        connection->requests_left = 0;
    }
    if (connection->requests_left > 0 && !is_over()) {
        ask(connection);
        return true;
    }
    if (load.hold) {
        hold(connection);
        return true;
    }
    finish(connection, NULL);
    return false;
}

static void begin_asking(struct connection *connection)
{
    note_handshake(connection);
    if (load.requests > 0)
        ask(connection);
    else
        hold(connection);
}

static enum io finish_connect(struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof(error);
    struct sockaddr_in peer;
    socklen_t peer_size = sizeof(peer);
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        errno = error;
        return IO_BROKEN;
    }
    if (getpeername(connection->fd, (struct sockaddr *)&peer, &peer_size) != 0)
        return IO_AGAIN;
    add_sample(&load.connects, now() - connection->begun);
    return IO_DONE;
}

/* As far as it goes. */
static void advance(struct connection *connection)
{
    enum io io = IO_DONE;
    while (io == IO_DONE) {
        switch (connection->state) {
        case CONNECTING:
            io = finish_connect(connection);
            if (io != IO_DONE)
                break;
            if (load.connect_only) {
                finish(connection, NULL);
                return;
            }
            connection->state = HANDSHAKING;
            if (connection->ssl == NULL)
                ask(connection);
            break;
        case HANDSHAKING: {
            int result = SSL_do_handshake(connection->ssl);
            io = result == 1 ? IO_DONE : tls_result(connection, result);
            if (io == IO_DONE)
                begin_asking(connection);
            break;
        }
        case SENDING:
            io = send_request(connection);
            break;
        case RECEIVING:
            io = receive(connection);
            if (io == IO_DONE && !go_on(connection))
                return;
            break;
        case HELD:
            return;
        }
    }
    if (io != IO_AGAIN)
        finish(connection, connection->state == CONNECTING    ? "connect"
                           : connection->state == HANDSHAKING ? "handshake"
                           : io == IO_END                     ? "closed early"
                                                              : "request");
}

/* ---- all of them ---- */

static SSL *make_tls(int fd)
{
    char name[256];
    SSL *ssl = SSL_new(load.context);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, sizeof(name), load.name, load.started);
#pragma GCC diagnostic pop
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1)
        exit(1);
    SSL_set_connect_state(ssl);
    if (load.session_count > 0) {
        SSL_SESSION *session = load.sessions[--load.session_count];
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }
    return ssl;
}

static void open_connection(void)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load.port)};
    to.sin_addr.s_addr = htonl(ntohl(load.address.s_addr) + (load.count_up ? load.started : 0));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    if (connection == NULL || fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    unsigned requests = load.requests > 0 ? load.requests : 1;
    requests = requests < load.unasked ? requests : (unsigned)load.unasked;
    load.unasked -= requests;
    *connection = (struct connection){.fd = fd, .requests_left = requests};
    connection->ssl = load.context != NULL ? make_tls(fd) : NULL;
    load.started++;
    load.active++;
    connection->begun = now();
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        finish(connection, "connect");
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void open_more(void)
{
    while (load.active < load.concurrency && load.unasked > 0 && !is_over())
        open_connection();
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    load.end = load.seconds > 0 ? now() + load.seconds : 0;
    load.unasked = (uint64_t)load.connections * (load.requests > 0 ? load.requests : 1);
    for (open_more(); load.active > 0; open_more()) {
        int count = epoll_wait(load.epoll, events, EVENTS, 60000);
        if (count == 0) {
            snprintf(load.failure, sizeof(load.failure), "silence for a minute");
            load.failed += load.active;
            return;
        }
        for (int i = 0; i < count; i++)
            advance(events[i].data.ptr);
    }
}

static void report(double seconds)
{
    printf("{\"connections\": %u, \"requests\": %u, \"failed\": %u, \"resumed\": %u, \"reopened\": "
           "%u, "
           "\"bytes\": %llu, \"seconds\": %.6f, \"issuer\": \"%s\", \"version\": \"%s\", "
           "\"failure\": \"%s\"",
           load.done, load.answers, load.failed, load.resumed, load.reopened,
           (unsigned long long)load.bytes, seconds, load.issuer, load.spoken, load.failure);
    print_samples("connect_us", &load.connects);
    print_samples("first_byte_us", &load.first_bytes);
    print_samples("request_us", &load.answer_times);
    printf("}\n");
    fflush(stdout);
}

static void prepare(void)
{
    load.epoll = epoll_create1(0);
    if (load.version == NULL)
        return;
    load.context = SSL_CTX_new(TLS_client_method());
    if (load.context == NULL)
        exit(1);
    if (strcmp(load.version, "any") != 0) {
        int version = strcmp(load.version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
        SSL_CTX_set_min_proto_version(load.context, version);
        SSL_CTX_set_max_proto_version(load.context, version);
    }
    SSL_CTX_set_options(load.context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(load.context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (load.resume) {
        SSL_CTX_set_session_cache_mode(load.context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(load.context, keep_session);
    }
}

static bool read_options(int count, char **arguments)
{
    for (int option; (option = getopt(count, arguments, "n:r:c:t:sS:P:u:aTHd:")) != -1;) {
        switch (option) {
        case 'n':
            load.connections = (unsigned)atoi(optarg);
            break;
        case 'r':
            load.requests = (unsigned)atoi(optarg);
            break;
        case 'c':
            load.concurrency = (unsigned)atoi(optarg);
            break;
        case 't':
            load.version = optarg;
            break;
        case 's':
            load.resume = true;
            break;
        case 'S':
            load.name = optarg;
            break;
        case 'P':
            load.path = optarg;
            break;
        case 'u':
            load.upload = strtoull(optarg, NULL, 10);
            break;
        case 'a':
            load.count_up = true;
            break;
        case 'T':
            load.connect_only = true;
            break;
        case 'H':
            load.hold = true;
            break;
        case 'd':
            load.seconds = (unsigned)atoi(optarg);
            break;
        default:
            return false;
        }
    }
    if (optind + 2 != count || inet_pton(AF_INET, arguments[optind], &load.address) != 1)
        return false;
    load.port = (in_port_t)atoi(arguments[optind + 1]);
    return true;
}

int main(int count, char **arguments)
{
    if (!read_options(count, arguments)) {
        fprintf(stderr, "usage: see the source\n");
        return 2;
    }
    prepare();
    double begun = now();
    run();
    report(now() - begun);
    if (load.hold) {
        char byte;
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    }
    return load.failed == 0 ? 0 : 1;
}
