/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/store_reader.h"

#include "event/store_schema.h"

#include <string.h>

/* Who writes is waited for only where the database is made. */
#define LOCK_TIME 2000

struct store_reader {
    sqlite3 *database;
    sqlite3_stmt *next; /* NULL: nothing was asked for yet */
    struct store_query query;
    int64_t first, last; /* what is not read yet is between these */
    const char *fault;
};

static const char *prepare(struct store_reader *reader, const char *file)
{
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(file, &reader->database, flags, NULL) != SQLITE_OK)
        return sqlite3_errmsg(reader->database);
    sqlite3_busy_timeout(reader->database, LOCK_TIME);
    if (sqlite3_exec(reader->database, "PRAGMA trusted_schema=OFF", NULL, NULL, NULL) != SQLITE_OK)
        return sqlite3_errmsg(reader->database);
    return store_schema_check(reader->database);
}

struct store_reader *store_reader_open(const char *file, char reason[static 256])
{
    struct store_reader *reader = calloc(1, sizeof(*reader));
    CHECK(reader != NULL);
    const char *complaint = prepare(reader, file);
    if (complaint == NULL)
        return reader;
    snprintf(reason, 256, "%s", complaint);
    store_reader_close(reader);
    return NULL;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader == NULL)
        return;
    sqlite3_finalize(reader->next);
    sqlite3_close(reader->database);
    free(reader);
}

/* ?1 and ?2 are the first and the last id. The index over connections would be of no use where
 * there is none. */
static void prepare_question(struct store_reader *reader)
{
    char question[256];
    snprintf(question, sizeof(question),
             "SELECT id, json FROM event WHERE id BETWEEN ?1 AND ?2%s%s ORDER BY id %s LIMIT 1",
             reader->query.type != NULL ? " AND type = ?3" : "",
             reader->query.flow_id != 0 ? " AND flow_id = ?4" : "",
             reader->query.youngest_first ? "DESC" : "ASC");
    sqlite3_finalize(reader->next);
    if (sqlite3_prepare_v2(reader->database, question, -1, &reader->next, NULL) != SQLITE_OK)
        reader->fault = sqlite3_errmsg(reader->database);
}

void store_reader_ask(struct store_reader *reader, const struct store_query *query)
{
    reader->query = *query;
    reader->fault = NULL;
    reader->first = query->id != 0 ? query->id : 0;
    reader->last = query->id != 0
                       ? query->id
                       : store_schema_number(reader->database, "SELECT max(id) FROM event");
    prepare_question(reader);
}

static void bind(struct store_reader *reader)
{
    (void)sqlite3_bind_int64(reader->next, 1, reader->first);
    (void)sqlite3_bind_int64(reader->next, 2, reader->last);
    if (reader->query.type != NULL)
        (void)sqlite3_bind_text(reader->next, 3, reader->query.type, -1, SQLITE_STATIC);
    if (reader->query.flow_id != 0)
        (void)sqlite3_bind_int64(reader->next, 4, reader->query.flow_id);
}

static json_t *read_row(struct store_reader *reader, int64_t *id)
{
    const char *text = (const char *)sqlite3_column_text(reader->next, 1);
    const size_t length = (size_t)sqlite3_column_bytes(reader->next, 1);
    *id = sqlite3_column_int64(reader->next, 0);
    json_t *event = text != NULL ? json_loadb(text, length, JSON_ALLOW_NUL, NULL) : NULL;
    if (event == NULL)
        reader->fault = "an event is not what was stored";
    else if (reader->query.youngest_first)
        reader->last = *id - 1;
    else
        reader->first = *id + 1;
    return event;
}

json_t *store_reader_next(struct store_reader *reader, int64_t *id)
{
    json_t *event = NULL;
    if (reader->fault != NULL)
        return NULL;
    bind(reader);
    int result = sqlite3_step(reader->next);
    if (result == SQLITE_ROW)
        event = read_row(reader, id);
    else if (result != SQLITE_DONE)
        reader->fault = sqlite3_errmsg(reader->database);
    (void)sqlite3_reset(reader->next);
    return event;
}

const char *store_reader_fault(const struct store_reader *reader)
{
    return reader->fault;
}
