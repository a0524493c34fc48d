/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * compiled.h - many regular expressions, tried against a text all at once.
 *
 * All patterns are one Hyperscan database. Those that Hyperscan can only approximate (lookaround,
 * atomic, possessive and conditional groups) are in it as a prefilter, and PCRE2 confirms a hit;
 * the few that it cannot even approximate, or not rightly (backreferences), are PCRE2's alone.
 *
 * A compiled set never changes, and whoever holds a reference may match against it, in any thread.
 * Compiling is slow (10,000 patterns: many seconds; one: a millisecond): never on a thread that
 * packets wait for. */
#ifndef POLICY_COMPILED_H
#define POLICY_COMPILED_H

#include "policy/config.h"
#include "policy/pattern_scratch.h"

struct compiled;

/* `sources` is borrowed for the set's life. `cache` is a file that keeps the compiled database
 * between runs, or NULL; it is read if it fits these very patterns, and replaced if not. NULL if a
 * pattern is bad: each one is in the report, with the column. With errors in the report from
 * before, the patterns are only checked. The caller has the one reference. */
struct compiled *compiled_new(const struct pattern_list *sources, const char *cache,
                              struct report *report) must_check;

/* The same with a copy of the sources, which the set owns. */
struct compiled *compiled_new_own(const struct pattern_list *sources,
                                  struct report *report) must_check;

/* Any thread. */
struct compiled *compiled_ref(struct compiled *compiled);
void compiled_unref(struct compiled *compiled);

/* True if the pattern is good; if not, why is in the report. */
bool compiled_check(const struct pattern_source *source, struct report *report) must_check;

size_t compiled_count(const struct compiled *compiled);
const struct pattern_source *compiled_source(const struct compiled *compiled, size_t index);

/* A number made of a pattern's text, for finding it quickly: equal texts have equal ones. */
uint32_t compiled_hash(const char *text);

/* The place of the first pattern with this very text from `start` on; SIZE_MAX if there is none. */
size_t compiled_find_text(const struct compiled *compiled, const char *text, size_t start);

/* The place of a pattern of the set's; SIZE_MAX if it is none of them. */
size_t compiled_index(const struct compiled *compiled, const struct pattern_source *source);

/* True the first time it is called for this pattern. Any thread. */
bool compiled_first_time(struct compiled *compiled, size_t index);

/* How many patterns each way of matching has, for the operator. */
struct patterns_split {
    size_t hyperscan, confirmed, pcre2;
};

/* Adds those that are not masked. */
void compiled_split(const struct compiled *compiled, const uint8_t *mask,
                    struct patterns_split *split);

/* Makes the scratch fit for this set. False if there is no memory. */
bool compiled_fit(const struct compiled *compiled, struct pattern_scratch *scratch) must_check;

/* The place of the first pattern, in the order of the sources, that is found in any of the texts;
 * SIZE_MAX if none is. A pattern whose bit is set in `mask` (NULL: none) is as if it was not there.
 * A pattern that takes too long on a text counts as not found, and is logged once. */
size_t compiled_match(const struct compiled *compiled, const uint8_t *mask,
                      struct pattern_scratch *scratch, const char *const texts[],
                      size_t text_count);

static inline bool mask_has(const uint8_t *mask, size_t index)
{
    return mask != NULL && (mask[index >> 3] & 1u << (index & 7)) != 0;
}

static inline void mask_set(uint8_t *mask, size_t index)
{
    mask[index >> 3] |= (uint8_t)(1u << (index & 7));
}

static inline size_t mask_size(size_t count)
{
    return (count + 7) / 8;
}

#endif
