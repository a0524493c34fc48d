/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * control.h - the main thread: signals, the control socket, reloads, the watchdog, the end. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "control/learning.h"
#include "control/reload.h"

struct control {
    struct engine *engine;
    struct reload_source source;
    struct loop loop;
    struct mailbox mailbox;
    struct watch signal_watch;
    struct control_socket *socket; /* NULL when it is closed */
    struct learning learning;
    struct naming *naming; /* of devices */
    uint64_t started;      /* ms */

    bool reloading, reload_again;
    uint64_t last_revision;

    struct timeout_class watchdog_time, drain_check_time;
    struct timer watchdog, drain_check;
    size_t unanswered;    /* pings */
    size_t rounds;        /* questions that are on their way through the engine's threads */
    uint64_t drain_until; /* ms; 0: not draining */
};

/* The signals that control_run() takes; to be blocked before any thread is started. */
void control_block_signals(void);

/* Runs until it is told to stop, and has drained. False if it could not be set up. */
bool control_run(struct engine *engine, const struct reload_source *source) must_check;

/* Reads the configuration again, soon. */
void control_reload(struct control *control);

#endif
