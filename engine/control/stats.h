/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * stats.h - how the engine is, in numbers. */
#ifndef CONTROL_STATS_H
#define CONTROL_STATS_H

#include "control/engine.h"
#include "core/jsonw.h"

/* Writes one JSON object. Counters are read as they run: no two of them at the same instant. */
void stats_write(struct jsonw *json, struct engine *engine, const struct edits *edits,
                 uint64_t uptime_ms);

#endif
