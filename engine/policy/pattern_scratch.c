/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/pattern_scratch.h"

/* How much backtracking one match may do before it counts as "not found": with the JIT, the worst
 * pattern then holds a SYN up for about a millisecond. */
#define MATCH_LIMIT 100000

struct pattern_scratch *pattern_scratch_new(void)
{
    struct pattern_scratch *scratch = calloc(1, sizeof(*scratch));
    if (scratch == NULL)
        return NULL;
    scratch->references = 1;
    scratch->match_data = pcre2_match_data_create(1, NULL);
    scratch->match_context = pcre2_match_context_create(NULL);
    scratch->jit_stack = pcre2_jit_stack_create((size_t)32 << 10, (size_t)512 << 10, NULL);
    if (scratch->match_data == NULL || scratch->match_context == NULL) {
        pattern_scratch_free(scratch);
        return NULL;
    }
    pcre2_set_match_limit(scratch->match_context, MATCH_LIMIT);
    if (scratch->jit_stack != NULL)
        pcre2_jit_stack_assign(scratch->match_context, NULL, scratch->jit_stack);
    return scratch;
}

struct pattern_scratch *pattern_scratch_clone(const struct pattern_scratch *model)
{
    struct pattern_scratch *scratch = pattern_scratch_new();
    if (scratch != NULL && model->hyperscan != NULL &&
        hs_clone_scratch(model->hyperscan, &scratch->hyperscan) != HS_SUCCESS) {
        pattern_scratch_free(scratch);
        return NULL;
    }
    return scratch;
}

struct pattern_scratch *pattern_scratch_ref(struct pattern_scratch *scratch)
{
    scratch->references++;
    return scratch;
}

void pattern_scratch_free(struct pattern_scratch *scratch)
{
    if (scratch == NULL || --scratch->references > 0)
        return;
    hs_free_scratch(scratch->hyperscan);
    pcre2_jit_stack_free(scratch->jit_stack);
    pcre2_match_context_free(scratch->match_context);
    pcre2_match_data_free(scratch->match_data);
    free(scratch);
}

void pattern_scratch_swap(struct pattern_scratch *a, struct pattern_scratch *b)
{
    struct pattern_scratch was = *a;
    const unsigned references = b->references;
    *a = *b;
    *b = was;
    a->references = was.references;
    b->references = references;
}

bool pattern_scratch_fit(struct pattern_scratch *scratch, const hs_database_t *database)
{
    return hs_alloc_scratch(database, &scratch->hyperscan) == HS_SUCCESS;
}
