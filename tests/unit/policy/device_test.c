/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/device.h"
#include "policy/known.h"
#include "setup.h"

static struct flow flow_of(uint8_t number, const char *device, const char *interface)
{
    struct flow flow = {.has_mac = number != 0, .mac = {2, 0, 0x5e, 0x10, 0, number}};
    assert_true(address_parse(&flow.device, device));
    snprintf(flow.interface, sizeof(flow.interface), "%s", interface);
    return flow;
}

static const char cellar[] = "[device all of the cellar]\naddress = 10.0.9.0/24\n"
                             "[device cam]\nmac = 02:00:5e:10:00:01\nintercept = no\n"
                             "[device tv]\naddress = 10.0.9.9\n";

static void the_first_section_that_fits_decides_and_one_for_a_device_alone_names_it(void **state)
{
    (void)state;
    struct config *config = good_config(cellar);
    static const struct {
        uint8_t mac;
        const char *device, *section, *name;
    } cases[] = {
        {1, "10.0.0.7:1", "cam", "cam"},
        {1, "10.0.9.7:1", "all of the cellar", "cam"},
        {2, "10.0.9.9:1", "all of the cellar", "tv"},
        {2, "10.0.9.8:1", "all of the cellar", NULL},
        {0, "[2001:db8::7]:1", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t index;
        const struct flow flow = flow_of(cases[i].mac, cases[i].device, "lan0");
        const struct device_config *section = device_find(config, &flow, &index);
        const char *name = device_name(config, &flow);
        assert_int_equal(section == NULL, cases[i].section == NULL);
        if (section != NULL)
            assert_string_equal(section->name, cases[i].section);
        assert_int_equal(name == NULL, cases[i].name == NULL);
        if (name != NULL)
            assert_string_equal(name, cases[i].name);
    }
    config_free(config);
}

static void an_operators_name_goes_before_all_others(void **state)
{
    (void)state;
    struct report report = {0};
    struct policy *policy =
        policy_new(good_config("[device cam]\nmac = 02:00:5e:10:00:01\n"), 1, false, &report);
    struct known *known = known_new();
    assert_true(policy != NULL && known != NULL);
    struct policy_view *view = policy_view_new(policy, known);
    policy_unref(policy);
    assert_non_null(view);
    struct arena arena = {0};
    static const char *const names[] = {"cam", "what-it-says"};
    for (uint8_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct flow flow = flow_of((uint8_t)(i + 1), "10.0.0.7:1", "lan0");
        devices_set_name(known->devices, &flow, "what-it-says");
        policy_describe(view, &flow, &arena);
        assert_string_equal(flow.device_name, names[i]);
    }
    arena_fini(&arena);
    policy_view_free(view);
    known_free(known);
}

static void each_thing_that_a_section_is_known_by_is_a_rule(void **state)
{
    (void)state;
    struct config *config =
        good_config("[network]\ndevices = listed\n"
                    "[device a]\nmac = 02:00:5e:10:00:01\naddress = 10.0.0.7\ninterface = wlan1\n"
                    "[device b]\naddress = 2001:db8::/32\nintercept = no\n");
    struct exclusions *exclusions = device_exclusions(config);
    assert_true(exclusions->all_others);
    assert_int_equal(exclusions->count, 4);
    const struct exclusion *rules = exclusions->rules;
    assert_int_equal(rules[0].by, EXCLUSION_BY_MAC);
    assert_memory_equal(rules[0].mac, "\x02\x00\x5e\x10\x00\x01", MAC_SIZE);
    assert_int_equal(rules[1].by, EXCLUSION_BY_NETWORK);
    assert_int_equal(rules[1].prefix, 32);
    assert_int_equal(rules[2].by, EXCLUSION_BY_INTERFACE);
    assert_string_equal(rules[2].interface, "wlan1");
    for (size_t i = 0; i < 3; i++)
        assert_false(rules[i].excluded);
    assert_int_equal(rules[3].by, EXCLUSION_BY_NETWORK);
    assert_int_equal(rules[3].network.family, AF_INET6);
    assert_int_equal(rules[3].prefix, 32);
    assert_true(rules[3].excluded);
    free(exclusions);
    config_free(config);
}

static void exclusions_are_the_same_if_they_say_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[network]\ndevices = listed\n",
        "[device a]\nmac = 02:00:5e:10:00:01\n",
        "[device a]\nmac = 02:00:5e:10:00:02\n",
        "[device a]\nmac = 02:00:5e:10:00:01\nintercept = no\n",
        "[device a]\naddress = 10.0.0.0/24\n",
        "[device a]\naddress = 10.0.0.0/25\n",
        "[device a]\naddress = 10.0.1.0/24\n",
        "[device a]\ninterface = wlan1\n",
        "[device a]\ninterface = wlan2\n",
        "[device a]\nmac = 02:00:5e:10:00:01\n[device b]\ninterface = wlan1\n",
        "[device b]\ninterface = wlan1\n[device a]\nmac = 02:00:5e:10:00:01\n",
    };
    struct exclusions *all[ARRAY_SIZE(texts)];
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct config *config = good_config(texts[i]);
        all[i] = device_exclusions(config);
        struct exclusions *again = device_exclusions(config);
        assert_true(exclusions_same(all[i], again));
        free(again);
        config_free(config);
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        for (size_t j = 0; j < ARRAY_SIZE(texts); j++)
            assert_int_equal(exclusions_same(all[i], all[j]), i == j);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_section_that_fits_decides_and_one_for_a_device_alone_names_it),
        cmocka_unit_test(an_operators_name_goes_before_all_others),
        cmocka_unit_test(each_thing_that_a_section_is_known_by_is_a_rule),
        cmocka_unit_test(exclusions_are_the_same_if_they_say_the_same),
    };
    return cmocka_run_group_tests_name("policy/device", tests, NULL, NULL);
}
