/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * load.h - what load_client's two halves know of each other. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define HEADER_SIZE 2048
#define SESSIONS_LIMIT 4096

enum state { CONNECTING, HANDSHAKING, SENDING, RECEIVING, HELD };
enum io { IO_DONE, IO_AGAIN, IO_END, IO_BROKEN };

struct samples {
    float *values;
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
struct load {
    struct sockaddr_in6 address;
    unsigned connections, requests, concurrency, seconds, rate;
    bool resume, count_up, hold;
    const char *version, *name, *path;
    uint64_t upload;

    int epoll;
    SSL_CTX *context;
    SSL_SESSION *sessions[SESSIONS_LIMIT];
    size_t session_count;
    unsigned started, active, done, failed, resumed, reopened, answers;
    uint64_t unasked;  /* requests that no connection has got */
    double begun, end; /* or 0 */
    uint64_t bytes;
    char issuer[256], spoken[16], failure[128];
    struct samples connects, first_bytes, answer_times;
};
extern struct load load;

static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline bool is_over(void)
{
    return load.end > 0 && now() >= load.end;
}

void add_sample(struct samples *samples, double seconds);

/* A new_session callback. */
int keep_session(SSL *ssl, SSL_SESSION *session);

/* As far as it goes. */
void advance(struct connection *connection);

/* Ends it, well if `failure` is NULL. */
void finish(struct connection *connection, const char *failure);

#endif
