/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/edits.h"

#include <string.h>

const char *const edit_list_names[EDIT_LISTS] = {
    [LIST_IGNORE] = "ignore", [LIST_ALLOW] = "allow", [LIST_TCP] = "tcp"};

/* ---- subjects ---- */

/* FNV-1a, of the text and of the NUL behind it. */
static uint32_t add_to_hash(uint32_t sum, const char *text)
{
    do
        sum = (sum ^ (unsigned char)*text) * UINT32_C(16777619);
    while (*text++ != '\0');
    return sum;
}

static uint32_t hash_of(const struct edit_subject *subject)
{
    uint32_t sum = UINT32_C(2166136261) + (uint32_t)subject->kind * 31 + (uint32_t)subject->list;
    sum = add_to_hash(sum, subject->device != NULL ? subject->device : "");
    return add_to_hash(sum, subject->text);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool edit_subject_equal(const struct edit_subject *a, const struct edit_subject *b)
{
    return a->kind == b->kind && a->list == b->list && same_text(a->device, b->device) &&
           same_text(a->text, b->text);
}

const char *pattern_id(enum edit_list list, const char *device, const char *text,
                       char id[static PATTERN_ID_SIZE])
{
    const struct edit_subject subject = {EDIT_PATTERN, list, device, text};
    snprintf(id, PATTERN_ID_SIZE, "%08x", (unsigned)hash_of(&subject));
    return id;
}

/* ---- the set ---- */

struct edits *edits_new(void)
{
    struct edits *edits = calloc(1, sizeof(*edits));
    CHECK(edits != NULL);
    TAILQ_INIT(&edits->items);
    return edits;
}

void edits_free(struct edits *edits)
{
    if (edits == NULL)
        return;
    arena_fini(&edits->arena);
    free(edits);
}

void edits_clear(struct edits *edits)
{
    arena_fini(&edits->arena);
    TAILQ_INIT(&edits->items);
    edits->count = edits->expiring = 0;
}

static const char *copy_text(struct edits *edits, const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = arena_strdup(&edits->arena, text);
    CHECK(copy != NULL);
    return copy;
}

static void append(struct edits *edits, const struct edit *edit)
{
    struct edit *copy = arena_alloc(&edits->arena, sizeof(*copy));
    CHECK(copy != NULL);
    *copy = *edit;
    copy->subject.device = copy_text(edits, edit->subject.device);
    copy->subject.text = copy_text(edits, edit->subject.text);
    copy->value = copy_text(edits, edit->value);
    copy->note = copy_text(edits, edit->note);
    copy->hash = hash_of(&edit->subject);
    TAILQ_INSERT_TAIL(&edits->items, copy, link);
    edits->count++;
    edits->expiring += edit->due != 0;
}

static bool has_expired(const struct edit *edit, uint64_t now)
{
    return edit->due != 0 && edit->due <= now;
}

struct edits *edits_copy(const struct edits *edits, uint64_t now)
{
    struct edits *copy = edits_new();
    const struct edit *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if (!has_expired(edit, now))
            append(copy, edit);
    return copy;
}

static bool is_about(const struct edit *edit, uint32_t hash, const struct edit_subject *subject)
{
    return edit->hash == hash && edit_subject_equal(&edit->subject, subject);
}

const struct edit *edits_find(const struct edits *edits, const struct edit_subject *subject)
{
    const uint32_t hash = hash_of(subject);
    const struct edit *found = NULL, *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if (is_about(edit, hash, subject) && (found == NULL || edit->due != 0))
            found = edit;
    return found;
}

bool edits_holds(const struct edits *edits, const struct edit *edit)
{
    const struct edit *other;
    if (edit->due != 0 || edits->expiring == 0)
        return true;
    TAILQ_FOREACH (other, &edits->items, link)
        if (other->due != 0 && is_about(other, edit->hash, &edit->subject))
            return false;
    return true;
}

static void remove_edit(struct edits *edits, struct edit *edit)
{
    TAILQ_REMOVE(&edits->items, edit, link);
    edits->count--;
    edits->expiring -= edit->due != 0;
}

static struct edit *next_of(struct edit *edit)
{
    return TAILQ_NEXT(edit, link);
}

void edits_put(struct edits *edits, const struct edit *edit)
{
    const uint32_t hash = hash_of(&edit->subject);
    struct edit *other = TAILQ_FIRST(&edits->items), *next;
    for (; other != NULL; other = next) {
        next = next_of(other);
        if ((edit->due == 0 || other->due != 0) && is_about(other, hash, &edit->subject))
            remove_edit(edits, other);
    }
    append(edits, edit);
}

void edits_drop(struct edits *edits, const struct edit_subject *subject)
{
    const uint32_t hash = hash_of(subject);
    struct edit *edit = TAILQ_FIRST(&edits->items), *next;
    for (; edit != NULL; edit = next) {
        next = next_of(edit);
        if (is_about(edit, hash, subject))
            remove_edit(edits, edit);
    }
}

void edits_drop_device(struct edits *edits, const char *device)
{
    struct edit *edit = TAILQ_FIRST(&edits->items), *next;
    for (; edit != NULL; edit = next) {
        next = next_of(edit);
        if (edit->subject.kind == EDIT_SETTING && same_text(edit->subject.device, device))
            remove_edit(edits, edit);
    }
}

void edits_take(struct edits *edits, const struct edits *other, const struct edit_subject *subject,
                uint64_t now)
{
    const uint32_t hash = hash_of(subject);
    const struct edit *edit;
    TAILQ_FOREACH (edit, &other->items, link)
        if (!has_expired(edit, now) && is_about(edit, hash, subject))
            append(edits, edit);
}

static const struct edit *find_kind(const struct edits *edits, const struct edit_subject *subject,
                                    bool expiring, uint64_t now)
{
    const uint32_t hash = hash_of(subject);
    const struct edit *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if ((edit->due != 0) == expiring && !has_expired(edit, now) &&
            is_about(edit, hash, subject))
            return edit;
    return NULL;
}

static bool same_edit(const struct edit *a, const struct edit *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->present == b->present && same_text(a->value, b->value) && a->due == b->due &&
           a->made == b->made;
}

bool edits_agree(const struct edits *a, const struct edits *b, const struct edit_subject *subject,
                 uint64_t now)
{
    return same_edit(find_kind(a, subject, false, now), find_kind(b, subject, false, now)) &&
           same_edit(find_kind(a, subject, true, now), find_kind(b, subject, true, now));
}

bool edits_persist(const struct edits *edits, const struct edit_subject *subject)
{
    const uint32_t hash = hash_of(subject);
    const struct edit *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if (edit->persist && is_about(edit, hash, subject))
            return true;
    return false;
}

uint64_t edits_next_due(const struct edits *edits)
{
    uint64_t due = 0;
    const struct edit *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if (edit->due != 0 && (due == 0 || edit->due < due))
            due = edit->due;
    return due;
}
