/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/store_retention.h"
#include "event/store_schema.h"

#include "../folder.h"

#define DAY 86400
#define NOW 1700000000 /* 2023-11-14T22:13:20 */

struct studio {
    struct folder folder;
    sqlite3 *database;
};

static void run(sqlite3 *database, const char *command)
{
    if (sqlite3_exec(database, command, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", command, sqlite3_errmsg(database));
}

static int open_database(void **state)
{
    struct studio *studio = calloc(1, sizeof(*studio));
    assert_non_null(studio);
    studio->folder = make_folder();
    *state = studio;
    const struct path path = path_in(&studio->folder, "store.db");
    assert_int_equal(sqlite3_open(path.text, &studio->database), SQLITE_OK);
    run(studio->database, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=OFF");
    assert_null(store_schema_bring_up(studio->database, store_schema_steps, store_schema_version));
    return 0;
}

static int close_database(void **state)
{
    struct studio *studio = *state;
    assert_int_equal(sqlite3_close(studio->database), SQLITE_OK);
    remove_folder(&studio->folder);
    free(studio);
    return 0;
}

/* Events with so many bytes each, an hour apart, of which the last came at NOW. */
static void fill(sqlite3 *database, unsigned count, unsigned size)
{
    char command[400];
    snprintf(command, sizeof(command),
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
             " INSERT INTO event (time, type, json) SELECT strftime('%%Y-%%m-%%dT%%H:%%M:%%S',"
             " %u - (%u - i) * 3600, 'unixepoch') || '.000000+0000', 'x', hex(zeroblob(%u)) FROM n",
             count, NOW, count, size / 2);
    run(database, command);
}

/* Takes steps until there is no more work; returns how many. */
static unsigned settle(sqlite3 *database, uint32_t keep, uint64_t size)
{
    struct store_retention retention = {.keep = keep, .size = size, .now = NOW, .more = true};
    unsigned steps = 0;
    for (; retention.more; steps++) {
        assert_true(store_retention_step(database, &retention));
        assert_true(steps < 1000);
    }
    return steps;
}

static int64_t number(sqlite3 *database, const char *question)
{
    return store_schema_number(database, question);
}

static void events_go_when_they_are_too_old(void **state)
{
    sqlite3 *database = ((struct studio *)*state)->database;
    fill(database, 100, 100);
    assert_int_equal(settle(database, 10 * DAY, UINT64_C(1) << 30), 1);
    assert_int_equal(number(database, "SELECT count(*) FROM event"), 100);
    settle(database, 2 * DAY, UINT64_C(1) << 30);
    assert_int_equal(number(database, "SELECT count(*) FROM event"), 2 * 24 + 1);
    assert_int_equal(number(database, "SELECT max(id) FROM event"), 100);
}

static void many_old_events_go_in_steps(void **state)
{
    sqlite3 *database = ((struct studio *)*state)->database;
    fill(database, 5000, 10);
    struct store_retention retention = {.keep = 3600, .size = UINT64_C(1) << 30, .now = NOW};
    assert_true(store_retention_step(database, &retention));
    assert_true(retention.more);
    assert_int_equal(number(database, "SELECT count(*) FROM event"), 4000);
    assert_true(settle(database, 3600, UINT64_C(1) << 30) >= 4);
    assert_int_equal(number(database, "SELECT count(*) FROM event"), 2);
}

static void all_may_be_too_old(void **state)
{
    sqlite3 *database = ((struct studio *)*state)->database;
    settle(database, 1, 1 << 20); /* nothing is there */
    fill(database, 10, 10);
    run(database, "UPDATE event SET time = '2020' || substr(time, 5)");
    settle(database, 3600, 1 << 20);
    assert_int_equal(number(database, "SELECT count(*) FROM event"), 0);
    fill(database, 1, 10);
    assert_int_equal(number(database, "SELECT id FROM event"), 11); /* no id comes twice */
}

static void the_oldest_go_where_all_take_too_much(void **state)
{
    sqlite3 *database = ((struct studio *)*state)->database;
    const int64_t size = 2 << 20;
    fill(database, 2000, 3000); /* 6 MB and more */
    settle(database, 365 * DAY, (uint64_t)size);
    const int64_t count = number(database, "SELECT count(*) FROM event");
    assert_in_range(count, 400, 700);
    assert_int_equal(number(database, "SELECT max(id) - min(id) + 1 FROM event"), count);
    assert_int_equal(number(database, "SELECT max(id) FROM event"), 2000);
    /* What they took is the disk's again. */
    assert_true(number(database, "PRAGMA page_count") * number(database, "PRAGMA page_size") <=
                size);
}

static void a_database_that_cannot_be_written_is_told(void **state)
{
    sqlite3 *database = ((struct studio *)*state)->database;
    fill(database, 10, 10);
    run(database, "PRAGMA query_only=1");
    struct store_retention retention = {.keep = 3600, .size = 1 << 20, .now = NOW};
    assert_false(store_retention_step(database, &retention));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_go_when_they_are_too_old, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(many_old_events_go_in_steps, open_database, close_database),
        cmocka_unit_test_setup_teardown(all_may_be_too_old, open_database, close_database),
        cmocka_unit_test_setup_teardown(the_oldest_go_where_all_take_too_much, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(a_database_that_cannot_be_written_is_told, open_database,
                                        close_database),
    };
    return cmocka_run_group_tests_name("event/store_retention", tests, NULL, NULL);
}
