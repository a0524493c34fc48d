/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edits.h"
#include "policy/amend.h"
#include "policy/device.h"
#include "setup.h"

/* A configuration, and what the edits that a test makes turn it into. */
struct desk {
    struct config *config;
    struct edits *edits;
    struct config *amended;
};

static struct desk desk_with(const char *text)
{
    return (struct desk){.config = good_config(text), .edits = edits_new()};
}

static void amend(struct desk *desk)
{
    struct report report = {0};
    config_free(desk->amended);
    desk->amended = amend_config(desk->config, desk->edits, &report);
    assert_nothing_reported(&report);
    assert_non_null(desk->amended);
}

static void drop(struct desk *desk)
{
    config_free(desk->amended);
    config_free(desk->config);
    edits_free(desk->edits);
}

static struct flow flow_from(const char *device)
{
    struct flow flow = {.protocol = IPPROTO_TCP, .has_mac = true, .mac = {2, 0, 0x5e, 0x10, 0, 1}};
    assert_true(address_parse(&flow.device, device));
    return flow;
}

/* ---- settings ---- */

static void a_setting_is_what_the_edit_says_and_nothing_else_changes(void **state)
{
    (void)state;
    struct desk desk = desk_with("[tls]\nupstream = mirror\n[ignore]\npattern = a\n");
    put_setting(desk.edits, NULL, "tls.upstream", "verify", 0);
    put_setting(desk.edits, NULL, "ignore.match", "sni host", 0);
    put_setting(desk.edits, NULL, "ignore.learn", "auto", 0);
    put_setting(desk.edits, NULL, "events.ignored", "no", 0);
    amend(&desk);
    assert_int_equal(desk.amended->tls.scope.upstream, UPSTREAM_VERIFY);
    assert_int_equal(desk.amended->ignore.match, MATCH_SNI | MATCH_HOST);
    assert_int_equal(desk.amended->learn.mode, LEARN_AUTO);
    assert_false(desk.amended->ignored_events);
    assert_int_equal(desk.amended->ignore.patterns.count, 1);
    assert_int_equal(desk.config->tls.scope.upstream, UPSTREAM_MIRROR);
    assert_int_equal(desk.config->ignore.match, MATCH_ADDRESS);
    drop(&desk);
}

static void everything_that_is_said_to_be_settable_is(void **state)
{
    (void)state;
    for (size_t i = 0; amend_settings[i] != NULL; i++) {
        const struct schema_key *key = amend_key(amend_settings[i]);
        assert_non_null(key);
        struct desk desk = desk_with("");
        put_setting(desk.edits, NULL, amend_settings[i], key->fallback, 0);
        amend(&desk);
        drop(&desk);
    }
    assert_null(amend_key("ignore"));
    assert_null(amend_key("ignore.nothing"));
    assert_null(amend_key("ignore.match.more"));
}

static void a_bad_setting_is_told_and_gives_no_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *device, *name, *value, *error;
    } cases[] = {
        {NULL, "tls.upstream", "perhaps",
         "tls.upstream = perhaps: expected mirror, verify or ignore"},
        {NULL, "network.port", "80", "network.port = 80: it cannot be set at run time"},
        {NULL, "tls.nothing", "1", "tls.nothing = 1: it cannot be set at run time"},
        {"cam", "intercept", "maybe", "intercept = maybe: expected yes or no"},
        {"cam", "upstream", "verify", "upstream = verify: it cannot be set at run time"},
        {"cam", "mac", "x", "mac = x: expected a MAC address such as 02:00:5e:10:00:01"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct report report = {0};
        struct desk desk = desk_with("");
        put_setting(desk.edits, cases[i].device, cases[i].name, cases[i].value, 0);
        assert_null(amend_config(desk.config, desk.edits, &report));
        assert_only_error(&report, cases[i].error);
        drop(&desk);
    }
}

/* ---- devices ---- */

static const char two_devices[] = "[device cam]\nmac = 02:00:5e:10:00:01\n"
                                  "[device net]\naddress = 192.0.2.0/24\nintercept = no\n";

static void a_section_of_the_file_is_changed_in_its_place(void **state)
{
    (void)state;
    struct desk desk = desk_with(two_devices);
    const struct flow flow = flow_from("192.0.2.50:1");
    assert_true(device_is_intercepted(desk.config, &flow));
    put_setting(desk.edits, "cam", "intercept", "no", 0);
    put_setting(desk.edits, "cam", "quic", "pass", 0);
    put_setting(desk.edits, "cam", "name", "the camera", 0);
    amend(&desk);
    assert_false(device_is_intercepted(desk.amended, &flow));
    assert_true(device_is_intercepted(desk.config, &flow));
    assert_int_equal(desk.amended->devices->quic, QUIC_PASS);
    assert_string_equal(desk.amended->devices->name, "the camera");
    assert_string_equal(desk.amended->devices->next->name, "net");
    assert_null(desk.amended->overlays);
    assert_ptr_equal(amend_section(desk.amended, "cam"), desk.amended->devices);
    drop(&desk);
}

static void a_device_without_a_section_gets_one_that_goes_before(void **state)
{
    (void)state;
    struct desk desk = desk_with(two_devices);
    const struct flow here = flow_from("192.0.2.50:1");
    struct flow there = flow_from("192.0.2.51:1");
    there.has_mac = false;
    put_setting(desk.edits, "192.0.2.51", "intercept", "yes", 0);
    amend(&desk);
    assert_true(device_is_intercepted(desk.amended, &there));
    assert_false(device_is_intercepted(desk.config, &there));
    assert_true(device_is_intercepted(desk.amended, &here));
    assert_string_equal(desk.amended->overlays->scope.section, "[device 192.0.2.51]");
    drop(&desk);
}

/* A pattern of one device alone does not say whether it is intercepted. */
static void what_such_a_section_leaves_open_is_the_files_to_say(void **state)
{
    (void)state;
    struct desk desk = desk_with(two_devices);
    struct flow flow = flow_from("192.0.2.51:1");
    flow.has_mac = false;
    put_pattern(desk.edits, "192.0.2.51", "^a", true, 0);
    put_setting(desk.edits, NULL, "ignore.match", "address sni", 0);
    amend(&desk);
    size_t index = 0;
    const struct device_config *device = device_next_overlay(desk.amended, NULL, &flow, &index);
    assert_ptr_equal(device, desk.amended->overlays);
    assert_int_equal(index, 0);
    assert_null(device_next_overlay(desk.amended, device, &flow, &index));
    assert_false(device_is_intercepted(desk.amended, &flow));
    assert_int_equal(desk.amended->overlays->ignore.match, MATCH_ADDRESS | MATCH_SNI);
    drop(&desk);
}

static void of_several_the_first_that_says_something_counts(void **state)
{
    (void)state;
    struct desk desk = desk_with(two_devices);
    const struct flow flow = flow_from("192.0.2.50:1");
    put_setting(desk.edits, "02:00:5e:10:00:01", "name", "the phone", 0);
    put_setting(desk.edits, "192.0.2.50", "intercept", "no", 0);
    put_setting(desk.edits, "192.0.2.0/25", "intercept", "yes", 0);
    amend(&desk);
    assert_false(device_is_intercepted(desk.amended, &flow));
    drop(&desk);
}

static void a_section_of_ones_own_is_known_by_what_is_set(void **state)
{
    (void)state;
    struct desk desk = desk_with("");
    const struct flow flow = flow_from("192.0.2.50:1");
    put_setting(desk.edits, "tv", "intercept", "no", 0);
    amend(&desk);
    assert_true(device_is_intercepted(desk.amended, &flow)); /* nobody knows which it is */
    put_setting(desk.edits, "tv", "mac", "02:00:5E:10:00:01", 0);
    amend(&desk);
    assert_false(device_is_intercepted(desk.amended, &flow));
    drop(&desk);
}

static void what_expires_goes_before_what_lasts(void **state)
{
    (void)state;
    struct desk desk = desk_with(two_devices);
    const struct flow flow = flow_from("192.0.2.50:1");
    put_setting(desk.edits, "cam", "intercept", "yes", 99);
    put_setting(desk.edits, "cam", "intercept", "no", 0);
    put_setting(desk.edits, "cam", "intercept", "yes", 99);
    amend(&desk);
    assert_true(device_is_intercepted(desk.amended, &flow));
    drop(&desk);
}

/* Each may be a rule in the kernel, which takes so many at once, and no more. */
static void so_many_devices_have_sections_however_they_were_made(void **state)
{
    (void)state;
    struct desk desk = desk_with("[device cam]\naddress = 192.0.2.7\n");
    struct report report = {0};
    char address[INET_ADDRSTRLEN];
    for (int i = 0; i < DEVICE_SECTIONS_LIMIT - 1; i++) {
        snprintf(address, sizeof(address), "10.0.%d.%d", i / 250, i % 250);
        put_setting(desk.edits, address, "intercept", "no", 0);
    }
    amend(&desk);
    put_setting(desk.edits, "10.1.0.1", "intercept", "no", 0);
    assert_null(amend_config(desk.config, desk.edits, &report));
    assert_only_error(&report, "more than 1024 devices have settings of their own");
    drop(&desk);
}

static void devices_are_meant_by_mac_address_or_network(void **state)
{
    (void)state;
    static const struct {
        const char *given, *text;
    } cases[] = {
        {"02:00:5E:10:00:01", "02:00:5e:10:00:01"},
        {"192.0.2.7", "192.0.2.7"},
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"2001:db8::/64", "2001:db8::/64"},
        {"cam", NULL},
        {"", NULL},
        {"192.0.2.7:443", NULL},
        {"02:00:5e:10:00", NULL},
        {"192.0.2.0/33", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct device_config device = {0};
        char text[DEVICE_TEXT_SIZE];
        assert_int_equal(amend_identify(&device, cases[i].given), cases[i].text != NULL);
        if (cases[i].text != NULL)
            assert_string_equal(amend_device_text(&device, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_setting_is_what_the_edit_says_and_nothing_else_changes),
        cmocka_unit_test(everything_that_is_said_to_be_settable_is),
        cmocka_unit_test(a_bad_setting_is_told_and_gives_no_configuration),
        cmocka_unit_test(a_section_of_the_file_is_changed_in_its_place),
        cmocka_unit_test(a_device_without_a_section_gets_one_that_goes_before),
        cmocka_unit_test(what_such_a_section_leaves_open_is_the_files_to_say),
        cmocka_unit_test(of_several_the_first_that_says_something_counts),
        cmocka_unit_test(a_section_of_ones_own_is_known_by_what_is_set),
        cmocka_unit_test(what_expires_goes_before_what_lasts),
        cmocka_unit_test(so_many_devices_have_sections_however_they_were_made),
        cmocka_unit_test(devices_are_meant_by_mac_address_or_network),
    };
    return cmocka_run_group_tests_name("policy/amend", tests, NULL, NULL);
}
