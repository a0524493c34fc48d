/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * basis.h - a configuration as it was read, and what was compiled of it: what the policies that
 * follow each other by edits at run time (edits.h) have in common.
 *
 * It never changes; whoever has a reference may look at it, in any thread. */
#ifndef POLICY_BASIS_H
#define POLICY_BASIS_H

#include "policy/patterns.h"
#include "tls/constraints.h"

#include <stdatomic.h>

struct basis {
    atomic_uint references;
    struct config *config;
    struct patterns *ignore, *allow, *tcp;
    struct patterns **destinations; /* as many as the configuration has, in its order */
    size_t destination_count;
    struct patterns **devices; /* likewise */
    size_t device_count;
    NAME_CONSTRAINTS *constraints; /* of our CA; NULL: none */
};

/* Takes over the configuration. `use_cache`: keep compiled patterns in the state directory. NULL if
 * a pattern is bad, or the report had errors before. The caller has the one reference. Slow. */
struct basis *basis_new(struct config *config, bool use_cache, struct report *report) must_check;

struct basis *basis_ref(struct basis *basis);
void basis_unref(struct basis *basis); /* NULL is harmless */

#endif
