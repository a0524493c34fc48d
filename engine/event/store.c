/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/store.h"

#include "core/file.h"
#include "core/log.h"
#include "event/store_retention.h"
#include "event/store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a transaction may stay open, in ms, and how much may be in it. */
#define BATCH_TIME 250
#define BATCH_LIMIT 2000
/* How often it is looked for events that are too old, though none came, in ms. */
#define LOOK_TIME 60000
/* How long it is paused after a failure, in ms. */
#define PAUSE 5000
/* How long somebody else's lock is waited for, in ms: events wait meanwhile. */
#define LOCK_TIME 100

static const char preparations[] =
    "PRAGMA auto_vacuum=INCREMENTAL;" /* before there is a table */
    "PRAGMA synchronous=NORMAL;"      /* in WAL mode nothing breaks; the last events may be lost */
    "PRAGMA journal_size_limit=4194304;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA trusted_schema=OFF;";

static const char insertion[] =
    "INSERT INTO event (time, type, flow_id, json)"
    " VALUES (json_extract(?1, '$.timestamp'), json_extract(?1, '$.event_type'),"
    " json_extract(?1, '$.flow_id'), ?1)";

/* ---- opening and closing ---- */

static void close_database(struct store *store)
{
    sqlite3_finalize(store->insert);
    sqlite3_close(store->database);
    store->insert = NULL;
    store->database = NULL;
}

static void pause_store(struct store *store, const char *reason)
{
    if (!atomic_load(&store->counters.paused))
        log_warning("%s: %s: the store is paused; events are counted as lost until it works again",
                    store->file, reason);
    atomic_store(&store->counters.paused, true);
    counter_add(&store->counters.lost, store->pending);
    store->pending = 0;
    store->retry_at = clock_ms() + PAUSE;
    close_database(store);
}

static bool use_wal(sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    bool done = sqlite3_prepare_v2(database, "PRAGMA journal_mode=WAL", -1, &statement, NULL) ==
                    SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW &&
                strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    return done;
}

/* NULL, or why it cannot be used. */
static const char *prepare_database(struct store *store)
{
    sqlite3 *database = store->database;
    sqlite3_busy_timeout(database, LOCK_TIME);
    if (sqlite3_exec(database, preparations, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite3_errmsg(database);
    /* Before anything is written: it may be somebody else's. */
    const char *complaint =
        store_schema_bring_up(database, store_schema_steps, store_schema_version);
    if (complaint != NULL)
        return complaint;
    if (!use_wal(database))
        return sqlite3_errcode(database) == SQLITE_ROW ? "no write-ahead log is possible there"
                                                       : sqlite3_errmsg(database);
    return sqlite3_prepare_v3(database, insertion, -1, SQLITE_PREPARE_PERSISTENT, &store->insert,
                              NULL) == SQLITE_OK
               ? NULL
               : sqlite3_errmsg(database);
}

/* SQLite would make the file with another mode. */
static bool make_file(const char *path)
{
    if (!file_make_parents(path, 0755))
        return false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static bool open_database(struct store *store)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (!make_file(store->file)) {
        pause_store(store, strerror(errno));
        return false;
    }
    const char *complaint = NULL;
    if (sqlite3_open_v2(store->file, &store->database, flags, NULL) != SQLITE_OK)
        complaint = sqlite3_errmsg(store->database);
    else
        complaint = prepare_database(store);
    if (complaint == NULL)
        return true;
    pause_store(store, complaint);
    return false;
}

static bool is_open(struct store *store)
{
    if (store->database != NULL)
        return true;
    return clock_ms() >= store->retry_at && open_database(store);
}

/* ---- writing ---- */

static bool execute(struct store *store, const char *command)
{
    return sqlite3_exec(store->database, command, NULL, NULL, NULL) == SQLITE_OK;
}

static bool insert(struct store *store, const char *line, size_t length)
{
    sqlite3_bind_text(store->insert, 1, line, (int)length, SQLITE_STATIC);
    bool done = sqlite3_step(store->insert) == SQLITE_DONE;
    sqlite3_reset(store->insert);
    return done;
}

static void tidy(struct timer *timer);

/* What is to be removed is removed in small steps, between which events are written. */
static void remove_old(struct store *store)
{
    struct store_retention retention = {
        .keep = store->keep, .size = store->size, .now = time(NULL)};
    if (store->database == NULL)
        return;
    if (!store_retention_step(store->database, &retention))
        pause_store(store, sqlite3_errmsg(store->database));
    timer_start(&store->timer, retention.more ? &store->soon : &store->later, clock_ms(), tidy);
}

static void end_transaction(struct store *store)
{
    if (store->pending == 0)
        return;
    if (!execute(store, "COMMIT")) {
        pause_store(store, sqlite3_errmsg(store->database));
        return;
    }
    counter_add(&store->counters.stored, store->pending);
    store->pending = 0;
    if (atomic_exchange(&store->counters.paused, false))
        log_info("%s: the store works again", store->file);
}

void store_commit(struct store *store)
{
    end_transaction(store);
    remove_old(store);
}

static void tidy(struct timer *timer)
{
    store_commit(container_of(timer, struct store, timer));
}

void store_put(struct store *store, const char *line, size_t length)
{
    if (store->file == NULL)
        return;
    if (!is_open(store)) {
        counter_add(&store->counters.lost, 1);
        return;
    }
    if (store->pending == 0)
        timer_start(&store->timer, &store->soon, clock_ms(), tidy);
    bool done = store->pending > 0 || execute(store, "BEGIN IMMEDIATE");
    store->pending++;
    if (!done || !insert(store, line, length - 1))
        pause_store(store, sqlite3_errmsg(store->database));
    else if (store->pending == BATCH_LIMIT)
        store_commit(store);
}

/* ---- from outside ---- */

void store_init(struct store *store, struct loop *loop)
{
    timeout_class_init(&store->soon, &loop->timeouts, BATCH_TIME);
    timeout_class_init(&store->later, &loop->timeouts, LOOK_TIME);
}

void store_fini(struct store *store)
{
    end_transaction(store);
    timer_stop(&store->timer);
    close_database(store);
    free(store->file);
    store->file = NULL;
}

void store_open(struct store *store, const struct store_settings *settings)
{
    store_fini(store);
    atomic_store(&store->counters.paused, false);
    store->retry_at = 0;
    store->keep = settings->keep;
    store->size = settings->size;
    if (settings->file == NULL)
        return;
    store->file = strdup(settings->file);
    CHECK(store->file != NULL);
    if (open_database(store))
        remove_old(store);
}
