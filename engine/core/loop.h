/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * loop.h - one thread's event loop over epoll(7).
 *
 * Everything here belongs to the thread that runs the loop; other threads reach it through a
 * mailbox. A watch is embedded in its owner and says which events of one file descriptor are
 * wanted. Events are level-triggered, unless EPOLLET is among them: what is not dealt with is told
 * again. */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include "core/macros.h"
#include "core/timer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#define LOOP_BATCH 128

struct watch {
    int fd;              /* not owned; -1 while the watch is not in a loop */
    uint32_t events;     /* EPOLLIN, EPOLLOUT, EPOLLRDHUP, with EPOLLET or without; or 0 */
    bool again;          /* in the loop's queue `again`, */
    uint64_t again_turn; /* since that turn */
    TAILQ_ENTRY(watch) again_link;
    void (*ready)(struct watch *watch, uint32_t events);
};

struct loop {
    int epoll;
    uint64_t now; /* monotonic clock, ms, read once a turn */
    uint64_t turn;
    bool stopping;
    struct timeout_classes timeouts;
    TAILQ_HEAD(watch_queue, watch) again;
    struct epoll_event batch[LOOP_BATCH];
    int batch_length;
    int batch_next;
};

bool loop_init(struct loop *loop) must_check;
void loop_fini(struct loop *loop);

/* Runs until loop_stop(), which only the loop's own thread may call: others by mailbox_call(). */
void loop_run(struct loop *loop);
void loop_stop(void *loop);

/* Waits at most `limit` ms (-1: no limit) for events and deals with them: one turn of loop_run(),
 * for programs that have their own loop. */
void loop_turn(struct loop *loop, int limit);

/* Starts watching. `ready` is called with the events that came; with 0 after loop_again(). False
 * with errno if the kernel refused. */
bool loop_add(struct loop *loop, struct watch *watch, int fd, uint32_t events,
              void (*ready)(struct watch *watch, uint32_t events)) must_check;

/* Says which events are wanted from now on. With 0, only errors and hang-ups are told, and once. */
void loop_change(struct loop *loop, struct watch *watch, uint32_t events);

/* Stops watching; events that are already fetched for this watch are dropped, so the owner may be
 * freed at once. Harmless if the watch is not in the loop. */
void loop_remove(struct loop *loop, struct watch *watch);

/* The same, of a descriptor that is closed next, and is nobody else's: then the kernel stops
 * watching by itself. */
void loop_forget(struct loop *loop, struct watch *watch);

/* Calls `ready` once more in the next turn, for work that was cut short to be fair to others. */
void loop_again(struct loop *loop, struct watch *watch);

/* The monotonic clock, in ms. */
uint64_t clock_ms(void);

/* The wall clock, in ns since 1970. */
uint64_t clock_wall(void);
#define CLOCK_SECOND UINT64_C(1000000000)

#endif
