/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learning.h - what was learned outlives the process: it is read from a file at the start, written
 * to it when it has changed, and forgotten in time. The control thread's. */
#ifndef CONTROL_LEARNING_H
#define CONTROL_LEARNING_H

#include "control/engine.h"

struct learning {
    struct engine *engine;
    struct loop *loop;
    struct timeout_class time;
    struct timer timer;
    uint64_t version; /* that the file has */
};

/* Reads the file in the state directory, before anything is decided. A damaged one is put aside,
 * after that was logged. */
void learning_load(struct known *known, const struct config *config);

/* From now on changes are written down, some seconds after they were made. */
void learning_start(struct learning *learning, struct engine *engine, struct loop *loop);

/* Writes what is not written yet. */
void learning_stop(struct learning *learning);

#endif
