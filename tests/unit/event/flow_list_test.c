/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/flow_list.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct open_flow flow_since(uint64_t start, uint64_t id)
{
    struct open_flow item = {.flow_id = id, .start = start, .state = "relay"};
    item.flow.protocol = IPPROTO_TCP;
    assert_true(address_parse(&item.flow.device, "10.0.0.7:50012"));
    assert_true(address_parse(&item.flow.origin, "192.0.2.1:443"));
    return item;
}

static json_t *written(const struct flow_list *list, uint64_t now)
{
    struct jsonw json;
    json_error_t problem;
    jsonw_init_growing(&json);
    flow_list_write(list, &json, now);
    json_t *value = json_loads(jsonw_text(&json), JSON_REJECT_DUPLICATES, &problem);
    if (value == NULL)
        fail_msg("%s: %s", jsonw_text(&json), problem.text);
    jsonw_fini(&json);
    return value;
}

static void assert_written(const struct flow_list *list, uint64_t now, const char *expected_text)
{
    json_error_t problem;
    char *text = strdup(expected_text);
    for (char *quote = text; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    json_t *value = written(list, now), *expected = json_loads(text, 0, &problem);
    if (expected == NULL)
        fail_msg("the test's own JSON is wrong: %s", problem.text);
    if (!json_equal(value, expected))
        fail_msg("\n%s\nis not\n%s", json_dumps(value, JSON_SORT_KEYS),
                 json_dumps(expected, JSON_SORT_KEYS));
    json_decref(expected);
    json_decref(value);
    free(text);
}

static void an_empty_list_is_told_as_one(void **state)
{
    (void)state;
    struct flow_list *list = flow_list_new(10);
    flow_list_finish(list);
    assert_written(list, 0, "{'total': 0, 'flows': []}");
    flow_list_free(list);
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    struct flow_list *list = flow_list_new(10);
    struct open_flow item = flow_since(0, 17);
    flow_list_add(list, &item);
    assert_written(
        list, 5000,
        "{'total': 1, 'flows': [{'flow_id': 17, 'src_ip': '10.0.0.7', 'src_port': 50012,"
        " 'dest_ip': '192.0.2.1', 'dest_port': 443, 'proto': 'TCP', 'state': 'relay'}]}");
    flow_list_free(list);
}

/* The texts are gone when it is written: they were another thread's. */
static void all_that_is_known_is_copied(void **state)
{
    (void)state;
    struct flow_list *list = flow_list_new(10);
    char sni[] = "www.a.test", host[] = "b.test", first[] = "c.test", second[] = "d.test";
    char rule[] = "^a", place[] = "list:3", device[] = "the phone";
    const char *names[] = {first, second};
    struct open_flow item = flow_since(1000, 17);
    strcpy(item.flow.interface, "br-lan");
    item.flow.protocol = IPPROTO_UDP;
    item.flow.has_mac = true;
    memcpy(item.flow.mac, "\x02\x00\x5e\x10\x00\x01", MAC_SIZE);
    item.flow.device_name = device;
    item.flow.sni = sni;
    item.flow.host = host;
    item.flow.names = names;
    item.flow.name_count = 2;
    item.action = "passthrough";
    item.reason = "rule";
    item.rule = rule;
    item.rule_place = place;
    item.policy_revision = 3;
    item.counted = true;
    item.packets_to_server = 1;
    item.packets_to_client = 2;
    item.bytes_to_server = 3;
    item.bytes_to_client = UINT64_C(5) << 32;
    flow_list_add(list, &item);
    char *const texts[] = {sni, host, first, second, rule, place, device};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        memset(texts[i], 'x', strlen(texts[i]));
    names[0] = names[1] = NULL;
    assert_written(
        list, 61999,
        "{'total': 1, 'flows': [{'flow_id': 17, 'in_iface': 'br-lan', 'src_ip': '10.0.0.7',"
        " 'src_port': 50012, 'dest_ip': '192.0.2.1', 'dest_port': 443, 'proto': 'UDP',"
        " 'device': {'mac': '02:00:5e:10:00:01', 'name': 'the phone'}, 'sni': 'www.a.test',"
        " 'host': 'b.test', 'names': ['c.test', 'd.test'], 'state': 'relay',"
        " 'action': 'passthrough', 'reason': 'rule', 'rule': '^a', 'rule_place': 'list:3',"
        " 'policy_rev': 3, 'pkts_toserver': 1, 'pkts_toclient': 2, 'bytes_toserver': 3,"
        " 'bytes_toclient': 21474836480, 'age': 60}]}");
    flow_list_free(list);
}

static void assert_ids(const struct flow_list *list, const uint64_t *ids, size_t count)
{
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list->items[i].flow_id, ids[i]);
}

static void the_youngest_come_first_and_those_of_unknown_age_last(void **state)
{
    (void)state;
    struct flow_list *list = flow_list_new(10);
    const uint64_t starts[] = {30, 0, 50, 10, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        struct open_flow item = flow_since(starts[i], i);
        flow_list_add(list, &item);
    }
    flow_list_finish(list);
    assert_ids(list, (const uint64_t[]){4, 2, 0, 3, 1}, 5);
    flow_list_free(list);
}

/* So that a source with many does not keep out the young ones of the next. */
static void each_source_has_the_same_room(void **state)
{
    (void)state;
    struct flow_list *list = flow_list_new(3);
    for (uint64_t source = 0; source < 3; source++) {
        flow_list_begin(list);
        for (uint64_t i = 0; i < 200; i++) {
            struct open_flow item = flow_since(source * 1000 + i, source * 1000 + i);
            assert_int_equal(flow_list_has_room(list), i < 3);
            flow_list_add(list, &item);
        }
    }
    flow_list_finish(list);
    assert_int_equal(list->total, 600);
    assert_ids(list, (const uint64_t[]){2002, 2001, 2000}, 3);
    json_t *value = written(list, 0);
    assert_int_equal(json_integer_value(json_object_get(value, "total")), 600);
    assert_int_equal(json_array_size(json_object_get(value, "flows")), 3);
    json_decref(value);
    flow_list_free(list);
}

static void a_clock_that_was_set_back_makes_no_age(void **state)
{
    (void)state;
    struct flow_list *list = flow_list_new(1);
    struct open_flow item = flow_since(90000, 1);
    flow_list_add(list, &item);
    json_t *value = written(list, 5000);
    const json_t *flow = json_array_get(json_object_get(value, "flows"), 0);
    assert_int_equal(json_integer_value(json_object_get(flow, "age")), 0);
    json_decref(value);
    flow_list_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_is_told_as_one),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(all_that_is_known_is_copied),
        cmocka_unit_test(the_youngest_come_first_and_those_of_unknown_age_last),
        cmocka_unit_test(each_source_has_the_same_room),
        cmocka_unit_test(a_clock_that_was_set_back_makes_no_age),
    };
    return cmocka_run_group_tests_name("event/flow_list", tests, NULL, NULL);
}
