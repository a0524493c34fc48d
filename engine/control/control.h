/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * control.h - the main thread: signals, the control socket, reloads, the watchdog, the end. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "control/change.h"
#include "control/learning.h"
#include "control/reload.h"
#include "control/streams.h"

struct control {
    struct engine *engine;
    struct reload_source source;
    struct loop loop;
    struct mailbox mailbox;
    struct watch signal_watch;
    struct control_socket *socket; /* NULL when it is closed */
    struct streams streams;
    struct learning learning;
    struct naming *naming; /* of devices */
    uint64_t started;      /* ms */

    struct edits *edits;         /* in force */
    struct undos undos;          /* of how they became what they are */
    struct change *changing;     /* the one that is under way; NULL: none */
    struct change_queue waiting; /* for their turn */
    struct timeout_class expiry_time;
    struct timer expiry; /* runs while any edit expires */

    bool reloading;                        /* from the reading to the end of it */
    struct control_requests reloads;       /* who asked for the one under way, */
    struct control_requests reloads_after; /* and for one after it */
    bool reload_again;

    struct timeout_class watchdog_time, drain_check_time;
    struct timer watchdog, drain_check;
    struct timeout_class stats_time; /* 0 ms: there are none */
    struct timer stats;              /* of `stats` events */
    size_t unanswered;               /* pings */
    size_t unanswered_flushes;       /* of the kernel's rules */
    size_t rounds;        /* questions that are on their way through the engine's threads */
    uint64_t drain_until; /* ms; 0: not draining */
};

/* The signals that control_run() takes; to be blocked before any thread is started. */
void control_block_signals(void);

/* What was changed at run time before, and was to survive a restart: the policy with it, in place
 * of this one, and the edits themselves. What cannot be restored is logged. */
struct policy *control_restore(struct policy *policy, struct edits *edits) must_check;

/* Runs until it is told to stop, and has drained. The engine was started with `edits`, which go
 * over. False if it could not be set up. */
bool control_run(struct engine *engine, const struct reload_source *source,
                 struct edits *edits) must_check;

/* Reads the configuration again, soon. `request` is answered when it is in force, or why it is not;
 * NULL: nobody asks. */
void control_reload(struct control *control, struct control_request *request);

/* ---- for change.c ---- */

/* Another policy is in force. */
void control_changed(struct control *control);

/* What was read has come into force, or not. */
void control_reload_ended(struct control *control);

#endif
