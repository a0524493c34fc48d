/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns_bytes.h"
#include "policy/dns_watch.h"

static const struct device_key phone = {6, {2, 0, 0x5e, 0x10, 0, 1}};
static struct dns_bytes bytes;
static struct names *names;
static struct dns_watch *watch;
static unsigned news_count;

static int set_up(void **state)
{
    (void)state;
    names = names_new();
    watch = dns_watch_new(names);
    news_count = 0;
    return names != NULL && watch != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    dns_watch_free(watch);
    names_free(names);
    return 0;
}

static struct dns_path path_of(const char *device, const char *server)
{
    struct dns_path path = {.protocol = IPPROTO_UDP};
    assert_true(address_parse(&path.device, device));
    assert_true(address_parse(&path.server, server));
    return path;
}

static struct dns_path usual(void)
{
    return path_of("10.0.0.7:40000", "10.0.0.1:53");
}

static void ask(const struct dns_path *path, unsigned id, const char *name, unsigned type,
                uint64_t now)
{
    put_message(&bytes, id, DNS_QUERY, name, type);
    dns_watch_query(watch, path, &phone, bytes.at, bytes.length, now);
}

static void count_news(void *context, const struct device_key *device,
                       const struct address *address)
{
    (void)context;
    assert_memory_equal(device, &phone, sizeof(phone));
    assert_int_not_equal(address->family, 0);
    news_count++;
}

static void answer(const struct dns_path *path, unsigned id, const char *name, const char *ip,
                   uint64_t now)
{
    put_message(&bytes, id, DNS_ANSWER, name, strchr(ip, ':') != NULL ? DNS_AAAA : DNS_A);
    put_address(&bytes, name, ip, 60);
    dns_watch_answer(watch, path, bytes.at, bytes.length, now, count_news, NULL);
}

static bool is_known(const char *origin, const char *name, uint64_t now)
{
    struct arena arena = {0};
    struct flow flow = {.has_mac = true};
    bool known = false;
    memcpy(flow.mac, phone.bytes, MAC_SIZE);
    assert_true(address_parse(&flow.origin, origin));
    names_find(names, &flow, &arena, now);
    for (size_t i = 0; i < flow.name_count; i++)
        known = known || strcmp(flow.names[i], name) == 0;
    arena_fini(&arena);
    return known;
}

static void an_answer_to_a_question_teaches(void **state)
{
    (void)state;
    const struct dns_path path = usual();
    ask(&path, 7, "A.test", DNS_A, 1);
    answer(&path, 7, "a.TEST", "192.0.2.1", 2);
    assert_true(is_known("192.0.2.1:443", "a.test", 3));
    assert_int_equal(news_count, 1);
    answer(&path, 7, "a.test", "192.0.2.1", 4); /* once more */
    assert_int_equal(news_count, 1);
    assert_int_equal(counter_read(&dns_watch_counters(watch)->answers), 2);
}

static void a_device_may_ask_for_both_families_with_one_number(void **state)
{
    (void)state;
    const struct dns_path path = usual();
    ask(&path, 7, "a.test", DNS_A, 1);
    ask(&path, 7, "a.test", DNS_AAAA, 1);
    answer(&path, 7, "a.test", "2001:db8::1", 2);
    answer(&path, 7, "a.test", "192.0.2.1", 2);
    assert_int_equal(news_count, 2);
}

static void what_was_not_asked_teaches_nothing(void **state)
{
    (void)state;
    const struct dns_path path = usual();
    const struct dns_path others[] = {
        path_of("10.0.0.8:40000", "10.0.0.1:53"), path_of("10.0.0.7:40001", "10.0.0.1:53"),
        path_of("10.0.0.7:40000", "10.0.0.2:53"), path_of("10.0.0.7:40000", "10.0.0.1:54"),
        path_of("[2001:db8::7]:40000", "[2001:db8::1]:53")};
    ask(&path, 7, "a.test", DNS_A, 1);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        answer(&others[i], 7, "a.test", "192.0.2.1", 2);
    answer(&path, 8, "a.test", "192.0.2.1", 2);
    answer(&path, 7, "b.test", "192.0.2.1", 2);
    answer(&path, 7, "a.test", "2001:db8::1", 2); /* the other family was not asked for */
    struct dns_path by_tcp = path;
    by_tcp.protocol = IPPROTO_TCP;
    answer(&by_tcp, 7, "a.test", "192.0.2.1", 2);
    assert_int_equal(news_count, 0);
    assert_int_equal(counter_read(&dns_watch_counters(watch)->unasked), 9);
    answer(&path, 7, "a.test", "192.0.2.1", 2);
    assert_int_equal(news_count, 1);
}

static void an_answer_that_comes_too_late_teaches_nothing(void **state)
{
    (void)state;
    const struct dns_path path = usual();
    ask(&path, 7, "a.test", DNS_A, 1);
    answer(&path, 7, "a.test", "192.0.2.1", 1 + DNS_WATCH_TIME);
    assert_int_equal(news_count, 0);
    ask(&path, 7, "a.test", DNS_A, 2 + DNS_WATCH_TIME);
    answer(&path, 7, "a.test", "192.0.2.1", 3 + DNS_WATCH_TIME);
    assert_int_equal(news_count, 1);
}

static void the_oldest_question_goes_where_there_is_no_room(void **state)
{
    (void)state;
    const struct dns_path path = usual();
    for (unsigned id = 0; id <= DNS_WATCH_QUESTIONS; id++)
        ask(&path, id, "a.test", DNS_A, 1);
    answer(&path, 0, "a.test", "192.0.2.1", 2);
    assert_int_equal(news_count, 0);
    answer(&path, 1, "a.test", "192.0.2.1", 2);
    assert_int_equal(news_count, 1);
}

static void what_cannot_be_read_is_counted(void **state)
{
    (void)state;
    const struct dns_path path = usual();
    dns_watch_query(watch, &path, &phone, (const uint8_t *)"garbage", 7, 1);
    dns_watch_answer(watch, &path, (const uint8_t *)"", 0, 1, count_news, NULL);
    put_message(&bytes, 7, DNS_ANSWER, "a.test", DNS_A); /* a device that answers */
    dns_watch_query(watch, &path, &phone, bytes.at, bytes.length, 1);
    assert_int_equal(counter_read(&dns_watch_counters(watch)->unreadable), 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_to_a_question_teaches),
        TEST(a_device_may_ask_for_both_families_with_one_number),
        TEST(what_was_not_asked_teaches_nothing),
        TEST(an_answer_that_comes_too_late_teaches_nothing),
        TEST(the_oldest_question_goes_where_there_is_no_room),
        TEST(what_cannot_be_read_is_counted),
    };
    return cmocka_run_group_tests_name("policy/dns_watch", tests, NULL, NULL);
}
