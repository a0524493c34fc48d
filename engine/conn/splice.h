/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * splice.h - both directions between two sockets, without their bytes ever coming to user space
 * (splice(2)). For what is not ours to read: byte-exact, half-closes passed on. One thread. */
#ifndef CONN_SPLICE_H
#define CONN_SPLICE_H

#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* Empty pipes, kept for the next connection. All-zero is valid. */
#define PIPE_SPARES 64
struct pipe_pool {
    size_t count;
    int pipes[PIPE_SPARES][2];
};
void pipe_pool_fini(struct pipe_pool *pool);

struct splice_half {
    int from, to;
    int pipe[2];
    size_t in_pipe;
    uint32_t from_events, to_events; /* as in struct relay_half */
    bool ending, ended;
    uint64_t bytes;
};

struct splice {
    struct splice_half up, down; /* from the device, to the device */
    struct pipe_pool *pool;
};

enum splice_result {
    SPLICE_GOING,
    SPLICE_AGAIN,
    SPLICE_DONE,
    SPLICE_DEVICE_ERROR,
    SPLICE_ORIGIN_ERROR,
};

/* Borrows sockets and pool. False with errno if there are no pipes to be had. */
bool splice_init(struct splice *splice, int device, int origin, struct pipe_pool *pool) must_check;
void splice_fini(struct splice *splice);

/* As relay_run() and its companions. */
enum splice_result splice_run(struct splice *splice, bool device_news, bool origin_news);
uint32_t splice_device_events(const struct splice *splice);
uint32_t splice_origin_events(const struct splice *splice);

#endif
