/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * followed.h - the way from the thread that writes lines to one that follows them: a ring of
 * limited size, so that the writer never waits. The follower sleeps on a descriptor. */
#ifndef EVENT_FOLLOWED_H
#define EVENT_FOLLOWED_H

#include "core/ring.h"

struct followed {
    struct ring ring;       /* once there was a follower */
    int news;               /* eventfd: there is something in the ring */
    bool put;               /* since the follower was told last; the writer's */
    atomic_bool asleep;     /* the follower waits to be told */
    _Atomic(uint64_t) lost; /* lines that found no room */
};

/* False with errno. */
bool followed_init(struct followed *followed) must_check;
void followed_fini(struct followed *followed);

/* The follower: to be called before lines are put. What was put for one before it is gone. False if
 * there is no memory. */
bool followed_begin(struct followed *followed) must_check;

/* The writer: a line; and after some lines. */
void followed_put(struct followed *followed, const char *line, size_t length);
void followed_tell(struct followed *followed);

/* The follower: the next line, valid until followed_taken(). NULL if there is none for now: then
 * `*lost` is how many found no room since it was asked for. To be called until it is NULL. */
const char *followed_next(struct followed *followed, size_t *length, uint64_t *lost);
void followed_taken(struct followed *followed);

#endif
