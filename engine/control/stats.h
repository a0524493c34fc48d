/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * stats.h - how the engine is, in numbers. */
#ifndef CONTROL_STATS_H
#define CONTROL_STATS_H

#include "control/engine.h"
#include "core/jsonw.h"

/* Writes one JSON object, under that key. Counters are read as they run: no two of them at the same
 * instant. */
void stats_write(struct jsonw *json, const char *key, struct engine *engine,
                 const struct edits *edits, uint64_t uptime_ms);

/* Packets that the kernel has dropped since they found the queue full, and since they could not be
 * handed over. False where there is no queue, or its table may not be read: it is root's alone. */
bool stats_queue_losses(const struct gate *gate, uint64_t *full, uint64_t *user) must_check;

#endif
