/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lists.h - all patterns of a policy: those of the configuration, as edits at run time leave them.
 *
 * Owned by the policy, and as immutable as it is. */
#ifndef POLICY_LISTS_H
#define POLICY_LISTS_H

#include "policy/basis.h"
#include "policy/edits.h"

struct lists {
    const struct config *config; /* whose sections these are; borrowed */
    struct patterns *ignore, *allow, *tcp;
    struct patterns **devices;  /* as many as the configuration has, in its order */
    struct patterns **overlays; /* likewise */
};

/* Makes them of what the basis has compiled and of what `before` (NULL: nothing) has, by the
 * sections of `config`: new patterns are compiled, and nothing else. False if a pattern is bad:
 * then why is in the report. */
bool lists_init(struct lists *lists, const struct basis *basis, const struct config *config,
                const struct lists *before, const struct edits *edits,
                struct report *report) must_check;
void lists_fini(struct lists *lists);

/* One list; of a device (NULL: for all) its patterns to ignore. NULL if it has no section, or the
 * list is none of a device. */
const struct patterns *lists_find(const struct lists *lists, enum edit_list list,
                                  const char *device);

/* Makes the scratch fit for all of them. False if there is no memory. */
bool lists_grow_scratch(const struct lists *lists, struct pattern_scratch **scratch) must_check;

#endif
