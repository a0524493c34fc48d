/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/store_schema.h"

#include <stdio.h>

/* What is asked for often stands in front of the event: its text may be long, and is then kept
 * apart from its row, which need not be read. An id is never used again. */
static const char first_step[] =
    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time TEXT NOT NULL,"  /* timestamp: all of them in UTC, so that they sort */
    " type TEXT NOT NULL,"  /* event_type */
    " flow_id INTEGER,"     /* of the connection that it is about */
    " json TEXT NOT NULL);" /* the event, as in the records */
    "CREATE INDEX event_flow ON event (flow_id);"

    "CREATE VIEW flow AS SELECT id, time, flow_id," /* connections that have ended */
    " json_extract(json, '$.flow.start') AS start,"
    " json_extract(json, '$.intercept.device.name') AS device,"
    " json_extract(json, '$.intercept.device.mac') AS mac,"
    " json_extract(json, '$.src_ip') AS src_ip,"
    " json_extract(json, '$.dest_ip') AS dest_ip,"
    " json_extract(json, '$.dest_port') AS dest_port,"
    " json_extract(json, '$.intercept.name') AS name,"
    " json_extract(json, '$.intercept.action') AS action,"
    " json_extract(json, '$.intercept.reason') AS reason,"
    " json_extract(json, '$.intercept.rule') AS rule,"
    " json_extract(json, '$.intercept.ending') AS ending,"
    " json_extract(json, '$.flow.bytes_toserver') AS bytes_toserver,"
    " json_extract(json, '$.flow.bytes_toclient') AS bytes_toclient"
    " FROM event WHERE type = 'flow';"

    "CREATE VIEW http AS SELECT id, time, flow_id," /* requests, each with its response */
    " json_extract(json, '$.intercept.http.start') AS start,"
    " json_extract(json, '$.intercept.device.name') AS device,"
    " json_extract(json, '$.intercept.device.mac') AS mac,"
    " json_extract(json, '$.http.http_method') AS method,"
    " json_extract(json, '$.intercept.http.scheme') AS scheme,"
    " json_extract(json, '$.http.hostname') AS host,"
    " json_extract(json, '$.http.url') AS url,"
    " json_extract(json, '$.http.status') AS status,"
    " json_extract(json, '$.http.http_content_type') AS type,"
    " json_extract(json, '$.intercept.http.request_length') AS request_length,"
    " json_extract(json, '$.http.length') AS response_length,"
    " json_extract(json, '$.intercept.http.total_ms') AS total_ms"
    " FROM event WHERE type = 'http';";

const char *const store_schema_steps[] = {first_step};
const unsigned store_schema_version = ARRAY_SIZE(store_schema_steps);

int64_t store_schema_number(sqlite3 *database, const char *question)
{
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(database, question, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static bool is_empty(sqlite3 *database)
{
    return store_schema_number(database, "SELECT count(*) FROM sqlite_master") == 0;
}

static const char *complaint_of(sqlite3 *database, int64_t version, unsigned known)
{
    if (version < 0)
        return sqlite3_errmsg(database);
    if (store_schema_number(database, "PRAGMA application_id") != STORE_APPLICATION &&
        !(version == 0 && is_empty(database)))
        return sqlite3_errcode(database) == SQLITE_OK ? "it is a database of another program"
                                                      : sqlite3_errmsg(database);
    return version > known ? "a later version of interceptd has written it" : NULL;
}

static bool take_step(sqlite3 *database, const char *step, unsigned version)
{
    char end[128];
    snprintf(end, sizeof(end), "PRAGMA application_id=%d; PRAGMA user_version=%u; COMMIT",
             STORE_APPLICATION, version);
    return sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_exec(database, step, NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_exec(database, end, NULL, NULL, NULL) == SQLITE_OK;
}

const char *store_schema_bring_up(sqlite3 *database, const char *const *steps, unsigned version)
{
    int64_t done = store_schema_number(database, "PRAGMA user_version");
    const char *complaint = complaint_of(database, done, version);
    for (; complaint == NULL && done < version; done++)
        if (!take_step(database, steps[done], (unsigned)done + 1))
            complaint = sqlite3_errmsg(database);
    return complaint;
}

const char *store_schema_check(sqlite3 *database)
{
    int64_t done = store_schema_number(database, "PRAGMA user_version");
    const char *complaint = complaint_of(database, done, store_schema_version);
    if (complaint != NULL || done == store_schema_version)
        return complaint;
    return done == 0 ? "there is nothing in it yet"
                     : "an earlier version of interceptd has written it; the next start brings it "
                       "up to date";
}
