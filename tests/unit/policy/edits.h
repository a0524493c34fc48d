/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * edits.h - edits in a line each, for the tests of this folder. cmocka.h must be included before.
 */
#ifndef TESTS_POLICY_EDITS_H
#define TESTS_POLICY_EDITS_H

#include "policy/edits.h"

static inline struct edit_subject pattern_of(const char *device, const char *text)
{
    return (struct edit_subject){EDIT_PATTERN, LIST_IGNORE, device, text};
}

static inline struct edit_subject setting_of(const char *device, const char *name)
{
    return (struct edit_subject){.kind = EDIT_SETTING, .device = device, .text = name};
}

static inline void put_pattern(struct edits *edits, const char *device, const char *text,
                               bool present, uint64_t due)
{
    edits_put(edits,
              &(struct edit){.subject = pattern_of(device, text), .present = present, .due = due});
}

static inline void put_setting(struct edits *edits, const char *device, const char *name,
                               const char *value, uint64_t due)
{
    edits_put(edits,
              &(struct edit){.subject = setting_of(device, name), .value = value, .due = due});
}

#endif
