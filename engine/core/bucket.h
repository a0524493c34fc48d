/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bucket.h - a limit on how often something is done: a token bucket. One thread. */
#ifndef CORE_BUCKET_H
#define CORE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* All-zero it is full. */
struct bucket {
    uint32_t spent;    /* of the burst */
    uint64_t refilled; /* ms, on the clock of `now` */
};

/* True if it may be done now: `burst` times at once, and in the long run `rate` times a second. */
static inline bool bucket_take(struct bucket *bucket, uint64_t now, uint32_t rate, uint32_t burst)
{
    uint64_t earned = (now - bucket->refilled) * rate / 1000;
    if (earned > 0) {
        bucket->refilled = now;
        bucket->spent = earned < bucket->spent ? bucket->spent - (uint32_t)earned : 0;
    }
    if (bucket->spent >= burst)
        return false;
    bucket->spent++;
    return true;
}

#endif
