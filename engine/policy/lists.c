/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/lists.h"

#include "policy/amend.h"
#include "policy/pattern_file.h"

#include <string.h>

/* ---- one list ---- */

/* What the edits say of one list. */
struct gathering {
    struct patterns_change change;
    const char **removed;
    struct arena arena;
};

static void gather(struct gathering *gathering, const struct edit *edit,
                   const struct patterns *base)
{
    const struct edit_subject *subject = &edit->subject;
    bool masked;
    const bool is_base = patterns_base_find(base, subject->text, &masked) != NULL;
    if (!edit->present && is_base)
        gathering->removed[gathering->change.removed_count++] = subject->text;
    if (!edit->present || is_base)
        return;
    char id[PATTERN_ID_SIZE], place[sizeof("interceptctl:") + PATTERN_ID_SIZE];
    snprintf(place, sizeof(place), "interceptctl:%s",
             pattern_id(subject->list, subject->device, subject->text, id));
    const struct pattern_source source = {
        .text = subject->text, .place.file = arena_strdup(&gathering->arena, place), .column = 1};
    CHECK(source.place.file != NULL &&
          pattern_list_add(&gathering->change.added, &gathering->arena, source));
}

/* The list with the edits that are about it. */
static struct patterns *edit_one(const struct patterns *base, const struct patterns *before,
                                 const struct edits *edits, const struct edit_subject *list,
                                 struct report *report)
{
    struct gathering gathering = {.removed = calloc(edits->count + 1, sizeof(char *))};
    const struct edit *edit;
    CHECK(gathering.removed != NULL);
    gathering.change.removed = gathering.removed;
    TAILQ_FOREACH (edit, &edits->items, link) {
        struct edit_subject about = edit->subject;
        about.text = list->text;
        if (edit_subject_equal(&about, list) && edits_holds(edits, edit))
            gather(&gathering, edit, base);
    }
    struct patterns *patterns = patterns_overlay(base, before, &gathering.change, report);
    arena_fini(&gathering.arena);
    free(gathering.removed);
    return patterns;
}

/* ---- those of devices ---- */

static size_t count_sections(const struct device_config *device)
{
    size_t count = 0;
    for (; device != NULL; device = device->next)
        count++;
    return count;
}

static size_t index_of(const struct device_config *device, const char *section)
{
    size_t index = 0;
    for (; device != NULL; device = device->next, index++)
        if (strcmp(device->scope.section, section) == 0)
            return index;
    return SIZE_MAX;
}

/* What was made of the patterns of the section with this title; NULL if there is none. */
static const struct patterns *section_patterns(const struct lists *lists, const char *section)
{
    if (lists == NULL)
        return NULL;
    size_t index = index_of(lists->config->overlays, section);
    if (index != SIZE_MAX)
        return lists->overlays[index];
    index = index_of(lists->config->devices, section);
    return index != SIZE_MAX ? lists->devices[index] : NULL;
}

/* For each section, of what the basis has compiled of it (`base`), or of nothing. */
static struct patterns **edit_sections(const struct device_config *device,
                                       struct patterns *const *base, const struct patterns *nothing,
                                       const struct lists *before, const struct edits *edits,
                                       struct report *report)
{
    struct patterns **made = calloc(count_sections(device) + 1, sizeof(*made));
    char name[SECTION_NAME_SIZE];
    CHECK(made != NULL);
    for (size_t i = 0; device != NULL; i++, device = device->next) {
        const struct edit_subject about = {EDIT_PATTERN, LIST_IGNORE,
                                           amend_section_name(device, name), ""};
        made[i] = edit_one(base != NULL ? base[i] : nothing,
                           section_patterns(before, device->scope.section), edits, &about, report);
    }
    return made;
}

/* ---- all of them ---- */

static struct patterns *edit_common(const struct patterns *base, const struct patterns *before,
                                    const struct edits *edits, enum edit_list list,
                                    struct report *report)
{
    const struct edit_subject about = {EDIT_PATTERN, list, NULL, ""};
    return edit_one(base, before, edits, &about, report);
}

bool lists_init(struct lists *lists, const struct basis *basis, const struct config *config,
                const struct lists *before, const struct edits *edits, struct report *report)
{
    static const struct lists none;
    static const struct pattern_list no_patterns;
    const struct lists *old = before != NULL ? before : &none;
    const size_t errors = report->errors;
    struct patterns *nothing = patterns_compile(&no_patterns, NULL, report);
    lists->config = config;
    lists->ignore = edit_common(basis->ignore, old->ignore, edits, LIST_IGNORE, report);
    lists->allow = edit_common(basis->allow, old->allow, edits, LIST_ALLOW, report);
    lists->tcp = edit_common(basis->tcp, old->tcp, edits, LIST_TCP, report);
    lists->devices = edit_sections(config->devices, basis->devices, nothing, before, edits, report);
    lists->overlays = edit_sections(config->overlays, NULL, nothing, before, edits, report);
    patterns_free(nothing);
    return report->errors == errors;
}

static void free_sections(struct patterns **patterns, const struct device_config *device)
{
    for (size_t i = 0; patterns != NULL && device != NULL; i++, device = device->next)
        patterns_free(patterns[i]);
    free(patterns);
}

void lists_fini(struct lists *lists)
{
    if (lists->config == NULL)
        return;
    patterns_free(lists->ignore);
    patterns_free(lists->allow);
    patterns_free(lists->tcp);
    free_sections(lists->devices, lists->config->devices);
    free_sections(lists->overlays, lists->config->overlays);
}

const struct patterns *lists_find(const struct lists *lists, enum edit_list list,
                                  const char *device)
{
    struct patterns *const common[] = {
        [LIST_IGNORE] = lists->ignore, [LIST_ALLOW] = lists->allow, [LIST_TCP] = lists->tcp};
    if (device == NULL)
        return common[list];
    const struct device_config *section = amend_section(lists->config, device);
    if (list != LIST_IGNORE || section == NULL)
        return NULL;
    return section_patterns(lists, section->scope.section);
}

static bool grow_for_sections(struct pattern_scratch **scratch, struct patterns *const *patterns,
                              const struct device_config *device)
{
    bool good = true;
    for (size_t i = 0; device != NULL && good; i++, device = device->next)
        good = pattern_scratch_grow(scratch, patterns[i]);
    return good;
}

bool lists_grow_scratch(const struct lists *lists, struct pattern_scratch **scratch)
{
    return pattern_scratch_grow(scratch, lists->ignore) &&
           pattern_scratch_grow(scratch, lists->allow) &&
           pattern_scratch_grow(scratch, lists->tcp) &&
           grow_for_sections(scratch, lists->devices, lists->config->devices) &&
           grow_for_sections(scratch, lists->overlays, lists->config->overlays);
}
