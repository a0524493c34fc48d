/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * undo.h - what the last changes were, so that each can be taken back. The control thread's. */
#ifndef CONTROL_UNDO_H
#define CONTROL_UNDO_H

#include "policy/edits.h"

/* So many can be taken back. */
#define UNDO_LIMIT 64

/* One change: what it was about, and what was said of that before and after. */
struct undo_step {
    uint64_t revision; /* 0: there is none */
    bool is_undo;      /* it has taken another one back */
    bool undone;       /* it was taken back */
    struct edits *subjects, *before, *after;
};

struct undos {
    struct undo_step steps[UNDO_LIMIT]; /* a ring: */
    size_t next;                        /* where the next one goes */
};

void undos_fini(struct undos *undos);

/* Adds a step, in place of the oldest. What it points to goes over. */
void undos_add(struct undos *undos, const struct undo_step *step);

/* The change that made this revision; with 0, the last one that was not taken back and took none
 * back. NULL if it is not known. */
struct undo_step *undos_find(struct undos *undos, uint64_t revision);

/* Says in `edits` what was said before the step, of what the step was about. False, and nothing is
 * done, if something else has been said since: `*changed` is of what. */
bool undo_apply(const struct undo_step *step, struct edits *edits,
                const struct edit_subject **changed) must_check;

#endif
