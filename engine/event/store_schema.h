/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * store_schema.h - the tables of the store, and how a database that is older gets them.
 *
 * A database has its version (PRAGMA user_version): so many steps were taken. A step that was
 * released never changes; what is to be different is a step more. All of it is done to the
 * database that is given, by the thread whose it is. */
#ifndef EVENT_STORE_SCHEMA_H
#define EVENT_STORE_SCHEMA_H

#include "core/macros.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Says to whom a database belongs (PRAGMA application_id): "icpt". */
#define STORE_APPLICATION 0x69637074

/* The steps, each a script, from an empty database on. */
extern const char *const store_schema_steps[];
extern const unsigned store_schema_version; /* how many there are */

/* Takes the steps that are missing, each as a whole or not at all. NULL if all is as it should be,
 * else what is wrong: the database is another program's, or of a later version, or cannot be
 * written. That text is good until the database is used again. */
const char *store_schema_bring_up(sqlite3 *database, const char *const *steps,
                                  unsigned version) must_check;

/* The same for who may only read: what is missing is wrong. */
const char *store_schema_check(sqlite3 *database) must_check;

/* The number that is the answer to a question in SQL; -1 if there is none. */
int64_t store_schema_number(sqlite3 *database, const char *question) must_check;

#endif
