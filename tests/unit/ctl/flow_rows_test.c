/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/flow_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* An answer with one connection for each id, as old as the ages say. */
static json_t *answer_of(const int *ids, const int *ages, size_t count)
{
    json_t *flows = json_array();
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "host%d.test", ids[i]);
        json_array_append_new(
            flows, json_pack("{s:i, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:i, s:i, s:i}",
                             "flow_id", ids[i], "src_ip", "10.0.0.7", "src_port", 40000, "dest_ip",
                             ids[i] % 2 == 0 ? "192.0.2.1" : "2001:db8::1", "dest_port", 443, "sni",
                             name, "proto", "TCP", "action", "intercept", "reason", "default",
                             "bytes_toserver", 1, "bytes_toclient", 2, "age", ages[i]));
    }
    return json_pack("{s:o, s:i}", "flows", flows, "total", (int)count);
}

static void update(struct flow_rows *rows, const int *ids, const int *ages, size_t count,
                   uint64_t now)
{
    json_t *answer = answer_of(ids, ages, count);
    flow_rows_update(rows, answer, now);
    flow_rows_settle(rows);
    json_decref(answer);
}

/* An event: this connection has ended, after so many seconds. */
static void end(struct flow_rows *rows, int id, int age, uint64_t now)
{
    json_t *event = json_pack(
        "{s:s, s:i, s:s, s:i, s:s, s:i, s:s, s:{s:i, s:i, s:i}, s:{s:s, s:s, s:s, s:s, s:{s:s}}, "
        "s:{s:s}}",
        "event_type", "flow", "flow_id", id, "src_ip", "10.0.0.8", "src_port", 1, "dest_ip",
        "192.0.2.9", "dest_port", 443, "proto", "TCP", "flow", "bytes_toserver", 10,
        "bytes_toclient", 20, "age", age, "intercept", "action", "bypass", "rule", "^a",
        "rule_place", "f:1", "ending", "closed", "device", "name", "cam", "tls", "sni", "b.test");
    assert_non_null(event);
    flow_rows_end(rows, event, now);
    json_decref(event);
}

static void assert_order(const struct flow_rows *rows, const int *ids, size_t count)
{
    assert_int_equal(rows->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rows->items[i].id, ids[i]);
}

static void the_newest_stand_first(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    update(&rows, (int[]){1, 2, 3}, (int[]){5, 1, 9}, 3, 100000);
    assert_order(&rows, (int[]){2, 1, 3}, 3);
    assert_string_equal(rows.items[0].address, "192.0.2.1:443");
    assert_string_equal(rows.items[1].address, "[2001:db8::1]:443");
    assert_string_equal(rows.items[0].why, "default");
    assert_string_equal(rows.items[0].device, "10.0.0.7");
    flow_rows_fini(&rows);
}

static void the_selection_stays_where_it_was(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    update(&rows, (int[]){1, 2, 3}, (int[]){5, 1, 9}, 3, 100000);
    flow_rows_move(&rows, 1);
    assert_int_equal(flow_rows_selected(&rows)->id, 1);
    update(&rows, (int[]){1, 2, 3, 4}, (int[]){6, 2, 10, 0}, 4, 101000);
    assert_int_equal(flow_rows_selected(&rows)->id, 1);
    flow_rows_move(&rows, -100);
    assert_int_equal(flow_rows_selected(&rows)->id, 4);
    update(&rows, (int[]){5, 4}, (int[]){0, 1}, 2, 102000); /* at the top one sees what comes */
    assert_int_equal(flow_rows_selected(&rows)->id, 5);
    flow_rows_fini(&rows);
}

static void what_is_not_told_any_more_has_ended(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    update(&rows, (int[]){1, 2}, (int[]){5, 1}, 2, 100000);
    update(&rows, (int[]){2}, (int[]){2}, 1, 101000);
    assert_order(&rows, (int[]){2, 1}, 2);
    assert_int_equal(rows.items[0].ended, 0);
    assert_int_equal(rows.items[1].ended, 101000);
    update(&rows, (int[]){2, 1}, (int[]){3, 7}, 2, 102000); /* it had no room in the answer */
    assert_int_equal(rows.items[1].ended, 0);
    flow_rows_fini(&rows);
}

static void an_event_tells_what_was_too_short_to_be_seen(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    update(&rows, (int[]){1, 2}, (int[]){5, 1}, 2, 100000);
    end(&rows, 3, 2, 100500);
    end(&rows, 1, 6, 100600);
    flow_rows_settle(&rows);
    assert_order(&rows, (int[]){2, 3, 1}, 3);
    assert_int_equal(rows.items[2].started, 95000); /* it stays where it was */
    assert_int_equal(rows.items[2].ended, 100600);
    assert_string_equal(rows.items[1].device, "cam");
    assert_string_equal(rows.items[1].name, "b.test");
    assert_string_equal(rows.items[1].address, "192.0.2.9:443");
    assert_string_equal(rows.items[1].why, "^a (f:1)");
    assert_int_equal(rows.items[1].to_client, 20);
    /* An answer that was on its way. */
    update(&rows, (int[]){1, 2}, (int[]){6, 2}, 2, 101000);
    assert_order(&rows, (int[]){2, 3, 1}, 3);
    assert_int_equal(rows.items[2].ended, 100600);
    flow_rows_fini(&rows);
}

static void of_those_that_have_ended_the_oldest_go(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    update(&rows, (int[]){1}, (int[]){90}, 1, 100000);
    for (int id = 2; id < FLOW_ROWS_ENDED + 12; id++)
        end(&rows, id, 0, 100000 + (uint64_t)id);
    flow_rows_settle(&rows);
    assert_int_equal(rows.count, FLOW_ROWS_ENDED + 1);
    assert_int_equal(rows.items[0].id, FLOW_ROWS_ENDED + 11);
    assert_int_equal(rows.items[FLOW_ROWS_ENDED - 1].id, 12);
    assert_int_equal(rows.items[FLOW_ROWS_ENDED].id, 1); /* it is open */
    flow_rows_fini(&rows);
}

static void a_search_shows_what_it_finds(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    update(&rows, (int[]){1, 2, 3}, (int[]){1, 2, 3}, 3, 100000);
    flow_rows_search(&rows, "HOST3");
    assert_int_equal(flow_rows_selected(&rows)->id, 3);
    flow_rows_move(&rows, -1);
    assert_int_equal(flow_rows_selected(&rows)->id, 3);
    flow_rows_search(&rows, "nowhere");
    assert_null(flow_rows_selected(&rows));
    flow_rows_search(&rows, "");
    assert_non_null(flow_rows_selected(&rows));
    flow_rows_fini(&rows);
}

static void text_cannot_steer_the_terminal(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    char name[300];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(name + 253, "\xe2\x82\xac", 3);
    json_t *answer = json_pack("{s:[{s:i, s:s, s:{s:s}}]}", "flows", "flow_id", 1, "sni", name,
                               "device", "name", "\x1b[2Jcam");
    assert_non_null(answer);
    flow_rows_update(&rows, answer, 1);
    flow_rows_settle(&rows);
    assert_string_equal(rows.items[0].device, "?[2Jcam");
    assert_int_equal(strlen(rows.items[0].name), 253); /* no half character */
    json_decref(answer);
    flow_rows_fini(&rows);
}

static void an_answer_without_anything_is_an_empty_list(void **state)
{
    (void)state;
    struct flow_rows rows = {0};
    json_t *answer = json_object();
    flow_rows_update(&rows, answer, 1);
    flow_rows_settle(&rows);
    assert_int_equal(rows.count, 0);
    assert_null(flow_rows_selected(&rows));
    flow_rows_move(&rows, 1);
    flow_rows_move(&rows, -1);
    json_decref(answer);
    flow_rows_fini(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_stand_first),
        cmocka_unit_test(the_selection_stays_where_it_was),
        cmocka_unit_test(what_is_not_told_any_more_has_ended),
        cmocka_unit_test(an_event_tells_what_was_too_short_to_be_seen),
        cmocka_unit_test(of_those_that_have_ended_the_oldest_go),
        cmocka_unit_test(a_search_shows_what_it_finds),
        cmocka_unit_test(text_cannot_steer_the_terminal),
        cmocka_unit_test(an_answer_without_anything_is_an_empty_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
