/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pattern_scratch.h - one thread's working memory for matching patterns, fit for every database it
 * was grown for. The policies of a thread share it: connections keep old ones alive for long. */
#ifndef POLICY_PATTERN_SCRATCH_H
#define POLICY_PATTERN_SCRATCH_H

#include "core/macros.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <hs/hs.h>
#include <pcre2.h>
#include <stdbool.h>

struct pattern_scratch {
    unsigned references;     /* plain: it is one thread's */
    hs_scratch_t *hyperscan; /* NULL: no database yet */
    pcre2_match_data *match_data;
    pcre2_match_context *match_context;
    pcre2_jit_stack *jit_stack;
};

/* NULL if there is no memory. */
struct pattern_scratch *pattern_scratch_new(void) must_check;

/* Another one, for another thread, fit for the same databases. The model must not be in use. NULL
 * if there is no memory. */
struct pattern_scratch *pattern_scratch_clone(const struct pattern_scratch *model) must_check;

struct pattern_scratch *pattern_scratch_ref(struct pattern_scratch *scratch);
void pattern_scratch_free(struct pattern_scratch *scratch); /* one reference */

/* Each becomes what the other was, for all who have a reference. */
void pattern_scratch_swap(struct pattern_scratch *a, struct pattern_scratch *b);

/* False if there is no memory; then it is as it was. */
bool pattern_scratch_fit(struct pattern_scratch *scratch, const hs_database_t *database) must_check;

#endif
