/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * patterns.h - a list of regular expressions, tried against a text all at once.
 *
 * The answer is that of Python's re.search(pattern, text, re.IGNORECASE) for each pattern
 * (compiled.h has how). A list has parts: first the patterns of the configuration, of which some
 * may be masked, then what was added at run time. A change at run time makes a new list out of the
 * old one's parts, which are shared: so it costs what the new patterns cost, and not what all do.
 *
 * A list never changes: any number of threads may match against it, each with its own scratch.
 * Making one is slow (10,000 patterns: many seconds; one more: a millisecond): never on a thread
 * that packets wait for. */
#ifndef POLICY_PATTERNS_H
#define POLICY_PATTERNS_H

#include "policy/compiled.h"

struct patterns;

/* The patterns of a configuration. `sources` is borrowed for the list's life, and that of those
 * that are made of it. `cache` as in compiled.h. NULL if a pattern is bad: each one is in the
 * report, with the column. With errors in the report from before, the patterns are only checked. */
struct patterns *patterns_compile(const struct pattern_list *sources, const char *cache,
                                  struct report *report) must_check;

/* What was changed at run time, all of it. */
struct patterns_change {
    const char *const *removed; /* texts of patterns of the configuration's */
    size_t removed_count;
    struct pattern_list added; /* in the order in which they are tried; copied */
};

/* The configuration's patterns of `base` with this change, in place of any that `base` has. What
 * `before` has compiled of it already is used again (NULL: nothing). NULL if a pattern is bad: then
 * why is in the report. */
struct patterns *patterns_overlay(const struct patterns *base, const struct patterns *before,
                                  const struct patterns_change *change,
                                  struct report *report) must_check;
void patterns_free(struct patterns *patterns);

/* How many are tried. */
size_t patterns_count(const struct patterns *patterns);
struct patterns_split patterns_split(const struct patterns *patterns);

/* The configuration's, masked or not. */
size_t patterns_base_count(const struct patterns *patterns);
const struct pattern_source *patterns_base(const struct patterns *patterns, size_t index,
                                           bool *masked);

/* The first of the configuration's with this text; NULL if there is none. */
const struct pattern_source *patterns_base_find(const struct patterns *patterns, const char *text,
                                                bool *masked);

/* Makes the scratch fit for this list. `*scratch` may start as NULL. False if there is no memory.
 */
bool pattern_scratch_grow(struct pattern_scratch **scratch,
                          const struct patterns *patterns) must_check;

/* The first pattern, in order, that is found in any of the texts; NULL if none is. A pattern that
 * takes too long on a text counts as not found, and is logged once. */
const struct pattern_source *patterns_match(const struct patterns *patterns,
                                            struct pattern_scratch *scratch,
                                            const char *const texts[], size_t text_count);

/* True the first time it is called for this pattern of the list's. Any thread. */
bool patterns_first_time(const struct patterns *patterns, const struct pattern_source *source);

#endif
