/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log.h"
#include "event/store.h"
#include "event/store_reader.h"
#include "event/store_schema.h"

#include "../folder.h"

#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

struct studio {
    struct folder folder;
    struct path file;
    struct loop loop;
    struct store store;
};

static void open_store(struct studio *studio)
{
    store_open(&studio->store,
               &(struct store_settings){.file = studio->file.text, .keep = 86400, .size = 8 << 20});
}

static int make_studio(void **state)
{
    struct studio *studio = calloc(1, sizeof(*studio));
    if (studio == NULL || !loop_init(&studio->loop))
        return -1;
    studio->folder = make_folder();
    studio->file = path_in(&studio->folder, "deep/store.db");
    store_init(&studio->store, &studio->loop);
    log_set_level(LOG_LEVEL_ERROR);
    *state = studio;
    return 0;
}

static int drop_studio(void **state)
{
    struct studio *studio = *state;
    store_fini(&studio->store);
    loop_fini(&studio->loop);
    remove_folder(&studio->folder);
    free(studio);
    return 0;
}

/* An event of now, which is number `number` of its connection. */
static void put(struct studio *studio, const char *type, int64_t flow_id, int number)
{
    char line[256], time_text[64];
    const time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S.000000+0000", &parts);
    int length = snprintf(line, sizeof(line),
                          "{\"timestamp\":\"%s\",\"event_type\":\"%s\",\"flow_id\":%" PRId64
                          ",\"number\":%d}\n",
                          time_text, type, flow_id, number);
    store_put(&studio->store, line, (size_t)length);
}

static uint64_t stored(const struct studio *studio)
{
    return counter_read(&studio->store.counters.stored);
}

static uint64_t lost(const struct studio *studio)
{
    return counter_read(&studio->store.counters.lost);
}

/* The numbers of the events that a question has for its answer, one after another. */
static void assert_read(const struct studio *studio, const struct store_query *query,
                        const char *expected)
{
    char reason[256] = "", text[256] = "";
    struct store_reader *reader = store_reader_open(studio->file.text, reason);
    if (reader == NULL)
        fail_msg("%s", reason);
    store_reader_ask(reader, query);
    json_t *event;
    int64_t id;
    while ((event = store_reader_next(reader, &id)) != NULL) {
        json_int_t number = json_integer_value(json_object_get(event, "number"));
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%" PRId64 ":%d ", id,
                 (int)number);
        json_decref(event);
    }
    assert_null(store_reader_fault(reader));
    assert_string_equal(text, expected);
    store_reader_close(reader);
}

static void write_file(const struct studio *studio, const char *content)
{
    int fd = open(studio->file.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static void events_are_read_as_they_came(void **state)
{
    struct studio *studio = *state;
    open_store(studio);
    assert_int_equal(mode_of(&studio->file), 0640);
    put(studio, "http", 7, 1);
    put(studio, "tls", 8, 2);
    put(studio, "http", 8, 3);
    put(studio, "flow", 7, 4);
    assert_int_equal(stored(studio), 0);
    store_commit(&studio->store);
    assert_int_equal(stored(studio), 4);
    assert_read(studio, &(struct store_query){0}, "1:1 2:2 3:3 4:4 ");
    assert_read(studio, &(struct store_query){.youngest_first = true}, "4:4 3:3 2:2 1:1 ");
    assert_read(studio, &(struct store_query){.type = "http"}, "1:1 3:3 ");
    assert_read(studio, &(struct store_query){.flow_id = 7}, "1:1 4:4 ");
    assert_read(studio, &(struct store_query){.type = "http", .flow_id = 8}, "3:3 ");
    assert_read(studio, &(struct store_query){.id = 2}, "2:2 ");
    assert_read(studio, &(struct store_query){.id = 99}, "");
}

static void a_reader_is_not_told_what_comes_after_its_question(void **state)
{
    struct studio *studio = *state;
    char reason[256];
    int64_t id;
    open_store(studio);
    put(studio, "x", 0, 1);
    put(studio, "x", 0, 2);
    store_commit(&studio->store);
    struct store_reader *reader = store_reader_open(studio->file.text, reason);
    assert_non_null(reader);
    store_reader_ask(reader, &(struct store_query){0});
    json_t *event = store_reader_next(reader, &id);
    assert_non_null(event);
    json_decref(event);
    put(studio, "x", 0, 3);
    store_commit(&studio->store);
    event = store_reader_next(reader, &id);
    assert_non_null(event);
    json_decref(event);
    assert_null(store_reader_next(reader, &id));
    store_reader_close(reader);
}

static void a_transaction_ends_by_itself(void **state)
{
    struct studio *studio = *state;
    open_store(studio);
    put(studio, "x", 0, 1);
    const uint64_t begun = clock_ms();
    while (stored(studio) == 0 && clock_ms() < begun + 20000)
        loop_turn(&studio->loop, 1000);
    assert_int_equal(stored(studio), 1);
    assert_true(clock_ms() >= begun + 200);
    for (int i = 0; i < 2500; i++)
        put(studio, "x", 0, i);
    assert_int_equal(stored(studio), 2001); /* or when it is large enough */
}

static void closing_it_ends_the_transaction(void **state)
{
    struct studio *studio = *state;
    open_store(studio);
    put(studio, "x", 0, 5);
    open_store(studio);
    put(studio, "x", 0, 6);
    store_fini(&studio->store);
    put(studio, "x", 0, 7); /* nobody wants it */
    assert_int_equal(lost(studio), 0);
    assert_read(studio, &(struct store_query){0}, "1:5 2:6 ");
}

static void what_is_no_database_pauses_the_store_and_is_left_as_it_is(void **state)
{
    struct studio *studio = *state;
    assert_int_equal(mkdir(path_in(&studio->folder, "deep").text, 0755), 0);
    write_file(studio,
               "this is somebody's letter, and not a database of anything at all: leave it");
    open_store(studio);
    put(studio, "x", 0, 1);
    put(studio, "x", 0, 2);
    assert_true(atomic_load(&studio->store.counters.paused));
    assert_int_equal(lost(studio), 2);
    char *text = text_in(&studio->folder, "deep/store.db");
    assert_int_equal(strncmp(text, "this is somebody's letter", 25), 0);
    free(text);
    char reason[256] = "";
    assert_null(store_reader_open(studio->file.text, reason));
    assert_string_equal(reason, "file is not a database");
    /* After a while it is tried again. */
    assert_int_equal(unlink(studio->file.text), 0);
    put(studio, "x", 0, 3);
    assert_int_equal(lost(studio), 3);
    studio->store.retry_at = clock_ms();
    put(studio, "x", 0, 4);
    store_commit(&studio->store);
    assert_false(atomic_load(&studio->store.counters.paused));
    assert_int_equal(lost(studio), 3);
    assert_read(studio, &(struct store_query){0}, "1:4 ");
}

/* Somebody keeps the database for himself, longer than we wait. */
static void what_is_in_a_transaction_that_fails_is_lost_and_counted(void **state)
{
    struct studio *studio = *state;
    sqlite3 *other;
    open_store(studio);
    put(studio, "x", 0, 1);
    store_commit(&studio->store);
    assert_int_equal(sqlite3_open(studio->file.text, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    put(studio, "x", 0, 2);
    assert_int_equal(lost(studio), 1);
    assert_int_equal(sqlite3_exec(other, "DROP TABLE event; COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    studio->store.retry_at = 0;
    put(studio, "x", 0, 3);
    assert_int_equal(lost(studio), 2); /* it has no more tables: it is not even begun */
    assert_true(atomic_load(&studio->store.counters.paused));
}

/* As much as fits; then the disk has room again. */
static void a_full_disk_pauses_the_store(void **state)
{
    struct studio *studio = *state;
    open_store(studio);
    put(studio, "x", 0, 1);
    store_commit(&studio->store);
    sqlite3 *database = studio->store.database;
    assert_int_equal(sqlite3_exec(database, "PRAGMA max_page_count=1", NULL, NULL, NULL),
                     SQLITE_OK); /* as many as there are */
    int count = 0;
    for (; studio->store.database != NULL && count < 1000; count++)
        put(studio, "x", 0, 100 + count);
    assert_true(count > 10 && count < 1000);
    assert_int_equal(lost(studio), count);
    assert_int_equal(stored(studio), 1);
    studio->store.retry_at = 0;
    put(studio, "x", 0, 2);
    store_commit(&studio->store);
    assert_int_equal(stored(studio), 2);
    assert_read(studio, &(struct store_query){0}, "1:1 2:2 ");
}

static void events_that_are_too_many_go_while_others_come(void **state)
{
    struct studio *studio = *state;
    open_store(studio);
    studio->store.size = 256 << 10;
    for (int i = 0; i < 20000; i++)
        put(studio, "x", 0, i);
    for (int i = 0; i < 200; i++)
        store_commit(&studio->store);
    assert_int_equal(stored(studio), 20000);
    const int64_t left = store_schema_number(studio->store.database, "SELECT count(*) FROM event");
    assert_in_range(left, 500, 3000);
    assert_int_equal(store_schema_number(studio->store.database, "SELECT max(id) FROM event"),
                     20000);
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, make_studio, drop_studio)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(events_are_read_as_they_came),
        PROMISE(a_reader_is_not_told_what_comes_after_its_question),
        PROMISE(a_transaction_ends_by_itself),
        PROMISE(closing_it_ends_the_transaction),
        PROMISE(what_is_no_database_pauses_the_store_and_is_left_as_it_is),
        PROMISE(what_is_in_a_transaction_that_fails_is_lost_and_counted),
        PROMISE(a_full_disk_pauses_the_store),
        PROMISE(events_that_are_too_many_go_while_others_come),
    };
    return cmocka_run_group_tests_name("event/store", tests, NULL, NULL);
}
