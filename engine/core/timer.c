/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/timer.h"

#include <limits.h>
#include <stddef.h>

void timeout_class_init(struct timeout_class *class, struct timeout_classes *classes,
                        uint64_t length)
{
    class->length = length;
    TAILQ_INIT(&class->running);
    SLIST_INSERT_HEAD(classes, class, link);
}

void timer_start(struct timer *timer, struct timeout_class *class, uint64_t now,
                 void (*fire)(struct timer *timer))
{
    timer_stop(timer);
    timer->class = class;
    timer->due = now + class->length;
    timer->fire = fire;
    TAILQ_INSERT_TAIL(&class->running, timer, link);
}

void timer_stop(struct timer *timer)
{
    if (timer->class == NULL)
        return;
    TAILQ_REMOVE(&timer->class->running, timer, link);
    timer->class = NULL;
}

void timers_fire(struct timeout_classes *classes, uint64_t now)
{
    struct timeout_class *class;
    SLIST_FOREACH (class, classes, link) {
        struct timer *timer;
        while ((timer = TAILQ_FIRST(&class->running)) != NULL && timer->due <= now) {
            timer_stop(timer);
            timer->fire(timer);
        }
    }
}

int timers_wait(const struct timeout_classes *classes, uint64_t now)
{
    uint64_t nearest = UINT64_MAX;
    const struct timeout_class *class;
    SLIST_FOREACH (class, classes, link) {
        const struct timer *first = TAILQ_FIRST(&class->running);
        if (first != NULL && first->due < nearest)
            nearest = first->due;
    }
    if (nearest == UINT64_MAX)
        return -1;
    if (nearest <= now)
        return 0;
    return nearest - now > INT_MAX ? INT_MAX : (int)(nearest - now);
}
