/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an unchanged pipe holds. */
#define PIPE_SIZE 65536
#define MOVES_A_TURN 16

static bool take_pipe(struct pipe_pool *pool, int pipe_fds[2])
{
    if (pool->count == 0)
        return pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) == 0;
    pool->count--;
    pipe_fds[0] = pool->pipes[pool->count][0];
    pipe_fds[1] = pool->pipes[pool->count][1];
    return true;
}

static void close_pipe(const int pipe_fds[2])
{
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void give_pipe(struct pipe_pool *pool, const struct splice_half *half)
{
    if (half->in_pipe > 0 || pool->count == PIPE_SPARES) {
        close_pipe(half->pipe);
        return;
    }
    pool->pipes[pool->count][0] = half->pipe[0];
    pool->pipes[pool->count][1] = half->pipe[1];
    pool->count++;
}

void pipe_pool_fini(struct pipe_pool *pool)
{
    while (pool->count > 0)
        close_pipe(pool->pipes[--pool->count]);
}

bool splice_init(struct splice *splice, int device, int origin, struct pipe_pool *pool)
{
    *splice = (struct splice){
        .up = {.from = device, .to = origin, .from_events = EPOLLIN},
        .down = {.from = origin, .to = device, .from_events = EPOLLIN},
        .pool = pool,
    };
    if (!take_pipe(pool, splice->up.pipe))
        return false;
    if (take_pipe(pool, splice->down.pipe))
        return true;
    give_pipe(pool, &splice->up);
    return false;
}

void splice_fini(struct splice *splice)
{
    give_pipe(splice->pool, &splice->up);
    give_pipe(splice->pool, &splice->down);
}

enum move { MOVE_SOME, MOVE_WAIT, MOVE_END, MOVE_ERROR };

static enum move move(int from, int to, size_t length, size_t *moved)
{
    ssize_t count = splice(from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count > 0) {
        *moved = (size_t)count;
        return MOVE_SOME;
    }
    if (count == 0)
        return MOVE_END;
    return errno == EAGAIN || errno == EINTR ? MOVE_WAIT : MOVE_ERROR;
}

enum step { STEP_ON, STEP_WAIT, STEP_FROM_ERROR, STEP_TO_ERROR };

static enum step empty_pipe(struct splice_half *half)
{
    size_t moved;
    while (half->in_pipe > 0) {
        switch (move(half->pipe[0], half->to, half->in_pipe, &moved)) {
        case MOVE_SOME:
            half->in_pipe -= moved;
            half->bytes += moved;
            break;
        case MOVE_WAIT:
            half->to_events = EPOLLOUT;
            return STEP_WAIT;
        case MOVE_END:
        case MOVE_ERROR:
            return STEP_TO_ERROR;
        }
    }
    return STEP_ON;
}

/* splice(2) does not go past TCP's urgent mark, and looks there as if nothing came, or nothing
 * more: recv(2) does, and leaves the urgent byte out, as for any reader that does not ask for it.
 */
static enum move move_past_mark(int from, int to, size_t *moved)
{
    char bytes[4096]; /* goes into an empty pipe in one piece */
    ssize_t count = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? MOVE_WAIT : MOVE_ERROR;
    if (count == 0)
        return MOVE_END;
    *moved = (size_t)count;
    return write(to, bytes, *moved) == count ? MOVE_SOME : MOVE_ERROR;
}

/* The pipe is empty. `told`: the socket said that there is something. */
static enum step fill_pipe(struct splice_half *half, bool told)
{
    size_t moved;
    enum move result = move(half->from, half->pipe[1], PIPE_SIZE, &moved);
    if (result == MOVE_END || (result == MOVE_WAIT && told))
        result = move_past_mark(half->from, half->pipe[1], &moved);
    switch (result) {
    case MOVE_SOME:
        half->in_pipe += moved;
        return STEP_ON;
    case MOVE_WAIT:
        half->from_events = EPOLLIN;
        return STEP_WAIT;
    case MOVE_END:
        half->ending = true;
        return STEP_ON;
    case MOVE_ERROR:
        return STEP_FROM_ERROR;
    }
    return STEP_WAIT;
}

static enum step run_half(struct splice_half *half)
{
    half->from_events = half->to_events = 0;
    for (int moves = 0; moves < MOVES_A_TURN; moves++) {
        enum step step = half->ended ? STEP_WAIT : empty_pipe(half);
        if (step != STEP_ON)
            return step;
        if (half->ending) {
            (void)shutdown(half->to, SHUT_WR);
            half->ended = true;
            return STEP_WAIT;
        }
        step = fill_pipe(half, moves == 0);
        if (step != STEP_ON)
            return step;
    }
    half->from_events = EPOLLIN;
    return STEP_ON;
}

static bool has_news(const struct splice_half *half, bool from_news, bool to_news)
{
    return (from_news && half->from_events != 0) || (to_news && half->to_events != 0);
}

enum splice_result splice_run(struct splice *splice, bool device_news, bool origin_news)
{
    enum step up = STEP_WAIT, down = STEP_WAIT;
    if (has_news(&splice->up, device_news, origin_news))
        up = run_half(&splice->up);
    /* An origin that is gone may have answered before. */
    if (has_news(&splice->down, origin_news, device_news) || up == STEP_TO_ERROR)
        down = run_half(&splice->down);
    if (up == STEP_FROM_ERROR || down == STEP_TO_ERROR)
        return SPLICE_DEVICE_ERROR;
    if (up == STEP_TO_ERROR || down == STEP_FROM_ERROR)
        return SPLICE_ORIGIN_ERROR;
    if (splice->up.ended && splice->down.ended)
        return SPLICE_DONE;
    return up == STEP_ON || down == STEP_ON ? SPLICE_AGAIN : SPLICE_GOING;
}

uint32_t splice_device_events(const struct splice *splice)
{
    return splice->up.from_events | splice->down.to_events;
}

uint32_t splice_origin_events(const struct splice *splice)
{
    return splice->down.from_events | splice->up.to_events;
}
