/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * history.h - what the last changes were, so that each can be taken back. The control thread's. */
#ifndef CONTROL_HISTORY_H
#define CONTROL_HISTORY_H

#include "policy/edits.h"

/* So many can be taken back. */
#define HISTORY_LIMIT 64

/* One change: what it was about, and what was said of that before and after. */
struct history_step {
    uint64_t revision; /* 0: there is none */
    bool is_undo;      /* it has taken another one back */
    bool undone;       /* it was taken back */
    struct edits *subjects, *before, *after;
};

struct history {
    struct history_step steps[HISTORY_LIMIT]; /* a ring: */
    size_t next;                              /* where the next one goes */
};

void history_fini(struct history *history);

/* Adds a step, in place of the oldest. What it points to goes over. */
void history_add(struct history *history, const struct history_step *step);

/* The change that made this revision; with 0, the last one that was not taken back and took none
 * back. NULL if it is not known. */
struct history_step *history_find(struct history *history, uint64_t revision);

/* Says in `edits` what was said before the step, of what the step was about. False, and nothing is
 * done, if something else has been said since: `*changed` is of what. */
bool history_undo(const struct history_step *step, struct edits *edits,
                  const struct edit_subject **changed) must_check;

#endif
