/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/devices.h"

#include <pthread.h>

struct table {
    struct devices *devices;
    struct arena arena;
};

static int make_table(void **state)
{
    struct table *table = calloc(1, sizeof(*table));
    *state = table;
    table->devices = devices_new();
    return table->devices != NULL ? 0 : -1;
}

static int drop_table(void **state)
{
    struct table *table = *state;
    devices_free(table->devices);
    arena_fini(&table->arena);
    free(table);
    return 0;
}

/* A flow of the device with the MAC address 28:cd:c1:00:00:NN; of none known with 0. */
static struct flow flow_of(uint8_t number, const char *device)
{
    struct flow flow = {.has_mac = number != 0,
                        .mac = {0x28, 0xcd, 0xc1, 0, 0, number},
                        .protocol = IPPROTO_TCP,
                        .interface = "lan0"};
    assert_true(address_ip_parse(&flow.device, device));
    flow.device.port = 50012;
    return flow;
}

static struct flow describe(struct table *table, uint8_t number, const char *device, uint64_t now)
{
    struct flow flow = flow_of(number, device);
    devices_describe(table->devices, &flow, &table->arena, now);
    return flow;
}

static void set_lease(struct table *table, uint8_t number, const char *address, const char *name)
{
    struct leases *leases = leases_new();
    const struct flow flow = flow_of(number, address);
    struct lease lease = {
        .address = flow.device, .has_mac = flow.has_mac, .name = name, .name_length = strlen(name)};
    memcpy(lease.mac, flow.mac, MAC_SIZE);
    leases_add(leases, &lease);
    devices_set_leases(table->devices, leases);
}

/* What is known of the only device. */
static struct device_facts the_device(struct table *table)
{
    size_t count;
    struct device_facts *list = devices_list(table->devices, &count);
    assert_int_equal(count, 1);
    struct device_facts facts = list[0];
    free(list);
    return facts;
}

static size_t count_devices(struct table *table)
{
    size_t count;
    free(devices_list(table->devices, &count));
    return count;
}

static void assert_addresses(const struct device_facts *facts, const char *expected)
{
    char text[1024] = "", ip[INET6_ADDRSTRLEN];
    for (size_t i = 0; i < facts->address_count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%s ",
                 address_ip_text(&facts->addresses[i], ip));
    }
    assert_string_equal(text, expected);
}

static void a_device_keeps_its_addresses_the_last_first(void **state)
{
    struct table *table = *state;
    describe(table, 1, "10.0.0.7", 1000);
    describe(table, 1, "2001:db8::7", 2000);
    describe(table, 1, "10.0.0.7", 3000);
    struct device_facts facts = the_device(table);
    assert_addresses(&facts, "10.0.0.7 2001:db8::7 ");
    assert_true(facts.has_mac);
    assert_int_equal(facts.mac[5], 1);
    assert_string_equal(facts.interface, "lan0");
    assert_int_equal(facts.last_seen, 3000);
    assert_true(time(NULL) - facts.first_seen <= 60);
}

static void of_many_addresses_the_last_ones_are_kept(void **state)
{
    struct table *table = *state;
    char address[INET6_ADDRSTRLEN];
    for (unsigned i = 1; i <= 100; i++) {
        snprintf(address, sizeof(address), "2001:db8::%u", i);
        describe(table, 1, address, i);
    }
    struct device_facts facts = the_device(table);
    assert_addresses(&facts, "2001:db8::100 2001:db8::99 2001:db8::98 2001:db8::97 2001:db8::96 "
                             "2001:db8::95 2001:db8::94 2001:db8::93 ");
}

static void an_address_is_one_devices_at_a_time(void **state)
{
    struct table *table = *state;
    size_t count;
    describe(table, 1, "10.0.0.7", 1000);
    describe(table, 2, "10.0.0.7", 2000);
    struct device_facts *list = devices_list(table->devices, &count);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].address_count, list[i].mac[5] == 2 ? 1 : 0);
    free(list);
}

static void a_device_without_a_mac_is_its_address_until_the_mac_is_known(void **state)
{
    struct table *table = *state;
    struct flow first = describe(table, 0, "10.0.0.7", 1000);
    devices_count(table->devices, &first, VERDICT_TAKE);
    devices_set_name(table->devices, &first, "cam.local");
    assert_false(the_device(table).has_mac);
    struct flow second = describe(table, 1, "10.0.0.7", 2000);
    devices_count(table->devices, &second, VERDICT_PASS);
    struct device_facts facts = the_device(table);
    assert_true(facts.has_mac);
    assert_string_equal(facts.name, "cam.local");
    assert_int_equal(facts.taken, 1);
    assert_int_equal(facts.passed, 1);
    /* And from then on it is that one, also where nobody knows the MAC address. */
    describe(table, 0, "10.0.0.7", 3000);
    assert_int_equal(the_device(table).last_seen, 3000);
}

static void a_flow_is_told_the_name_and_the_vendor(void **state)
{
    struct table *table = *state;
    static const char list[] = "28-CD-C1   (hex)\t\tRaspberry Pi Trading Ltd\n";
    struct flow flow = describe(table, 1, "10.0.0.7", 1000);
    assert_null(flow.device_name);
    assert_null(flow.vendor);
    assert_true(flow.first_seen > 0);
    devices_set_vendors(table->devices, vendors_parse(list, strlen(list)));
    devices_set_name(table->devices, &flow, "cam.local");
    flow = describe(table, 1, "10.0.0.7", 2000);
    assert_string_equal(flow.device_name, "cam.local");
    assert_string_equal(flow.vendor, "Raspberry Pi Trading Ltd");
    flow = describe(table, 0, "10.0.0.8", 2000);
    assert_null(flow.vendor);
    /* What a flow was told stays when the list goes. */
    flow = describe(table, 1, "10.0.0.7", 3000);
    devices_set_vendors(table->devices, NULL);
    assert_string_equal(flow.vendor, "Raspberry Pi Trading Ltd");
    flow = describe(table, 1, "10.0.0.7", 4000);
    assert_null(flow.vendor);
}

static void a_dhcp_servers_word_goes_before_the_devices_own(void **state)
{
    struct table *table = *state;
    struct flow flow = describe(table, 1, "10.0.0.7", 1000);
    devices_set_name(table->devices, &flow, "own.local");
    set_lease(table, 1, "10.0.0.99", "cam");
    assert_string_equal(describe(table, 1, "10.0.0.7", 2000).device_name, "cam");
    assert_int_equal(the_device(table).name_source, NAMED_BY_LEASE);
    devices_set_leases(table->devices, NULL);
    assert_string_equal(describe(table, 1, "10.0.0.7", 3000).device_name, "own.local");
    assert_int_equal(the_device(table).name_source, NAMED_BY_MDNS);
}

static void a_lease_names_a_device_that_comes_later(void **state)
{
    struct table *table = *state;
    set_lease(table, 0, "2001:db8::7", "cam6");
    assert_null(describe(table, 1, "10.0.0.7", 1000).device_name);
    assert_string_equal(describe(table, 1, "2001:db8::7", 2000).device_name, "cam6");
    /* It is the device's, whatever address it uses. */
    assert_string_equal(describe(table, 1, "10.0.0.7", 3000).device_name, "cam6");
    assert_null(describe(table, 2, "10.0.0.8", 3000).device_name);
}

static void a_name_that_comes_before_its_device_waits(void **state)
{
    struct table *table = *state;
    struct flow by_mac = flow_of(1, "fe80::1"), by_address = flow_of(0, "10.0.0.8");
    devices_set_name(table->devices, &by_mac, "one.local");
    devices_set_name(table->devices, &by_address, "two.local");
    assert_int_equal(count_devices(table), 0);
    assert_string_equal(describe(table, 1, "10.0.0.7", 1000).device_name, "one.local");
    assert_string_equal(describe(table, 2, "10.0.0.8", 1000).device_name, "two.local");
    assert_null(describe(table, 3, "10.0.0.9", 1000).device_name);
}

/* Whoever floods drives out names that nobody has asked for yet, and no device. */
static void a_flood_of_names_takes_no_room(void **state)
{
    struct table *table = *state;
    char address[INET6_ADDRSTRLEN];
    describe(table, 1, "10.0.0.7", 1000);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(address, sizeof(address), "10.1.%u.%u", i >> 8, i & 255);
        struct flow flow = flow_of(0, address);
        devices_set_name(table->devices, &flow, "flood.local");
    }
    assert_int_equal(count_devices(table), 1);
    assert_string_equal(the_device(table).name, "");
}

static void the_device_that_was_not_seen_for_the_longest_gives_way(void **state)
{
    struct table *table = *state;
    char address[INET6_ADDRSTRLEN];
    size_t count;
    describe(table, 1, "10.0.0.7", 1);
    for (unsigned i = 0; i < DEVICES_LIMIT + 5; i++) {
        snprintf(address, sizeof(address), "10.1.%u.%u", i >> 8, i & 255);
        describe(table, 0, address, i + 2);
        if (i == DEVICES_LIMIT / 2)
            describe(table, 1, "10.0.0.7", i + 2);
    }
    struct device_facts *list = devices_list(table->devices, &count);
    assert_int_equal(count, DEVICES_LIMIT);
    bool kept = false;
    for (size_t i = 0; i < count; i++)
        kept = kept || list[i].has_mac;
    assert_true(kept);
    free(list);
}

static void what_the_kernel_has_seen_is_there(void **state)
{
    struct table *table = *state;
    struct flow seen = flow_of(1, "10.0.0.7");
    devices_notice(table->devices, &seen, 5000);
    assert_int_equal(the_device(table).last_seen, 5000);
    devices_notice(table->devices, &seen, 4000); /* an older address */
    assert_int_equal(the_device(table).last_seen, 5000);
    assert_int_equal(the_device(table).taken + the_device(table).passed, 0);
}

static void a_name_is_found_without_being_seen(void **state)
{
    struct table *table = *state;
    char name[MDNS_NAME_SIZE];
    const struct flow flow = flow_of(1, "10.0.0.7"), other = flow_of(2, "10.0.0.8");
    const struct device_key key = flow_device_key(&flow), stranger = flow_device_key(&other);
    assert_null(devices_find_name(table->devices, &key, name));
    describe(table, 1, "10.0.0.7", 1000);
    assert_null(devices_find_name(table->devices, &key, name));
    devices_set_name(table->devices, &flow, "cam.local");
    assert_string_equal(devices_find_name(table->devices, &key, name), "cam.local");
    set_lease(table, 1, "10.0.0.7", "camera");
    assert_string_equal(devices_find_name(table->devices, &key, name), "camera");
    assert_null(devices_find_name(table->devices, &stranger, name));
    assert_int_equal(count_devices(table), 1);
}

static void a_question_of_an_operators_notes_nobody(void **state)
{
    struct table *table = *state;
    struct flow flow = {.protocol = IPPROTO_TCP};
    devices_describe(table->devices, &flow, &table->arena, 1000);
    devices_count(table->devices, &flow, VERDICT_TAKE);
    assert_int_equal(count_devices(table), 0);
    assert_int_equal(flow.first_seen, 0);
}

/* ---- many threads ---- */

static void *work(void *context)
{
    struct devices *devices = context;
    struct arena arena = {0};
    for (unsigned i = 0; i < 3000; i++) {
        struct flow flow = flow_of((uint8_t)(i % 7), "10.0.0.1");
        flow.device.ip.v4.s_addr = htonl(0x0a000000 + i % 50);
        devices_describe(devices, &flow, &arena, i);
        devices_count(devices, &flow, VERDICT_TAKE);
        if (i % 100 == 0)
            devices_set_name(devices, &flow, "x.local");
    }
    arena_fini(&arena);
    return NULL;
}

static void any_thread_may_ask(void **state)
{
    struct table *table = *state;
    pthread_t threads[4];
    size_t count;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, table->devices), 0);
    for (unsigned i = 0; i < 50; i++) {
        set_lease(table, 1, "10.0.0.1", "x");
        free(devices_list(table->devices, &count));
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(count_devices(table) >= 6);
}

#define with_table(test) cmocka_unit_test_setup_teardown(test, make_table, drop_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_table(a_device_keeps_its_addresses_the_last_first),
        with_table(of_many_addresses_the_last_ones_are_kept),
        with_table(an_address_is_one_devices_at_a_time),
        with_table(a_device_without_a_mac_is_its_address_until_the_mac_is_known),
        with_table(a_flow_is_told_the_name_and_the_vendor),
        with_table(a_dhcp_servers_word_goes_before_the_devices_own),
        with_table(a_lease_names_a_device_that_comes_later),
        with_table(a_name_that_comes_before_its_device_waits),
        with_table(a_flood_of_names_takes_no_room),
        with_table(the_device_that_was_not_seen_for_the_longest_gives_way),
        with_table(what_the_kernel_has_seen_is_there),
        with_table(a_name_is_found_without_being_seen),
        with_table(a_question_of_an_operators_notes_nobody),
        with_table(any_thread_may_ask),
    };
    return cmocka_run_group_tests_name("policy/devices", tests, NULL, NULL);
}
