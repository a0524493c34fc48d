/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * store_reader.h - reads events out of a store, also while it is written.
 *
 * Each event is a question of its own: a reader that takes its time keeps nothing in the database
 * from being tidied up. What is removed before it was read is not seen. One thread. */
#ifndef EVENT_STORE_READER_H
#define EVENT_STORE_READER_H

#include "core/macros.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct store_reader;

/* NULL if it cannot be read, or is no store: then `reason`, which may be empty before, says why. */
struct store_reader *store_reader_open(const char *file, char reason[static 256]) must_check;
void store_reader_close(struct store_reader *reader);

/* Which events are wanted, of those that are there now. */
struct store_query {
    const char *type;    /* their event_type; NULL: any */
    int64_t flow_id;     /* of this connection; 0: of any */
    int64_t id;          /* this one alone; 0: any */
    bool youngest_first; /* else in the order in which they came */
};

/* Goes to the first of them. What the query points to has to stay. */
void store_reader_ask(struct store_reader *reader, const struct store_query *query);

/* The next one, to be released by the caller, with its id, which stays with it as long as the store
 * is the same; NULL behind the last one, or if the database fails: then there is a fault. */
json_t *store_reader_next(struct store_reader *reader, int64_t *id) must_check;

/* What has failed; NULL if nothing has. */
const char *store_reader_fault(const struct store_reader *reader);

#endif
