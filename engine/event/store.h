/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * store.h - the records once more, in a database that can be asked: SQLite, in WAL mode, so that
 * who reads never waits for who writes, nor the other way round.
 *
 * Events are put together into transactions. The oldest go when they are too old, or when all of
 * them take too much room. Where the database fails (a full disk, a broken file) the store is
 * paused: it is closed, events are counted as lost, and it is opened again after a while.
 *
 * It is embedded in the recorder, and its thread's alone, but for the counters. */
#ifndef EVENT_STORE_H
#define EVENT_STORE_H

#include "core/counter.h"
#include "core/loop.h"

#include <sqlite3.h>

struct store_settings {
    const char *file; /* NULL: no store. Copied */
    uint32_t keep;    /* for so many seconds an event is kept */
    uint64_t size;    /* so many bytes all events may take; the file is little larger */
};

struct store_counters {
    struct counter stored, lost; /* events */
    atomic_bool paused;
};

struct store {
    char *file; /* NULL: no store */
    uint32_t keep;
    uint64_t size;
    sqlite3 *database; /* NULL: paused */
    sqlite3_stmt *insert;
    size_t pending;    /* events in the transaction that is open */
    uint64_t retry_at; /* while it is paused: ms, on the loop's clock */
    struct timeout_class soon, later;
    struct timer timer;
    struct store_counters counters;
};

void store_init(struct store *store, struct loop *loop);

/* Puts down what is there, and closes it. */
void store_fini(struct store *store);

/* From now on events go there; also opens the same file anew. */
void store_open(struct store *store, const struct store_settings *settings);

/* One event, a line of the records with its end. It can be read when the transaction ends: 250 ms
 * later at most. */
void store_put(struct store *store, const char *line, size_t length);

/* Ends the transaction at once. */
void store_commit(struct store *store);

#endif
