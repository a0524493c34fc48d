/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pattern.h - one regular expression, and who finds it.
 *
 * The answer is that of Python's re.search(pattern, text, re.IGNORECASE). Hyperscan finds most of
 * them, all at once (database.h); PCRE2 confirms those that Hyperscan can only approximate, and
 * finds by itself those that it cannot even approximate, or not rightly. */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include "policy/config.h"
#include "policy/pattern_scratch.h"

#include <stdatomic.h>

/* Who finds a pattern, from the fastest; each takes what the one before it refuses. */
enum finder { FINDER_HYPERSCAN, FINDER_CONFIRMED, FINDER_PCRE2 };

struct pattern {
    const struct pattern_source *source;
    char *text; /* translated for Hyperscan; freed once the database is there */
    enum finder finder;
    pcre2_code *code;       /* NULL for FINDER_HYPERSCAN, once it is finished */
    atomic_flag limit_told; /* that it takes too long */
    atomic_flag told;       /* see compiled_first_time() */
};

/* Compiles the source, which is borrowed. A bad one is in the report, with its column. */
void pattern_compile(struct pattern *pattern, const struct pattern_source *source,
                     struct report *report);

/* When it is known who finds it: frees what only compiling needed, and makes PCRE2 ready. */
void pattern_finish(struct pattern *pattern);
void pattern_fini(struct pattern *pattern);

/* True if PCRE2 finds it. One that takes too long counts as not found, and is logged once. */
bool pattern_finds(struct pattern *pattern, struct pattern_scratch *scratch, const char *text,
                   size_t length);

#endif
