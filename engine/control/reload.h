/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reload.h - reads the configuration again, in a thread of its own: compiling patterns may take
 * long, and meanwhile everything goes on. */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "control/engine.h"
#include "core/mailbox.h"

/* The configuration's source, borrowed for the program's life. */
struct reload_source {
    const char *path;
    const char *const *ignore; /* patterns of the command line */
    size_t ignore_count;
};

/* Reads, checks and compiles it. NULL after everything that is wrong was logged. */
struct policy *reload_read(const struct reload_source *source, uint64_t revision,
                           bool use_cache) must_check;

/* Starts reading; `done` is called through the mailbox with the change, ready to be applied, or
 * NULL if the old policy stays. False if it could not even start. */
bool reload_start(const struct reload_source *source, const struct engine *engine,
                  uint64_t revision, struct mailbox *mailbox,
                  void (*done)(void *receiver, struct engine_change *change)) must_check;

#endif
