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
 *   -R N      begins at most N connections a second, evenly
 *   -H        holds all connections open, until standard input ends
 *   -d S      asks for nothing more when S seconds have passed
 *
 * Certificates are not verified, since this is about what the other side spends; the issuer of one
 * is printed. One thread. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256

struct load load = {
    .connections = 1, .requests = 1, .concurrency = 1, .name = "origin.test", .path = "/hello"};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- samples ---- */

void add_sample(struct samples *samples, double seconds)
{
    if (samples->count == samples->room) {
        samples->room = samples->room == 0 ? 1024 : samples->room * 2;
        samples->values = realloc(samples->values, samples->room * sizeof(*samples->values));
        if (samples->values == NULL)
            die("samples");
    }
    samples->values[samples->count++] = (float)(seconds * 1e6);
}

static int compare(const void *a, const void *b)
{
    float one = *(const float *)a, other = *(const float *)b;
    return (one > other) - (one < other);
}

static void print_samples(const char *name, struct samples *samples)
{
    size_t count = samples->count;
    if (count == 0)
        return;
    qsort(samples->values, count, sizeof(*samples->values), compare);
    printf(", \"%s\": {\"median\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name,
           (double)samples->values[count / 2], (double)samples->values[count - 1 - count / 100],
           (double)samples->values[count - 1]);
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

/* Counted up are the last 32 bits of an address, in both families. */
static struct sockaddr_in6 next_address(void)
{
    struct sockaddr_in6 to = load.address;
    uint32_t last, *at = &to.sin6_addr.s6_addr32[3];
    memcpy(&last, at, sizeof(last));
    last = htonl(ntohl(last) + (load.count_up ? load.started : 0));
    memcpy(at, &last, sizeof(last));
    return to;
}

static void open_connection(void)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct sockaddr_in6 to = next_address();
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
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

/* Whether the next one may begin, where there is a pace. */
static bool is_due(void)
{
    return load.rate == 0 || load.started < (now() - load.begun) * load.rate;
}

static bool is_to_come(void)
{
    return load.rate > 0 && load.unasked > 0 && !is_over();
}

static void open_more(void)
{
    while (load.active < load.concurrency && load.unasked > 0 && !is_over() && is_due())
        open_connection();
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    load.begun = now();
    load.end = load.seconds > 0 ? load.begun + load.seconds : 0;
    load.unasked = (uint64_t)load.connections * (load.requests > 0 ? load.requests : 1);
    for (open_more(); load.active > 0 || is_to_come(); open_more()) {
        bool waits = load.active < load.concurrency && is_to_come();
        int count = epoll_wait(load.epoll, events, EVENTS, waits ? 1 : 60000);
        if (count == 0 && !waits) {
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

/* An IPv4 address becomes an IPv6 socket's name for it, and is IPv4 on the wire. */
static bool read_destination(const char *address, const char *port)
{
    char mapped[INET6_ADDRSTRLEN];
    snprintf(mapped, sizeof(mapped), "%s%s", strchr(address, ':') == NULL ? "::ffff:" : "",
             address);
    load.address.sin6_family = AF_INET6;
    load.address.sin6_port = htons((in_port_t)atoi(port));
    return inet_pton(AF_INET6, mapped, &load.address.sin6_addr) == 1;
}

static bool read_options(int count, char **arguments)
{
    for (int option; (option = getopt(count, arguments, "n:r:c:t:sS:P:u:aR:Hd:")) != -1;) {
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
        case 'R':
            load.rate = (unsigned)atoi(optarg);
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
    return optind + 2 == count && read_destination(arguments[optind], arguments[optind + 1]);
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
