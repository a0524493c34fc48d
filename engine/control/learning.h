/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learning.h - what was learned outlives the process: it is read from a file at the start, written
 * to it when it has changed, and forgotten in time, or when the operator says so. The control
 * thread's. */
#ifndef CONTROL_LEARNING_H
#define CONTROL_LEARNING_H

#include "control/engine.h"

struct learning {
    struct engine *engine;
    struct loop *loop;
    struct mailbox *mailbox; /* the control thread's */
    struct timeout_class time;
    struct timer timer;
    struct learned_version written; /* what the file has */
    bool failing;                   /* it could not be written, and that was logged */
    size_t rounds;                  /* on their way through the engine's threads */
};

/* Reads the file in the state directory, before anything is decided. A damaged one is put aside,
 * after that was logged, and nothing is known then. */
void learning_load(struct known *known, const struct config *config);

/* From now on changes are written down, some seconds after they were made. */
void learning_start(struct learning *learning, struct engine *engine, struct loop *loop,
                    struct mailbox *mailbox);

/* Writes what is not written yet. The mailbox has to live, and the engine to run, till there are no
 * rounds any more. */
void learning_stop(struct learning *learning);

/* The operator's word. False if there is no such finding. */
bool learning_forget(struct learning *learning, uint64_t id) must_check;
bool learning_keep(struct learning *learning, uint64_t id) must_check;

/* No new connection passes by what was forgotten before, in the kernel either, when `done` is
 * called, in this thread; with whether the kernel has done its part. */
void learning_settle(struct learning *learning, void (*done)(void *context, bool flushed),
                     void *context);

#endif
