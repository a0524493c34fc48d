/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns_message.h"
#include "policy/dns_watch.h"

#include <stdlib.h>

struct table {
    struct names *names;
    struct dns_watch *watch;
    struct arena arena;
    unsigned news;
    struct address last; /* that there was news of */
};

static struct dns_bytes bytes;

static int make_table(void **state)
{
    struct table *table = calloc(1, sizeof(*table));
    *state = table;
    table->names = names_new();
    table->watch = dns_watch_new(table->names);
    return table->watch != NULL ? 0 : -1;
}

static int drop_table(void **state)
{
    struct table *table = *state;
    dns_watch_free(table->watch);
    names_free(table->names);
    arena_fini(&table->arena);
    free(table);
    return 0;
}

/* The device 192.0.2.50 with the MAC address 28:cd:c1:00:00:01, and its resolver. */
static struct flow flow_to(const char *origin)
{
    struct flow flow = {.has_mac = true, .mac = {0x28, 0xcd, 0xc1, 0, 0, 1}};
    assert_true(address_ip_parse(&flow.device, "192.0.2.50"));
    assert_true(address_ip_parse(&flow.origin, origin));
    return flow;
}

static struct dns_path usual_path(void)
{
    struct dns_path path = {.protocol = IPPROTO_UDP};
    assert_true(address_parse(&path.device, "192.0.2.50:40000"));
    assert_true(address_parse(&path.server, "192.0.2.1:53"));
    return path;
}

static void ask_by(struct table *table, const struct dns_path *path, const char *name,
                   uint32_t type, uint64_t now)
{
    const struct flow flow = flow_to("198.51.100.1");
    const struct device_key device = flow_device_key(&flow);
    start(&bytes, DNS_QUERY, name, type);
    dns_watch_query(table->watch, path, &device, bytes.at, bytes.length, now);
}

static void ask(struct table *table, const char *name, uint64_t now)
{
    const struct dns_path path = usual_path();
    ask_by(table, &path, name, DNS_A, now);
}

static void note_news(void *context, const struct device_key *device, const struct address *address)
{
    struct table *table = context;
    const struct flow flow = flow_to("198.51.100.1");
    const struct device_key expected = flow_device_key(&flow);
    assert_memory_equal(device, &expected, sizeof(expected));
    table->news++;
    table->last = *address;
}

/* What was put into `bytes`. */
static void answer_by(struct table *table, const struct dns_path *path, uint64_t now)
{
    dns_watch_answer(table->watch, path, bytes.at, bytes.length, now, note_news, table);
}

static void answer(struct table *table, const char *name, const char *address, uint64_t now)
{
    const struct dns_path path = usual_path();
    start(&bytes, DNS_ANSWER, name, DNS_A);
    put_address(&bytes, NULL, address, 60);
    answer_by(table, &path, now);
}

/* The name that the device knows there; "" if none. */
static void assert_name(struct table *table, const char *address, uint64_t now,
                        const char *expected)
{
    struct flow flow = flow_to(address);
    names_find(table->names, &flow, &table->arena, now);
    assert_string_equal(flow.name_count > 0 ? flow.names[0] : "", expected);
}

static void assert_counted(const struct table *table, unsigned queries, unsigned answers,
                           unsigned unasked, unsigned unreadable)
{
    const struct dns_watch_counters *counters = dns_watch_counters(table->watch);
    assert_int_equal(counter_read(&counters->queries), queries);
    assert_int_equal(counter_read(&counters->answers), answers);
    assert_int_equal(counter_read(&counters->unasked), unasked);
    assert_int_equal(counter_read(&counters->unreadable), unreadable);
}

static void an_answer_to_what_was_asked_teaches_the_device_its_name(void **state)
{
    struct table *table = *state;
    ask(table, "A.test", 1000);
    answer(table, "a.test", "198.51.100.1", 1010);
    assert_name(table, "198.51.100.1", 1010, "a.test");
    assert_int_equal(table->news, 1);
    const struct flow flow = flow_to("198.51.100.1");
    assert_true(address_same_ip(&table->last, &flow.origin));
    assert_counted(table, 1, 1, 0, 0);
}

static void only_a_new_name_is_news(void **state)
{
    struct table *table = *state;
    for (uint64_t now = 1000; now < 4000; now += 1000) {
        ask(table, "a.test", now);
        answer(table, "a.test", "198.51.100.1", now);
        assert_int_equal(table->news, 1);
    }
    ask(table, "b.test", 5000);
    answer(table, "b.test", "198.51.100.1", 5000);
    assert_int_equal(table->news, 2);
}

static void each_address_of_an_answer_is_news(void **state)
{
    struct table *table = *state;
    const struct dns_path path = usual_path();
    ask(table, "a.test", 1000);
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, NULL, "198.51.100.1", 60);
    put_address(&bytes, NULL, "198.51.100.2", 60);
    answer_by(table, &path, 1000);
    assert_int_equal(table->news, 2);
    assert_name(table, "198.51.100.2", 1000, "a.test");
}

static void an_answer_to_nothing_teaches_nothing(void **state)
{
    struct table *table = *state;
    answer(table, "a.test", "198.51.100.1", 1000);
    assert_name(table, "198.51.100.1", 1000, "");
    assert_counted(table, 0, 0, 1, 0);
}

static void an_answer_with_another_number_or_name_or_type_teaches_nothing(void **state)
{
    struct table *table = *state;
    const struct dns_path path = usual_path();
    ask(table, "a.test", 1000);
    answer(table, "b.test", "198.51.100.1", 1000);
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, NULL, "198.51.100.1", 60);
    bytes.at[0] ^= 1;
    answer_by(table, &path, 1000);
    start(&bytes, DNS_ANSWER, "a.test", DNS_HTTPS);
    put_address(&bytes, NULL, "198.51.100.1", 60);
    answer_by(table, &path, 1000);
    assert_name(table, "198.51.100.1", 1000, "");
    assert_counted(table, 1, 0, 3, 0);
    answer(table, "a.test", "198.51.100.1", 1000); /* the right one still counts */
    assert_name(table, "198.51.100.1", 1000, "a.test");
}

static void an_answer_that_goes_another_way_teaches_nothing(void **state)
{
    struct table *table = *state;
    const struct dns_path usual = usual_path();
    struct dns_path paths[5] = {usual, usual, usual, usual, usual};
    assert_true(address_parse(&paths[0].device, "192.0.2.51:40000"));
    assert_true(address_parse(&paths[1].device, "192.0.2.50:40001"));
    assert_true(address_parse(&paths[2].server, "192.0.2.2:53"));
    assert_true(address_parse(&paths[3].server, "192.0.2.1:54"));
    paths[4].protocol = IPPROTO_TCP;
    ask(table, "a.test", 1000);
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, NULL, "198.51.100.1", 60);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        answer_by(table, &paths[i], 1000);
    assert_name(table, "198.51.100.1", 1000, "");
    assert_counted(table, 1, 0, 5, 0);
}

static void both_families_may_be_asked_for_with_one_number(void **state)
{
    struct table *table = *state;
    const struct dns_path path = usual_path();
    ask_by(table, &path, "a.test", DNS_A, 1000);
    ask_by(table, &path, "a.test", DNS_AAAA, 1000);
    answer(table, "a.test", "198.51.100.1", 1000);
    start(&bytes, DNS_ANSWER, "a.test", DNS_AAAA);
    put_address(&bytes, NULL, "2001:db8::1", 60);
    answer_by(table, &path, 1000);
    assert_name(table, "198.51.100.1", 1000, "a.test");
    assert_name(table, "2001:db8::1", 1000, "a.test");
}

/* As the device does, which waits for one. */
static void only_the_first_answer_counts(void **state)
{
    struct table *table = *state;
    ask(table, "a.test", 1000);
    answer(table, "a.test", "198.51.100.1", 1000);
    answer(table, "a.test", "198.51.100.2", 1001);
    assert_name(table, "198.51.100.1", 1001, "a.test");
    assert_name(table, "198.51.100.2", 1001, "");
    assert_counted(table, 1, 1, 0, 0);
    ask(table, "a.test", 1002); /* with the same number: it is another question */
    answer(table, "a.test", "198.51.100.2", 1003);
    assert_name(table, "198.51.100.2", 1003, "a.test");
}

static void an_answer_may_come_late_and_not_too_late(void **state)
{
    struct table *table = *state;
    ask(table, "a.test", 1000);
    answer(table, "a.test", "198.51.100.1", 1000 + DNS_WATCH_TIME);
    assert_name(table, "198.51.100.1", 1000 + DNS_WATCH_TIME, "");
    ask(table, "a.test", 50000);
    answer(table, "a.test", "198.51.100.1", 50000 + DNS_WATCH_TIME - 1);
    assert_name(table, "198.51.100.1", 50000 + DNS_WATCH_TIME - 1, "a.test");
}

static void an_excluded_device_teaches_nothing(void **state)
{
    struct table *table = *state;
    const struct dns_path path = usual_path();
    start(&bytes, DNS_QUERY, "a.test", DNS_A);
    dns_watch_query(table->watch, &path, NULL, bytes.at, bytes.length, 1000);
    answer(table, "a.test", "198.51.100.1", 1000);
    assert_name(table, "198.51.100.1", 1000, "");
    assert_int_equal(table->news, 0);
    assert_counted(table, 1, 1, 0, 0);
}

static void ask_many(struct table *table, size_t count)
{
    struct dns_path path = usual_path();
    for (size_t i = 0; i < count; i++) {
        path.device.port = (uint16_t)(50000 + i);
        ask_by(table, &path, "other.test", DNS_A, 1000);
    }
}

static void of_too_many_questions_the_oldest_is_forgotten(void **state)
{
    struct table *table = *state;
    ask(table, "a.test", 1000);
    ask_many(table, DNS_WATCH_QUESTIONS - 1);
    answer(table, "a.test", "198.51.100.1", 1000);
    assert_name(table, "198.51.100.1", 1000, "a.test");
    ask(table, "b.test", 1000);
    ask_many(table, DNS_WATCH_QUESTIONS); /* these were there before, and are asked again */
    answer(table, "b.test", "198.51.100.2", 1000);
    assert_name(table, "198.51.100.2", 1000, "");
}

static void what_is_answered_already_is_forgotten_first(void **state)
{
    struct table *table = *state;
    struct dns_path path = usual_path();
    ask(table, "a.test", 1000);
    path.device.port = 40001;
    ask_by(table, &path, "b.test", DNS_A, 1000);
    start(&bytes, DNS_ANSWER, "b.test", DNS_A);
    answer_by(table, &path, 1000);
    ask_many(table, DNS_WATCH_QUESTIONS - 1);
    answer(table, "a.test", "198.51.100.1", 1000);
    assert_name(table, "198.51.100.1", 1000, "a.test");
}

static void what_is_neither_is_counted(void **state)
{
    struct table *table = *state;
    const struct dns_path path = usual_path();
    ask(table, "a.test", 1000);
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    dns_watch_query(table->watch, &path, NULL, bytes.at, bytes.length, 1000);
    dns_watch_query(table->watch, &path, NULL, bytes.at, 11, 1000);
    start(&bytes, DNS_QUERY, "a.test", DNS_A);
    answer_by(table, &path, 1000);
    bytes.length = 0;
    answer_by(table, &path, 1000);
    assert_counted(table, 1, 0, 0, 4);
}

#define watch_test(function) cmocka_unit_test_setup_teardown(function, make_table, drop_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        watch_test(an_answer_to_what_was_asked_teaches_the_device_its_name),
        watch_test(only_a_new_name_is_news),
        watch_test(each_address_of_an_answer_is_news),
        watch_test(an_answer_to_nothing_teaches_nothing),
        watch_test(an_answer_with_another_number_or_name_or_type_teaches_nothing),
        watch_test(an_answer_that_goes_another_way_teaches_nothing),
        watch_test(both_families_may_be_asked_for_with_one_number),
        watch_test(only_the_first_answer_counts),
        watch_test(an_answer_may_come_late_and_not_too_late),
        watch_test(an_excluded_device_teaches_nothing),
        watch_test(of_too_many_questions_the_oldest_is_forgotten),
        watch_test(what_is_answered_already_is_forgotten_first),
        watch_test(what_is_neither_is_counted),
    };
    return cmocka_run_group_tests_name("policy/dns_watch", tests, NULL, NULL);
}
