/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * patterns.h - many regular expressions, tried against a text all at once.
 *
 * The answer is that of Python's re.search(pattern, text, re.IGNORECASE) for each pattern. All
 * patterns are one Hyperscan database. Those that Hyperscan can only approximate (lookaround,
 * atomic, possessive and conditional groups) are in it as a prefilter, and PCRE2 confirms a hit;
 * the few that it cannot even approximate, or not rightly (backreferences), are PCRE2's alone.
 *
 * A compiled set never changes: any number of threads may match against it, each with its own
 * scratch. Compiling is slow (10,000 patterns: many seconds): never on a thread that packets wait
 * for. */
#ifndef POLICY_PATTERNS_H
#define POLICY_PATTERNS_H

#include "policy/config.h"

struct patterns;
struct pattern_scratch;

/* `sources` is borrowed for the set's life. `cache` is a file that keeps the compiled database
 * between runs, or NULL; it is read if it fits these very patterns, and replaced if not. NULL if a
 * pattern is bad: each one is in the report, with the column. With errors in the report from
 * before, the patterns are only checked. */
struct patterns *patterns_compile(const struct pattern_list *sources, const char *cache,
                                  struct report *report) must_check;
void patterns_free(struct patterns *patterns);

size_t patterns_count(const struct patterns *patterns);

/* How many patterns each way of matching has, for the operator. */
struct patterns_split {
    size_t hyperscan, confirmed, pcre2;
};
struct patterns_split patterns_split(const struct patterns *patterns);

/* One thread's working memory, fit for every set it was grown for. `*scratch` starts as NULL. False
 * if there is no memory. */
bool pattern_scratch_grow(struct pattern_scratch **scratch,
                          const struct patterns *patterns) must_check;
void pattern_scratch_free(struct pattern_scratch *scratch);

/* The first pattern, in the order of the sources, that is found in any of the texts; NULL if none
 * is. A pattern that takes too long on a text counts as not found, and is logged once. */
const struct pattern_source *patterns_match(const struct patterns *patterns,
                                            struct pattern_scratch *scratch,
                                            const char *const texts[], size_t text_count);

#endif
