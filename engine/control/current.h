/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * current.h - what patterns and settings there are, by the configuration in force and by edits. */
#ifndef CONTROL_CURRENT_H
#define CONTROL_CURRENT_H

#include "policy/policy.h"

/* A pattern of a list, as it stands. */
struct current_pattern {
    struct edit_subject subject;
    bool enabled;
    const struct pattern_source *source; /* where it stands in the configuration; NULL: nowhere */
    const struct edit *edit;             /* that says so; NULL: none does */
};

/* Calls `each` for the list's patterns for all devices, in order; and for those of each device, or
 * of one alone (`device`), if `each_device`. */
void current_patterns(const struct policy *policy, const struct edits *edits, enum edit_list list,
                      const char *device, bool each_device,
                      void (*each)(const struct current_pattern *pattern, void *context),
                      void *context);

/* The pattern with this subject. False if there is none, enabled or not. */
bool current_pattern(struct current_pattern *pattern, const struct policy *policy,
                     const struct edits *edits, const struct edit_subject *subject);

/* Where it stands: "file:line", or "interceptctl:ID". Returns `text`. */
const char *current_place(const struct current_pattern *pattern, char text[static PLACE_TEXT_SIZE]);

/* The value of a setting, and the edit that says so (NULL: none); NULL if it has no value. `buffer`
 * may be used for it. */
#define SETTING_SIZE 160
const char *current_setting(const struct policy *policy, const struct edits *edits,
                            const struct edit_subject *subject, const struct edit **edit,
                            char buffer[static SETTING_SIZE]);

#endif
