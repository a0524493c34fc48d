/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/store_retention.h"

#include "event/store_schema.h"

#include <stdio.h>

/* So many events a step. */
#define STEP 1000
/* So many pages a step. */
#define PAGES "1000"

/* The first event that is young enough, among those up to `end`; `end` if there is none. The clock
 * may have been set back: what counts is the order in which events came. */
static int64_t first_to_keep(sqlite3 *database, const struct store_retention *retention,
                             int64_t end)
{
    char question[200], oldest[32];
    const time_t limit = retention->now - (time_t)retention->keep;
    struct tm parts;
    gmtime_r(&limit, &parts);
    strftime(oldest, sizeof(oldest), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(question, sizeof(question),
             "SELECT id FROM event WHERE time >= '%s' AND id < %lld ORDER BY id LIMIT 1", oldest,
             (long long)end);
    int64_t id = store_schema_number(database, question);
    return id >= 0 ? id : end;
}

static uint64_t pages(sqlite3 *database, const char *which)
{
    int64_t count = store_schema_number(database, which);
    return count > 0 ? (uint64_t)count : 0;
}

static bool remove_before(sqlite3 *database, int64_t id)
{
    char command[64];
    snprintf(command, sizeof(command), "DELETE FROM event WHERE id < %lld", (long long)id);
    return sqlite3_exec(database, command, NULL, NULL, NULL) == SQLITE_OK;
}

/* How much one step takes away where there is too much: a part that grows with the whole, so that
 * many small events and few large ones are alike. */
static int64_t share_of(int64_t first, int64_t last)
{
    int64_t share = (last - first) / 64 + 1;
    return share < STEP ? share : STEP;
}

bool store_retention_step(sqlite3 *database, struct store_retention *retention)
{
    const int64_t first = store_schema_number(database, "SELECT min(id) FROM event");
    const int64_t last = store_schema_number(database, "SELECT max(id) FROM event");
    const uint64_t page = pages(database, "PRAGMA page_size");
    const uint64_t all = pages(database, "PRAGMA page_count");
    const uint64_t empty = pages(database, "PRAGMA freelist_count");
    const int64_t step_end = last - first < STEP ? last + 1 : first + STEP;
    const bool oversize = (all - empty) * page > retention->size;
    int64_t end = first_to_keep(database, retention, step_end);
    if (oversize && end < first + share_of(first, last))
        end = first + share_of(first, last);
    retention->more = end > first && (oversize || end == step_end) && end <= last;
    if (last > 0 && end > first && !remove_before(database, end))
        return false;
    if (all * page <= retention->size || empty == 0)
        return true;
    retention->more = true;
    return sqlite3_exec(database, "PRAGMA incremental_vacuum(" PAGES ")", NULL, NULL, NULL) ==
           SQLITE_OK;
}
