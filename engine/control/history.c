/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/history.h"

#include "core/loop.h"

static void free_step(struct history_step *step)
{
    edits_free(step->subjects);
    edits_free(step->before);
    edits_free(step->after);
    *step = (struct history_step){0};
}

void history_fini(struct history *history)
{
    for (size_t i = 0; i < HISTORY_LIMIT; i++)
        free_step(&history->steps[i]);
}

void history_add(struct history *history, const struct history_step *step)
{
    struct history_step *place = &history->steps[history->next];
    free_step(place);
    *place = *step;
    history->next = (history->next + 1) % HISTORY_LIMIT;
}

struct history_step *history_find(struct history *history, uint64_t revision)
{
    struct history_step *found = NULL;
    for (size_t i = 0; i < HISTORY_LIMIT; i++) {
        struct history_step *step = &history->steps[i];
        if (step->revision == 0 || (revision != 0 && step->revision != revision) ||
            (revision == 0 && (step->is_undo || step->undone)))
            continue;
        if (found == NULL || step->revision > found->revision)
            found = step;
    }
    return found;
}

bool history_undo(const struct history_step *step, struct edits *edits,
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
