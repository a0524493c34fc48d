/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/device_rules.h"

#include <stdlib.h>
#include <string.h>

static int make_rules(void **state)
{
    *state = calloc(1, sizeof(struct device_rules));
    return *state != NULL ? 0 : -1;
}

static int drop_rules(void **state)
{
    free(*state);
    return 0;
}

/* Of the device with the MAC address 28:cd:c1:00:00:NN, at 10.0.x.y. */
static struct flow flow_of(uint8_t mac, uint32_t device)
{
    struct flow flow = {.has_mac = true, .mac = {0x28, 0xcd, 0xc1, 0, 0, mac}};
    flow.device.family = AF_INET;
    flow.device.ip.v4.s_addr = htonl(0x0a000000u + device);
    flow.device.port = 50000;
    assert_true(address_parse(&flow.origin, "198.51.100.1:443"));
    return flow;
}

static struct decided decided_for(const struct flow *flow, uint64_t version)
{
    struct decided decided = {.origin = flow->origin, .verdict = VERDICT_PASS};
    struct flow known = *flow;
    known.names_version = version;
    decided_for_device(&decided, &known, 3600, 1000);
    return decided;
}

static bool add(struct device_rules *rules, uint8_t mac, uint32_t device, uint64_t version)
{
    const struct flow flow = flow_of(mac, device);
    const struct decided decided = decided_for(&flow, version);
    return device_rules_add(rules, &decided);
}

static bool see(struct device_rules *rules, uint8_t mac, uint32_t device)
{
    const struct flow flow = flow_of(mac, device);
    return device_rules_see(rules, &flow);
}

static bool hear_news(struct device_rules *rules, uint8_t mac, const char *origin)
{
    const struct flow flow = flow_of(mac, 1);
    const struct device_key device = flow_device_key(&flow);
    struct address address;
    assert_true(address_ip_parse(&address, origin));
    return device_rules_news(rules, &device, &address);
}

/* ---- names ---- */

static void news_matter_where_the_kernel_has_a_rule(void **state)
{
    struct device_rules *rules = *state;
    assert_false(hear_news(rules, 1, "198.51.100.1"));
    assert_true(add(rules, 1, 1, 1));
    assert_false(hear_news(rules, 1, "198.51.100.2"));
    assert_false(hear_news(rules, 2, "198.51.100.1"));
    assert_true(hear_news(rules, 1, "198.51.100.1"));
    device_rules_flushed(rules);
    assert_false(hear_news(rules, 1, "198.51.100.1"));
}

/* A worker has decided, and meanwhile there was news. */
static void a_decision_that_did_not_know_the_news_is_not_taught(void **state)
{
    struct device_rules *rules = *state;
    assert_false(hear_news(rules, 1, "198.51.100.1"));
    assert_false(hear_news(rules, 1, "198.51.100.1"));
    assert_false(add(rules, 1, 1, 1));
    assert_false(hear_news(rules, 1, "198.51.100.2")); /* another address: it does not matter */
    assert_true(add(rules, 1, 1, 2));
    device_rules_flushed(rules);
    assert_false(add(rules, 1, 1, 1)); /* that stays so */
}

/* ---- addresses ---- */

static void an_address_that_is_another_devices_now_is_noticed(void **state)
{
    struct device_rules *rules = *state;
    assert_false(see(rules, 1, 1));
    assert_false(see(rules, 2, 1)); /* there is no rule */
    assert_true(add(rules, 1, 1, 0));
    assert_false(see(rules, 1, 1));
    assert_false(see(rules, 2, 2));
    assert_true(see(rules, 2, 1));
    device_rules_flushed(rules);
    assert_false(see(rules, 2, 1));
}

static void ipv6_addresses_are_noticed_too(void **state)
{
    struct device_rules *rules = *state;
    struct flow flow = flow_of(1, 1), other = flow_of(2, 1);
    assert_true(address_parse(&flow.device, "[2001:db8::1]:50000"));
    assert_true(address_parse(&flow.origin, "[2001:db8:1::1]:443"));
    other.device = flow.device;
    const struct decided decided = decided_for(&flow, 0);
    assert_true(device_rules_add(rules, &decided));
    assert_false(device_rules_see(rules, &flow));
    assert_true(device_rules_see(rules, &other));
}

/* More devices than there is room for: each is noticed all the same. */
static void no_change_is_missed_however_many_devices_there_are(void **state)
{
    struct device_rules *rules = *state;
    const uint32_t count = 4 * DEVICE_RULES_OWNERS * DEVICE_RULES_OWNERS_EACH;
    for (uint32_t device = 0; device < count; device++)
        assert_true(add(rules, 1, device, 0));
    for (uint32_t device = 0; device < count; device++)
        assert_true(see(rules, 2, device));
    device_rules_flushed(rules);
    for (uint32_t device = 0; device < count; device++)
        assert_false(see(rules, 2, device));
}

static void a_home_full_of_devices_is_told_apart(void **state)
{
    struct device_rules *rules = *state;
    for (uint32_t device = 0; device < 254; device++)
        assert_true(add(rules, (uint8_t)device, device, 0));
    for (uint32_t device = 0; device < 254; device++)
        assert_false(see(rules, (uint8_t)device, device));
}

/* ---- how long ---- */

static void a_rule_lives_no_longer_than_the_names_that_it_rests_on(void **state)
{
    (void)state;
    static const struct {
        uint64_t until;
        uint32_t timeout;
    } cases[] = {{1000 + 3600000, 3600},
                 {1000 + 9999000, 3600},
                 {1000 + 3599999, 3599},
                 {1000 + 2000, 2},
                 {1000 + 1999, 1},
                 {1000 + 10, 1},
                 {1000, 1},
                 {0, 1}};
    struct flow flow = flow_of(1, 1);
    flow.name_count = 1;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct decided decided = {.origin = flow.origin};
        flow.names_until = cases[i].until;
        decided_for_device(&decided, &flow, 3600, 1000);
        assert_int_equal(decided.timeout, cases[i].timeout);
    }
}

static void a_rule_that_rests_on_no_name_lives_as_long_as_others(void **state)
{
    (void)state;
    struct flow flow = flow_of(1, 1);
    struct decided decided = {.origin = flow.origin};
    decided_for_device(&decided, &flow, 3600, 1000);
    assert_int_equal(decided.timeout, 3600);
    assert_true(address_same_ip(&decided.device, &flow.device));
    const struct device_key device = flow_device_key(&flow);
    assert_memory_equal(&decided.device_key, &device, sizeof(device));
}

#define rules_test(function) cmocka_unit_test_setup_teardown(function, make_rules, drop_rules)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rules_test(news_matter_where_the_kernel_has_a_rule),
        rules_test(a_decision_that_did_not_know_the_news_is_not_taught),
        rules_test(an_address_that_is_another_devices_now_is_noticed),
        rules_test(ipv6_addresses_are_noticed_too),
        rules_test(no_change_is_missed_however_many_devices_there_are),
        rules_test(a_home_full_of_devices_is_told_apart),
        cmocka_unit_test(a_rule_lives_no_longer_than_the_names_that_it_rests_on),
        cmocka_unit_test(a_rule_that_rests_on_no_name_lives_as_long_as_others),
    };
    return cmocka_run_group_tests_name("gate/device_rules", tests, NULL, NULL);
}
