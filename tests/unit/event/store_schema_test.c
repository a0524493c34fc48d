/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/store_schema.h"

#include <string.h>

static int open_database(void **state)
{
    sqlite3 *database;
    if (sqlite3_open(":memory:", &database) != SQLITE_OK)
        return -1;
    *state = database;
    return 0;
}

static int close_database(void **state)
{
    return sqlite3_close(*state) == SQLITE_OK ? 0 : -1;
}

static void run(sqlite3 *database, const char *command)
{
    if (sqlite3_exec(database, command, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", command, sqlite3_errmsg(database));
}

static void assert_number(sqlite3 *database, const char *question, int64_t expected)
{
    assert_int_equal(store_schema_number(database, question), expected);
}

static const char *bring_up(sqlite3 *database)
{
    return store_schema_bring_up(database, store_schema_steps, store_schema_version);
}

static void assert_complaint(const char *complaint, const char *expected)
{
    if (complaint == NULL || strstr(complaint, expected) == NULL)
        fail_msg("%s instead of %s", complaint != NULL ? complaint : "nothing", expected);
}

static void an_empty_database_is_brought_up(void **state)
{
    sqlite3 *database = *state;
    assert_complaint(store_schema_check(database), "nothing in it yet");
    assert_null(bring_up(database));
    assert_null(store_schema_check(database));
    assert_number(database, "PRAGMA user_version", store_schema_version);
    run(database, "INSERT INTO event (time, type, json) VALUES ('t', 'x', '{}')");
    assert_null(bring_up(database)); /* there is nothing to do */
    assert_number(database, "SELECT count(*) FROM event", 1);
}

static void views_tell_what_is_in_the_events(void **state)
{
    sqlite3 *database = *state;
    assert_null(bring_up(database));
    run(database,
        "INSERT INTO event (time, type, json) VALUES ('t', 'http', '{\"http\":{\"hostname\":\"a\","
        "\"status\":404},\"intercept\":{\"device\":{\"name\":\"cam\"}}}')");
    run(database, "INSERT INTO event (time, type, json) VALUES ('t', 'flow', "
                  "'{\"dest_port\":443,\"flow\":{\"bytes_toclient\":7}}')");
    assert_number(database, "SELECT status FROM http WHERE host = 'a' AND device = 'cam'", 404);
    assert_number(database, "SELECT bytes_toclient FROM flow WHERE dest_port = 443", 7);
    assert_number(database, "SELECT count(*) FROM flow", 1);
}

/* What a later version of us would have. */
static const char more_steps_first[] = "CREATE TABLE a (x)";
static const char more_steps_second[] = "ALTER TABLE a ADD COLUMN y DEFAULT 5";
static const char more_steps_bad[] = "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)";

static void an_older_database_takes_the_steps_that_it_lacks(void **state)
{
    static const char *const steps[] = {more_steps_first, more_steps_second};
    sqlite3 *database = *state;
    assert_null(store_schema_bring_up(database, steps, 1));
    run(database, "INSERT INTO a VALUES (1)");
    assert_null(store_schema_bring_up(database, steps, 2));
    assert_number(database, "PRAGMA user_version", 2);
    assert_number(database, "SELECT x * 10 + y FROM a", 15);
}

static void a_step_is_taken_as_a_whole_or_not_at_all(void **state)
{
    static const char *const steps[] = {more_steps_first, more_steps_bad};
    sqlite3 *database = *state;
    assert_complaint(store_schema_bring_up(database, steps, 2), "no such table");
    run(database, "ROLLBACK"); /* closing it does the same */
    assert_number(database, "PRAGMA user_version", 1);
    assert_number(database, "SELECT count(*) FROM sqlite_master WHERE name = 'b'", 0);
}

static void a_later_versions_database_is_left_alone(void **state)
{
    static const char *const steps[] = {more_steps_first, more_steps_second};
    sqlite3 *database = *state;
    assert_null(store_schema_bring_up(database, steps, 2));
    assert_complaint(store_schema_bring_up(database, steps, 1), "a later version");
}

static void another_programs_database_is_left_alone(void **state)
{
    sqlite3 *database = *state;
    run(database, "CREATE TABLE theirs (x)");
    assert_complaint(bring_up(database), "another program");
    assert_complaint(store_schema_check(database), "another program");
    run(database, "PRAGMA user_version = 1");
    assert_complaint(bring_up(database), "another program");
    assert_number(database, "SELECT count(*) FROM sqlite_master", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_database_is_brought_up, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(views_tell_what_is_in_the_events, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(an_older_database_takes_the_steps_that_it_lacks,
                                        open_database, close_database),
        cmocka_unit_test_setup_teardown(a_step_is_taken_as_a_whole_or_not_at_all, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(a_later_versions_database_is_left_alone, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(another_programs_database_is_left_alone, open_database,
                                        close_database),
    };
    return cmocka_run_group_tests_name("event/store_schema", tests, NULL, NULL);
}
