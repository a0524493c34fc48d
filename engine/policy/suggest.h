/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * suggest.h - the pattern that is found in one destination and nowhere else: mitmproxy's tutorial
 * has its users write it by hand. */
#ifndef POLICY_SUGGEST_H
#define POLICY_SUGGEST_H

#include "policy/learned.h"

/* Room for every character of the longest name to be escaped. */
#define SUGGEST_SIZE 640

/* "^192\.0\.2\.1:443$". Returns `pattern`. */
const char *suggest_address(const struct address *origin, char pattern[static SUGGEST_SIZE]);

/* "^a\.example:443$". Returns `pattern`. */
const char *suggest_name(const char *name, uint16_t port, char pattern[static SUGGEST_SIZE]);

/* The one for what was found out; by its name only where `match` (of enum match) looks at names.
 * Returns `pattern`. */
const char *suggest_finding(const struct learned_finding *finding, unsigned match,
                            char pattern[static SUGGEST_SIZE]);

#endif
