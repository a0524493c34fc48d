/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/current.h"

#include "policy/amend.h"

#include <string.h>

/* ---- patterns ---- */

struct walk {
    const struct policy *policy;
    const struct edits *edits;
    enum edit_list list;
    void (*each)(const struct current_pattern *pattern, void *context);
    void *context;
};

/* In the order of the file; of equal ones the first stands for all. */
static void walk_base(const struct walk *walk, const struct patterns *patterns, const char *device)
{
    for (size_t i = 0; i < patterns_base_count(patterns); i++) {
        bool masked; /* by the edits in force, which may be others */
        struct current_pattern pattern = {.source = patterns_base(patterns, i, &masked)};
        pattern.subject =
            (struct edit_subject){EDIT_PATTERN, walk->list, device, pattern.source->text};
        if (walk->edits->count > 0)
            pattern.edit = edits_find(walk->edits, &pattern.subject);
        pattern.enabled = pattern.edit == NULL || pattern.edit->present;
        walk->each(&pattern, walk->context);
    }
}

static bool is_of(const struct edit *edit, const struct walk *walk, const char *device)
{
    const struct edit_subject about = {EDIT_PATTERN, walk->list, device, edit->subject.text};
    return edit_subject_equal(&edit->subject, &about);
}

/* Those that are in no file. One that was taken out for a time is told all the same. */
static void walk_added(const struct walk *walk, const struct patterns *patterns, const char *device)
{
    const struct edit *edit;
    bool masked;
    TAILQ_FOREACH (edit, &walk->edits->items, link) {
        if (!is_of(edit, walk, device) ||
            patterns_base_find(patterns, edit->subject.text, &masked) != NULL ||
            !edits_holds(walk->edits, edit) || (!edit->present && edit->due == 0))
            continue;
        const struct current_pattern pattern = {
            .subject = edit->subject, .enabled = edit->present, .edit = edit};
        walk->each(&pattern, walk->context);
    }
}

static void walk_list(const struct walk *walk, const char *device)
{
    const struct patterns *patterns = policy_list(walk->policy, walk->list, device);
    if (patterns == NULL)
        return;
    walk_base(walk, patterns, device);
    walk_added(walk, patterns, device);
}

static void walk_sections(const struct walk *walk, const struct device_config *device)
{
    char name[SECTION_NAME_SIZE];
    for (; device != NULL; device = device->next)
        walk_list(walk, amend_section_name(device, name));
}

void current_patterns(const struct policy *policy, const struct edits *edits, enum edit_list list,
                      const char *device, bool each_device,
                      void (*each)(const struct current_pattern *pattern, void *context),
                      void *context)
{
    const struct walk walk = {policy, edits, list, each, context};
    walk_list(&walk, device);
    if (device != NULL || !each_device || list != LIST_IGNORE)
        return;
    walk_sections(&walk, policy_config(policy)->devices);
    walk_sections(&walk, policy_config(policy)->overlays);
}

bool current_pattern(struct current_pattern *pattern, const struct policy *policy,
                     const struct edits *edits, const struct edit_subject *subject)
{
    const struct patterns *patterns = policy_list(policy, subject->list, subject->device);
    bool masked = true;
    *pattern = (struct current_pattern){.subject = *subject, .edit = edits_find(edits, subject)};
    if (patterns != NULL)
        pattern->source = patterns_base_find(patterns, subject->text, &masked);
    pattern->enabled = pattern->edit != NULL ? pattern->edit->present : pattern->source != NULL;
    return pattern->source != NULL || pattern->edit != NULL;
}

const char *current_place(const struct current_pattern *pattern, char text[static PLACE_TEXT_SIZE])
{
    char id[PATTERN_ID_SIZE];
    const struct edit_subject *subject = &pattern->subject;
    if (pattern->source != NULL)
        return place_text(&pattern->source->place, text);
    snprintf(text, PLACE_TEXT_SIZE, "interceptctl:%s",
             pattern_id(subject->list, subject->device, subject->text, id));
    return text;
}

/* ---- settings ---- */

/* As the section has it; NULL if it leaves that open. */
static const char *section_setting(const struct device_config *device, const char *name,
                                   char buffer[static SETTING_SIZE])
{
    static const char *const quic[] = {[QUIC_REFUSE] = "refuse", [QUIC_PASS] = "pass"};
    if (strcmp(name, "intercept") == 0)
        return device->inherits ? NULL : device->intercept ? "yes" : "no";
    if (strcmp(name, "quic") == 0)
        return device->quic != QUIC_UNSET ? quic[device->quic] : NULL;
    if (strcmp(name, "name") == 0)
        return device->name;
    const bool is_mac = strcmp(name, "mac") == 0;
    if (is_mac ? !device->has_mac : !device->has_address)
        return NULL;
    struct device_config known_by = *device;
    known_by.has_mac = is_mac;
    return amend_device_text(&known_by, buffer);
}

const char *current_setting(const struct policy *policy, const struct edits *edits,
                            const struct edit_subject *subject, const struct edit **edit,
                            char buffer[static SETTING_SIZE])
{
    const struct config *file = policy_file(policy);
    *edit = edits_find(edits, subject);
    if (*edit != NULL)
        return (*edit)->value;
    if (subject->device != NULL) {
        const struct device_config *device = amend_section(file, subject->device);
        return device != NULL ? section_setting(device, subject->text, buffer) : NULL;
    }
    const struct schema_key *key = amend_key(subject->text);
    return key != NULL ? file->given[key - schema].text : NULL;
}
