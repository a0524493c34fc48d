/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/undo.h"

#include "core/loop.h"

static void free_step(struct undo_step *step)
{
    edits_free(step->subjects);
    edits_free(step->before);
    edits_free(step->after);
    *step = (struct undo_step){0};
}

void undos_fini(struct undos *undos)
{
    for (size_t i = 0; i < UNDO_LIMIT; i++)
        free_step(&undos->steps[i]);
}

void undos_add(struct undos *undos, const struct undo_step *step)
{
    struct undo_step *place = &undos->steps[undos->next];
    free_step(place);
    *place = *step;
    undos->next = (undos->next + 1) % UNDO_LIMIT;
}

struct undo_step *undos_find(struct undos *undos, uint64_t revision)
{
    struct undo_step *found = NULL;
    for (size_t i = 0; i < UNDO_LIMIT; i++) {
        struct undo_step *step = &undos->steps[i];
        if (step->revision == 0 || (revision != 0 && step->revision != revision) ||
            (revision == 0 && (step->is_undo || step->undone)))
            continue;
        if (found == NULL || step->revision > found->revision)
            found = step;
    }
    return found;
}

bool undo_apply(const struct undo_step *step, struct edits *edits,
                const struct edit_subject **changed)
{
    const struct edit *about;
    const uint64_t now = clock_ms();
    TAILQ_FOREACH (about, &step->subjects->items, link) {
        *changed = &about->subject;
        if (!edits_agree(step->after, edits, &about->subject, now))
            return false;
    }
    TAILQ_FOREACH (about, &step->subjects->items, link) {
        edits_drop(edits, &about->subject);
        edits_take(edits, step->before, &about->subject, now);
    }
    return true;
}
