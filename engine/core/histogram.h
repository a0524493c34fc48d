/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * histogram.h - how long something took, in buckets: one thread notes, any thread reads. */
#ifndef CORE_HISTOGRAM_H
#define CORE_HISTOGRAM_H

#include "core/counter.h"

#include <stddef.h>

#define HISTOGRAM_BOUNDS 13

/* In ms: a bucket has what took no longer. The last one, behind these, has the rest. */
static inline uint64_t histogram_bound(size_t bucket)
{
    static const uint16_t bounds[HISTOGRAM_BOUNDS] = {1,   2,   5,    10,   20,   50,   100,
                                                      200, 500, 1000, 2000, 5000, 10000};
    return bounds[bucket];
}

struct histogram {
    struct counter buckets[HISTOGRAM_BOUNDS + 1];
    struct counter sum; /* ms */
};

/* Only for the thread that owns it. */
static inline void histogram_add(struct histogram *histogram, uint64_t ms)
{
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BOUNDS && ms > histogram_bound(bucket))
        bucket++;
    counter_add(&histogram->buckets[bucket], 1);
    counter_add(&histogram->sum, ms);
}

#endif
