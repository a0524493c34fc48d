/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate/device_rules.h"

#include <string.h>

static struct device_rules rules;

static int set_up(void **state)
{
    (void)state;
    memset(&rules, 0, sizeof(rules));
    return 0;
}

static struct flow flow_of(const char *device, uint8_t mac, const char *origin)
{
    struct flow flow = {.protocol = IPPROTO_TCP, .has_mac = true, .mac = {2, 0, 0, 0, 0, mac}};
    assert_true(address_parse(&flow.device, device));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static struct decided decided_for(const struct flow *flow)
{
    struct decided decided = {.origin = flow->origin, .protocol = flow->protocol};
    decided_for_device(&decided, flow, 3600, 0);
    return decided;
}

static void a_rule_that_did_not_know_of_a_name_goes(void **state)
{
    (void)state;
    const struct flow flow = flow_of("10.0.0.7:1", 1, "192.0.2.1:443");
    const struct flow other = flow_of("10.0.0.7:1", 1, "192.0.2.2:443");
    const struct flow stranger = flow_of("10.0.0.8:1", 2, "192.0.2.1:443");
    const struct decided decided = decided_for(&flow);
    const struct device_key phone = flow_device_key(&flow), camera = flow_device_key(&stranger);
    assert_false(device_rules_news(&rules, &camera, &flow.origin)); /* none was made yet */
    assert_true(device_rules_add(&rules, &decided));
    assert_false(device_rules_news(&rules, &phone, &other.origin));
    assert_false(device_rules_news(&rules, &camera, &flow.origin));
    assert_true(device_rules_news(&rules, &phone, &flow.origin));
    device_rules_flushed(&rules);
    assert_false(device_rules_news(&rules, &phone, &flow.origin));
}

static void what_was_decided_before_the_news_is_not_taught(void **state)
{
    (void)state;
    struct flow flow = flow_of("10.0.0.7:1", 1, "192.0.2.1:443");
    const struct device_key phone = flow_device_key(&flow);
    const struct decided before = decided_for(&flow);
    assert_false(device_rules_news(&rules, &phone, &flow.origin));
    assert_false(device_rules_add(&rules, &before));
    flow.names_version = 1;
    const struct decided after = decided_for(&flow);
    assert_true(device_rules_add(&rules, &after));
}

static void an_address_that_is_another_devices_now_is_noticed(void **state)
{
    (void)state;
    const struct flow first = flow_of("10.0.0.7:1", 1, "192.0.2.1:443");
    struct flow second = flow_of("10.0.0.7:9", 2, "192.0.2.9:443");
    assert_false(device_rules_see(&rules, &first));
    assert_false(device_rules_see(&rules, &first));
    assert_true(device_rules_see(&rules, &second));
    assert_false(device_rules_see(&rules, &second));
    second.has_mac = false;
    assert_false(device_rules_see(&rules, &second));
    const struct flow ipv6 = flow_of("[2001:db8::7]:1", 1, "[2001:db8::1]:443");
    assert_false(device_rules_see(&rules, &ipv6));
    assert_true(device_rules_see(&rules, &first));
}

static void a_rule_lives_no_longer_than_what_it_rests_on(void **state)
{
    (void)state;
    static const char *const names[] = {"a.test"};
    struct flow flow = flow_of("10.0.0.7:1", 1, "192.0.2.1:443");
    struct decided decided = {.origin = flow.origin};
    flow.names_until = 100000;
    decided_for_device(&decided, &flow, 3600, 0);
    assert_int_equal(decided.timeout, 3600); /* it rests on no name */
    flow.names = names;
    flow.name_count = 1;
    decided_for_device(&decided, &flow, 3600, 40000);
    assert_int_equal(decided.timeout, 60);
    decided_for_device(&decided, &flow, 30, 40000);
    assert_int_equal(decided.timeout, 30);
    decided_for_device(&decided, &flow, 30, 99999);
    assert_int_equal(decided.timeout, 1);
    decided_for_device(&decided, &flow, 30, 200000);
    assert_int_equal(decided.timeout, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_rule_that_did_not_know_of_a_name_goes, set_up),
        cmocka_unit_test_setup(what_was_decided_before_the_news_is_not_taught, set_up),
        cmocka_unit_test_setup(an_address_that_is_another_devices_now_is_noticed, set_up),
        cmocka_unit_test_setup(a_rule_lives_no_longer_than_what_it_rests_on, set_up),
    };
    return cmocka_run_group_tests_name("gate/device_rules", tests, NULL, NULL);
}
