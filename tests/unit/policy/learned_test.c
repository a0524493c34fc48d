/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/learned.h"

#include <string.h>

static struct flow flow_of(const char *device, const char *origin, const char *name)
{
    struct flow flow = {.sni = name, .opened = true};
    assert_true(address_parse(&flow.device, device));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static struct flow usual(void)
{
    return flow_of("10.0.0.7:50012", "192.0.2.1:443", "a.test");
}

static void E5_so_many_refusals_in_a_row_make_it_pass(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 3, 3600, 60};
    struct learned *learned = learned_new();
    const struct flow flow = usual(), again = flow_of("10.0.0.7:9", "192.0.2.9:443", "a.test");
    assert_false(learned_is_pinned(learned, &config, &flow, 0));
    assert_false(learned_note_refusal(learned, &config, &flow, 0));
    assert_false(learned_note_refusal(learned, &config, &again, 1000));
    assert_false(learned_is_pinned(learned, &config, &flow, 1000));
    assert_true(learned_note_refusal(learned, &config, &flow, 2000));
    assert_true(learned_is_pinned(learned, &config, &flow, 2000));
    assert_true(learned_is_pinned(learned, &config, &again, 2000));
    assert_false(learned_note_refusal(learned, &config, &flow, 3000)); /* told once */
    learned_free(learned);
}

static void E5_data_shows_that_a_certificate_was_accepted(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 2, 3600, 60};
    struct learned *learned = learned_new();
    const struct flow flow = usual();
    learned_note_acceptance(learned, &flow);
    assert_false(learned_note_refusal(learned, &config, &flow, 0));
    learned_note_acceptance(learned, &flow);
    assert_false(learned_note_refusal(learned, &config, &flow, 0));
    assert_false(learned_is_pinned(learned, &config, &flow, 0));
    assert_true(learned_note_refusal(learned, &config, &flow, 0));
    learned_free(learned);
}

static void E5_it_is_forgotten_after_a_time(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 60};
    struct learned *learned = learned_new();
    const struct flow flow = usual();
    assert_true(learned_note_refusal(learned, &config, &flow, 5000));
    assert_true(learned_is_pinned(learned, &config, &flow, 64999));
    assert_false(learned_is_pinned(learned, &config, &flow, 65000));
    assert_true(learned_note_refusal(learned, &config, &flow, 65000));
    learned_free(learned);
}

static void E5_other_devices_names_and_ports_are_not_meant(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 60};
    struct learned *learned = learned_new();
    const struct flow flow = usual();
    struct flow others[] = {
        flow_of("10.0.0.8:50012", "192.0.2.1:443", "a.test"),
        flow_of("10.0.0.7:50012", "192.0.2.1:443", "b.test"),
        flow_of("10.0.0.7:50012", "192.0.2.1:443", NULL),
        flow_of("10.0.0.7:50012", "192.0.2.1:444", "a.test"),
        usual(),
    };
    others[4].has_mac = true;
    assert_true(learned_note_refusal(learned, &config, &flow, 0));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(learned_is_pinned(learned, &config, &others[i], 0));
    assert_true(learned_is_pinned(learned, &config, &flow, 0));
    learned_free(learned);
}

static void E5_a_device_is_known_by_its_mac_whatever_its_address(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 60};
    struct learned *learned = learned_new();
    struct flow flow = usual(), moved = flow_of("[2001:db8::7]:1", "[2001:db8::1]:443", "a.test");
    flow.has_mac = moved.has_mac = true;
    memcpy(flow.mac, "\2\0\0\0\0\1", MAC_SIZE);
    memcpy(moved.mac, "\2\0\0\0\0\1", MAC_SIZE);
    assert_true(learned_note_refusal(learned, &config, &flow, 0));
    assert_true(learned_is_pinned(learned, &config, &moved, 0));
    learned_free(learned);
}

static void E5_without_a_limit_nothing_is_learned(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_OFF, 0, 3600, 60};
    struct learned *learned = learned_new();
    const struct flow flow = usual();
    for (int i = 0; i < 9; i++)
        assert_false(learned_note_refusal(learned, &config, &flow, 0));
    assert_false(learned_is_pinned(learned, &config, &flow, 0));
    learned_free(learned);
}

static void the_oldest_goes_where_there_is_no_room(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 60};
    struct learned *learned = learned_new();
    char names[1025][16];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(names[i], sizeof(names[i]), "%zu.test", i);
        const struct flow flow = flow_of("10.0.0.7:50012", "192.0.2.1:443", names[i]);
        assert_true(learned_note_refusal(learned, &config, &flow, i));
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct flow flow = flow_of("10.0.0.7:50012", "192.0.2.1:443", names[i]);
        assert_int_equal(learned_is_pinned(learned, &config, &flow, 2000), i > 0);
    }
    learned_free(learned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(E5_so_many_refusals_in_a_row_make_it_pass),
        cmocka_unit_test(E5_data_shows_that_a_certificate_was_accepted),
        cmocka_unit_test(E5_it_is_forgotten_after_a_time),
        cmocka_unit_test(E5_other_devices_names_and_ports_are_not_meant),
        cmocka_unit_test(E5_a_device_is_known_by_its_mac_whatever_its_address),
        cmocka_unit_test(E5_without_a_limit_nothing_is_learned),
        cmocka_unit_test(the_oldest_goes_where_there_is_no_room),
    };
    return cmocka_run_group_tests_name("policy/learned", tests, NULL, NULL);
}
