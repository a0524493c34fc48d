/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/names.h"

#include <pthread.h>

#define HOUR UINT64_C(3600000)

struct table {
    struct names *names;
    struct arena arena;
};

static int make_table(void **state)
{
    struct table *table = calloc(1, sizeof(*table));
    *state = table;
    table->names = names_new();
    return table->names != NULL ? 0 : -1;
}

static int drop_table(void **state)
{
    struct table *table = *state;
    names_free(table->names);
    arena_fini(&table->arena);
    free(table);
    return 0;
}

/* Of the device with the MAC address 28:cd:c1:00:00:NN. */
static struct flow flow_to(uint8_t number, const char *address)
{
    struct flow flow = {.has_mac = true, .mac = {0x28, 0xcd, 0xc1, 0, 0, number}};
    assert_true(address_ip_parse(&flow.device, "192.0.2.50"));
    assert_true(address_ip_parse(&flow.origin, address));
    flow.origin.port = 443;
    return flow;
}

/* True if it is news. */
static bool tell(struct table *table, uint8_t number, const char *address, const char *name,
                 uint32_t ttl, uint64_t now)
{
    const struct flow flow = flow_to(number, address);
    const struct device_key device = flow_device_key(&flow);
    struct address origin = flow.origin;
    origin.port = 0;
    return names_add(table->names, &device, &origin, name, ttl, now);
}

static struct flow look(struct table *table, uint8_t number, const char *address, uint64_t now)
{
    struct flow flow = flow_to(number, address);
    names_find(table->names, &flow, &table->arena, now);
    return flow;
}

/* The names of a flow, separated by blanks. */
static void assert_names(const struct flow *flow, const char *expected)
{
    char text[1024] = "";
    for (size_t i = 0; i < flow->name_count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "",
                 flow->names[i]);
    assert_string_equal(text, expected);
}

static void assert_known(struct table *table, uint8_t number, const char *address, uint64_t now,
                         const char *expected)
{
    const struct flow flow = look(table, number, address, now);
    assert_names(&flow, expected);
}

static void a_device_knows_what_it_was_told(void **state)
{
    struct table *table = *state;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    assert_true(tell(table, 1, "2001:db8::1", "b.test", 60, 1000));
    assert_known(table, 1, "198.51.100.1", 2000, "a.test");
    assert_known(table, 1, "2001:db8::1", 2000, "b.test");
    assert_known(table, 1, "198.51.100.2", 2000, "");
}

static void another_device_does_not(void **state)
{
    struct table *table = *state;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    assert_known(table, 2, "198.51.100.1", 2000, "");
    assert_true(tell(table, 2, "198.51.100.1", "a.test", 60, 1000));
    assert_known(table, 2, "198.51.100.1", 2000, "a.test");
}

static void without_a_mac_address_a_device_is_its_address(void **state)
{
    struct table *table = *state;
    struct flow flow = flow_to(1, "198.51.100.1");
    flow.has_mac = false;
    const struct device_key device = flow_device_key(&flow);
    assert_true(names_add(table->names, &device, &flow.origin, "a.test", 60, 1000));
    names_find(table->names, &flow, &table->arena, 1000);
    assert_names(&flow, "a.test");
    assert_true(address_ip_parse(&flow.device, "192.0.2.51"));
    names_find(table->names, &flow, &table->arena, 1000);
    assert_names(&flow, "");
    assert_known(table, 1, "198.51.100.1", 1000, "");
}

static void the_name_told_last_is_the_first(void **state)
{
    struct table *table = *state;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    assert_true(tell(table, 1, "198.51.100.1", "b.test", 60, 1001));
    assert_true(tell(table, 1, "198.51.100.1", "c.test", 60, 1002));
    assert_known(table, 1, "198.51.100.1", 2000, "c.test b.test a.test");
    assert_false(tell(table, 1, "198.51.100.1", "a.test", 60, 1003));
    assert_known(table, 1, "198.51.100.1", 2000, "a.test c.test b.test");
}

static void a_name_lives_for_its_ttl_and_an_hour(void **state)
{
    struct table *table = *state;
    const uint64_t end = 1000 + 60000 + HOUR;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    struct flow flow = look(table, 1, "198.51.100.1", end - 1);
    assert_names(&flow, "a.test");
    assert_true(flow.names_until == end);
    assert_known(table, 1, "198.51.100.1", end, "");
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, end)); /* it is news again */
}

static void told_again_a_name_lives_longer_and_never_shorter(void **state)
{
    struct table *table = *state;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 600, 1000));
    assert_false(tell(table, 1, "198.51.100.1", "a.test", 0, 2000));
    assert_true(look(table, 1, "198.51.100.1", 2000).names_until == 1000 + 600000 + HOUR);
    assert_false(tell(table, 1, "198.51.100.1", "a.test", 601, 2000));
    assert_true(look(table, 1, "198.51.100.1", 2000).names_until == 2000 + 601000 + HOUR);
}

static void all_names_are_known_until_the_first_goes(void **state)
{
    struct table *table = *state;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 300, 1000));
    assert_true(tell(table, 1, "198.51.100.1", "b.test", 60, 1000));
    struct flow flow = look(table, 1, "198.51.100.1", 1000);
    assert_true(flow.names_until == 1000 + 60000 + HOUR);
    flow = look(table, 1, "198.51.100.1", flow.names_until);
    assert_names(&flow, "a.test");
    assert_true(flow.names_until == 1000 + 300000 + HOUR);
}

static void tell_many(struct table *table, size_t count, uint64_t now)
{
    char name[16];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "n%zu.test", i);
        assert_true(tell(table, 1, "198.51.100.1", name, 60, now));
    }
}

static void where_there_were_more_names_than_are_kept_that_is_known(void **state)
{
    struct table *table = *state;
    tell_many(table, NAMES_EACH, 1000);
    assert_false(look(table, 1, "198.51.100.1", 1000).names_crowded);
    assert_true(tell(table, 1, "198.51.100.1", "one-more.test", 60, 5000));
    struct flow flow = look(table, 1, "198.51.100.1", 5000);
    assert_int_equal(flow.name_count, NAMES_EACH);
    assert_true(flow.names_crowded);
    assert_string_equal(flow.names[0], "one-more.test");
    assert_string_equal(flow.names[NAMES_EACH - 1], "n1.test");
    assert_true(tell(table, 1, "198.51.100.1", "n0.test", 60, 5000)); /* it was forgotten */
}

/* What was pushed out is forgotten by the device, too. */
static void it_is_known_only_as_long_as_the_lost_name_could_be_meant(void **state)
{
    struct table *table = *state;
    tell_many(table, NAMES_EACH, 1000);
    assert_true(tell(table, 1, "198.51.100.1", "one-more.test", 6000, 5000));
    const uint64_t end = 1000 + 60000 + HOUR;
    assert_true(look(table, 1, "198.51.100.1", end - 1).names_crowded);
    struct flow flow = look(table, 1, "198.51.100.1", end);
    assert_false(flow.names_crowded);
    assert_names(&flow, "one-more.test");
}

static void expired_names_make_room(void **state)
{
    struct table *table = *state;
    tell_many(table, NAMES_EACH, 1000);
    const uint64_t later = 1000 + 60000 + HOUR;
    assert_true(tell(table, 1, "198.51.100.1", "one-more.test", 60, later));
    struct flow flow = look(table, 1, "198.51.100.1", later);
    assert_names(&flow, "one-more.test");
    assert_false(flow.names_crowded);
}

static const char *numbered(uint32_t number, char address[static INET_ADDRSTRLEN])
{
    snprintf(address, INET_ADDRSTRLEN, "10.%u.%u.%u", number >> 16, number >> 8 & 255,
             number & 255);
    return address;
}

static bool tell_number(struct table *table, uint8_t device, uint32_t number, uint64_t now)
{
    char address[INET_ADDRSTRLEN];
    return tell(table, device, numbered(number, address), "a.test", 600, now);
}

/* As many devices as it takes, each as much as it may. */
static void fill(struct table *table, uint64_t now)
{
    for (uint32_t i = 0; i < NAMES_LIMIT; i++)
        assert_true(tell_number(table, (uint8_t)(i / NAMES_DEVICE_LIMIT), i, now));
}

static void where_there_is_no_room_the_oldest_goes_and_that_is_known(void **state)
{
    struct table *table = *state;
    fill(table, 1000);
    assert_false(tell_number(table, 0, 0, 2000)); /* told again, it is the youngest */
    assert_true(tell(table, 200, "192.0.2.1", "a.test", 60, 2000));
    assert_known(table, 0, "10.0.0.0", 2000, "a.test");
    assert_known(table, 0, "10.0.0.2", 2000, "a.test");
    struct flow flow = look(table, 0, "10.0.0.1", 2000);
    assert_names(&flow, "");
    assert_true(flow.names_crowded);
    /* Told of again, it may still mean what it meant. */
    assert_true(tell(table, 0, "10.0.0.1", "b.test", 6000, 3000));
    assert_true(look(table, 0, "10.0.0.1", 3000).names_crowded);
    const uint64_t end = 1000 + 600000 + HOUR;
    assert_true(look(table, 0, "10.0.0.1", end - 1).names_crowded);
    flow = look(table, 0, "10.0.0.1", end);
    assert_names(&flow, "b.test");
    assert_false(flow.names_crowded);
}

static void a_device_that_is_told_too_much_pushes_out_its_own(void **state)
{
    struct table *table = *state;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    for (uint32_t i = 0; i < 2 * NAMES_LIMIT; i++)
        assert_true(tell_number(table, 2, i, 1000));
    struct flow flow = look(table, 1, "198.51.100.1", 1000);
    assert_names(&flow, "a.test");
    assert_false(flow.names_crowded);
    assert_true(tell(table, 1, "198.51.100.2", "b.test", 60, 1000));
    assert_false(look(table, 1, "198.51.100.2", 1000).names_crowded);
    assert_false(look(table, 3, "10.0.0.0", 1000).names_crowded);

    char address[INET_ADDRSTRLEN];
    flow = look(table, 2, numbered(2 * NAMES_LIMIT - NAMES_DEVICE_LIMIT, address), 1000);
    assert_names(&flow, "a.test");
    flow = look(table, 2, numbered(2 * NAMES_LIMIT - NAMES_DEVICE_LIMIT - 1, address), 1000);
    assert_names(&flow, "");
    assert_true(flow.names_crowded);
    const uint64_t end = 1000 + 600000 + HOUR;
    assert_true(look(table, 2, "10.0.0.0", end - 1).names_crowded);
    assert_false(look(table, 2, "10.0.0.0", end).names_crowded);
}

/* Nothing is kept of it any more, and still it is known that there was something. */
static void a_device_whose_own_were_pushed_out_is_known_to_have_had_more(void **state)
{
    struct table *table = *state;
    for (uint32_t i = 0; i <= NAMES_DEVICE_LIMIT; i++)
        assert_true(tell_number(table, 100, i, 1000));
    fill(table, 2000);
    const uint64_t end = 1000 + 600000 + HOUR;
    assert_true(look(table, 100, "10.0.0.0", end - 1).names_crowded);
    assert_true(tell(table, 100, "10.0.0.0", "b.test", 6000, 3000));
    assert_true(look(table, 100, "10.0.0.0", end - 1).names_crowded);
}

static void who_knows_the_version_knows_whether_there_is_news(void **state)
{
    struct table *table = *state;
    const uint64_t first = look(table, 1, "198.51.100.1", 1000).names_version;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    const uint64_t second = look(table, 1, "198.51.100.2", 1000).names_version;
    assert_true(second == first + 1);
    assert_false(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    assert_true(look(table, 1, "198.51.100.1", 1000).names_version == second);
}

static void what_was_found_is_the_arenas(void **state)
{
    struct table *table = *state;
    assert_true(tell(table, 1, "198.51.100.1", "a.test", 60, 1000));
    const struct flow flow = look(table, 1, "198.51.100.1", 1000);
    assert_true(tell(table, 1, "198.51.100.1", "b.test", 60, 1000 + 2 * HOUR));
    assert_names(&flow, "a.test");
}

struct worker {
    pthread_t thread;
    struct names *names;
    uint8_t number;
    unsigned wrong;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct arena arena = {0};
    struct flow flow = flow_to(worker->number, "198.51.100.1");
    const struct device_key device = flow_device_key(&flow);
    char name[16];
    snprintf(name, sizeof(name), "n%u.test", (unsigned)worker->number);
    for (uint64_t i = 0; i < 2000; i++) {
        (void)names_add(worker->names, &device, &flow.origin, name, 60, i);
        names_find(worker->names, &flow, &arena, i);
        worker->wrong += flow.name_count != 1 || strcmp(flow.names[0], name) != 0;
        arena_fini(&arena);
    }
    return NULL;
}

static void threads_tell_and_look_at_once(void **state)
{
    struct table *table = *state;
    struct worker workers[4];
    for (uint8_t i = 0; i < ARRAY_SIZE(workers); i++) {
        workers[i] = (struct worker){.names = table->names, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
}

#define names_test(function) cmocka_unit_test_setup_teardown(function, make_table, drop_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        names_test(a_device_knows_what_it_was_told),
        names_test(another_device_does_not),
        names_test(without_a_mac_address_a_device_is_its_address),
        names_test(the_name_told_last_is_the_first),
        names_test(a_name_lives_for_its_ttl_and_an_hour),
        names_test(told_again_a_name_lives_longer_and_never_shorter),
        names_test(all_names_are_known_until_the_first_goes),
        names_test(where_there_were_more_names_than_are_kept_that_is_known),
        names_test(it_is_known_only_as_long_as_the_lost_name_could_be_meant),
        names_test(expired_names_make_room),
        names_test(where_there_is_no_room_the_oldest_goes_and_that_is_known),
        names_test(a_device_that_is_told_too_much_pushes_out_its_own),
        names_test(a_device_whose_own_were_pushed_out_is_known_to_have_had_more),
        names_test(who_knows_the_version_knows_whether_there_is_news),
        names_test(what_was_found_is_the_arenas),
        names_test(threads_tell_and_look_at_once),
    };
    return cmocka_run_group_tests_name("policy/names", tests, NULL, NULL);
}
