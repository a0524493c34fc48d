/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * database.h - all patterns that are Hyperscan's, compiled to one database, and the file that keeps
 * it between runs. */
#ifndef POLICY_DATABASE_H
#define POLICY_DATABASE_H

#include "policy/pattern.h"

/* Finds out who finds each pattern, and compiles those of them that are Hyperscan's. NULL if none
 * is. Slow. */
hs_database_t *database_build(struct pattern *items, size_t count);

/* The same, but from the file if it fits these very patterns, and into it if not. */
hs_database_t *database_open(struct pattern *items, size_t count, const char *path);

#endif
