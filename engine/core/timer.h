/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * timer.h - timeouts of a few constant lengths.
 *
 * A timeout class is a length in milliseconds with a queue of the timers that run for it. Since all
 * of them run equally long, the queue is in the order of their ends: starting, stopping and
 * finding what is due cost the same however many there are. One thread; time is passed in. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct timer {
    TAILQ_ENTRY(timer) link;
    struct timeout_class *class; /* NULL while it is not running */
    uint64_t due;                /* ms, on the clock of `now` */
    void (*fire)(struct timer *timer);
};

struct timeout_class {
    uint64_t length; /* ms */
    TAILQ_HEAD(timer_queue, timer) running;
    SLIST_ENTRY(timeout_class) link;
};

SLIST_HEAD(timeout_classes, timeout_class);

void timeout_class_init(struct timeout_class *class, struct timeout_classes *classes,
                        uint64_t length);

/* Starts the timer, or starts it again, to fire `class->length` ms after `now`. A timer lives in
 * its owner, all-zero before the first start, and must be stopped before the owner is freed. */
void timer_start(struct timer *timer, struct timeout_class *class, uint64_t now,
                 void (*fire)(struct timer *timer));
void timer_stop(struct timer *timer);

/* Fires everything that is due. A firing timer is stopped already, and may be started again. */
void timers_fire(struct timeout_classes *classes, uint64_t now);

/* Milliseconds until the next timer is due, for epoll_wait(): -1 if none runs. */
int timers_wait(const struct timeout_classes *classes, uint64_t now);

#endif
