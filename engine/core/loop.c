/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/loop.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

bool loop_init(struct loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->now = clock_ms();
    loop->stopping = false;
    loop->turn = 0;
    loop->batch_length = loop->batch_next = 0;
    SLIST_INIT(&loop->timeouts);
    TAILQ_INIT(&loop->again);
    return loop->epoll >= 0;
}

void loop_fini(struct loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
    loop->epoll = -1;
}

/* What the kernel is asked for. Errors and hang-ups are always told, and level-triggered they would
 * be told for ever to a watch that wants nothing: those are told once. */
static uint32_t epoll_events(uint32_t events)
{
    return events == 0 ? (uint32_t)EPOLLET : events;
}

bool loop_add(struct loop *loop, struct watch *watch, int fd, uint32_t events,
              void (*ready)(struct watch *watch, uint32_t events))
{
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return false;
    watch->fd = fd;
    watch->events = events;
    watch->again = false;
    watch->ready = ready;
    return true;
}

void loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
    if (watch->events == events)
        return;
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = watch};
    CHECK(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0);
    watch->events = events;
}

void loop_forget(struct loop *loop, struct watch *watch)
{
    if (watch->fd < 0)
        return;
    watch->fd = -1;
    if (watch->again)
        TAILQ_REMOVE(&loop->again, watch, again_link);
    watch->again = false;
    for (int i = loop->batch_next; i < loop->batch_length; i++)
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
}

void loop_remove(struct loop *loop, struct watch *watch)
{
    if (watch->fd >= 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    loop_forget(loop, watch);
}

void loop_again(struct loop *loop, struct watch *watch)
{
    if (watch->again)
        return;
    watch->again = true;
    watch->again_turn = loop->turn;
    TAILQ_INSERT_TAIL(&loop->again, watch, again_link);
}

/* What is put in the queue from here on belongs to the next turn. */
static void call_again(struct loop *loop)
{
    uint64_t turn = ++loop->turn;
    struct watch *watch;
    while ((watch = TAILQ_FIRST(&loop->again)) != NULL && watch->again_turn < turn) {
        TAILQ_REMOVE(&loop->again, watch, again_link);
        watch->again = false;
        watch->ready(watch, 0);
    }
}

void loop_turn(struct loop *loop, int limit)
{
    int wait = timers_wait(&loop->timeouts, loop->now);
    if (!TAILQ_EMPTY(&loop->again))
        wait = 0;
    if (wait < 0 || (limit >= 0 && limit < wait))
        wait = limit;

    int length = epoll_wait(loop->epoll, loop->batch, LOOP_BATCH, wait);
    CHECK(length >= 0 || errno == EINTR);
    loop->now = clock_ms();
    loop->batch_length = length > 0 ? length : 0;
    for (loop->batch_next = 0; loop->batch_next < loop->batch_length;) {
        struct epoll_event *event = &loop->batch[loop->batch_next++];
        struct watch *watch = event->data.ptr;
        if (watch != NULL)
            watch->ready(watch, event->events);
    }
    loop->batch_length = loop->batch_next = 0;
    call_again(loop);
    timers_fire(&loop->timeouts, loop->now);
}

void loop_run(struct loop *loop)
{
    while (!loop->stopping)
        loop_turn(loop, -1);
}

void loop_stop(void *context)
{
    struct loop *loop = context;
    loop->stopping = true;
}
