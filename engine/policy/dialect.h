/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dialect.h - patterns are written in Python's regular expressions, since mitmproxy's are; PCRE2
 * and Hyperscan read Perl's. This is the difference, as far as a rewrite can bridge it:
 *
 *   {,n}            at most n times         {0,n}
 *   \Z              the very end            \z
 *   \uXXXX \UXXXXXXXX  a character          \x{XXXX}
 *   (?aLu...)       ASCII, locale, Unicode  left out: host:port is ASCII
 *   [[:x:]] [.x.]   classes with [ or . in  [\[:x:]] [\.x.]
 *   (*              an error in Python, a verb in PCRE2: refused
 *
 * Pure functions; any thread. */
#ifndef POLICY_DIALECT_H
#define POLICY_DIALECT_H

#include "core/macros.h"

#include <stdbool.h>

struct dialect {
    char *pattern;  /* for PCRE2 and Hyperscan, NUL-terminated; freed by dialect_fini() */
    size_t *origin; /* for each of its bytes, and its end, the offset in the Python pattern */
    size_t length;
    bool unicode;        /* it names characters beyond ASCII */
    bool backreference;  /* it refers to what a group has matched */
    const char *error;   /* what is wrong, if dialect_translate() returned false, */
    size_t error_offset; /* and where in the Python pattern */
};

/* False if the pattern is nothing that Python would take; then only the error is set. */
bool dialect_translate(struct dialect *dialect, const char *python) must_check;
void dialect_fini(struct dialect *dialect);

#endif
