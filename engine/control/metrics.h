/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * metrics.h - how the engine is, in Prometheus' text format (version 0.0.4).
 *
 * A label's values are words of ours, of which there is an end: never a name, an address or a
 * device. */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include "control/engine.h"

/* The whole page, NUL-terminated; the caller frees it. Counters are read as they run: no two of
 * them at the same instant. */
char *metrics_page(struct engine *engine, uint64_t uptime_ms) must_check;

#endif
