/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reload.h - reads the configuration again, in a thread of its own: compiling patterns may take
 * long, and meanwhile everything goes on, edits included. */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "control/engine.h"
#include "core/mailbox.h"

#include <jansson.h>

/* The configuration's source, borrowed for the program's life. */
struct reload_source {
    const char *path;
    const char *const *ignore; /* patterns of the command line */
    size_t ignore_count;
};

/* Reads, checks and compiles it. NULL after everything that is wrong was logged. */
struct policy *reload_read(const struct reload_source *source, uint64_t revision,
                           bool use_cache) must_check;

/* What came of it: to be freed with reload_free(), but for what was taken over. */
struct reload {
    struct message message;
    struct reload_source source;
    const struct engine *engine;
    struct policy *running; /* a reference */
    struct mailbox *mailbox;
    void (*done)(void *receiver, struct reload *reload);

    struct policy *policy;  /* NULL: it is not good */
    struct engine_tls *tls; /* what belongs to it */
    json_t *errors, *warnings;
};

/* Starts reading; `done` is called through the mailbox. False with errno if it could not start. */
bool reload_start(const struct reload_source *source, const struct engine *engine,
                  struct mailbox *mailbox,
                  void (*done)(void *receiver, struct reload *reload)) must_check;
void reload_free(struct reload *reload);

#endif
