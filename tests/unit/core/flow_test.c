/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/flow.h"

static struct flow flow_from(const char *device, const char *name)
{
    struct flow flow = {.device_name = name};
    assert_true(address_parse(&flow.device, device));
    return flow;
}

static void a_device_is_told_by_its_address_and_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *device, *name, *text, *ip_text, *for_text;
    } cases[] = {
        {"10.0.0.7:50012", NULL, "10.0.0.7:50012", "10.0.0.7", ""},
        {"10.0.0.7:50012", "cam", "10.0.0.7:50012 (cam)", "10.0.0.7 (cam)",
         " for 10.0.0.7:50012 (cam)"},
        {"[2001:db8::7]:1", "cam", "[2001:db8::7]:1 (cam)", "2001:db8::7 (cam)",
         " for [2001:db8::7]:1 (cam)"},
    };
    char text[DEVICE_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct flow flow = flow_from(cases[i].device, cases[i].name);
        assert_string_equal(flow_device_text(&flow, text), cases[i].text);
        assert_string_equal(flow_device_ip_text(&flow, text), cases[i].ip_text);
        assert_string_equal(flow_for_device_text(&flow, text), cases[i].for_text);
    }
}

static void a_name_of_any_length_fits(void **state)
{
    (void)state;
    char name[4096], text[DEVICE_TEXT_SIZE];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    const struct flow flow = flow_from("[2001:db8:1111:2222:3333:4444:5555:6666]:50012", name);
    assert_int_equal(strlen(flow_for_device_text(&flow, text)), DEVICE_TEXT_SIZE - 1);
}

static void a_randomized_mac_is_one_that_is_locally_administered_and_no_group(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        const uint8_t mac[MAC_SIZE] = {(uint8_t)first, 0x11, 0x22, 0x33, 0x44, 0x55};
        const char second_digit = "0123456789abcdef"[first % 16];
        assert_int_equal(mac_is_randomized(mac), strchr("26ae", second_digit) != NULL);
    }
}

static void a_device_is_known_by_its_mac_or_else_by_its_address(void **state)
{
    (void)state;
    struct flow flow = flow_from("10.0.0.7:50012", NULL);
    struct flow again = flow_from("10.0.0.7:50013", NULL);
    struct device_key key = flow_device_key(&flow), same = flow_device_key(&again);
    assert_memory_equal(&key, &same, sizeof(key));
    flow.has_mac = true;
    same = flow_device_key(&flow);
    assert_memory_not_equal(&key, &same, sizeof(key));
    again = flow_from("[2001:db8::7]:1", NULL);
    again.has_mac = true;
    key = flow_device_key(&again);
    assert_memory_equal(&key, &same, sizeof(key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_told_by_its_address_and_its_name),
        cmocka_unit_test(a_name_of_any_length_fits),
        cmocka_unit_test(a_randomized_mac_is_one_that_is_locally_administered_and_no_group),
        cmocka_unit_test(a_device_is_known_by_its_mac_or_else_by_its_address),
    };
    return cmocka_run_group_tests_name("core/flow", tests, NULL, NULL);
}
