/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/learned.h"

#include <pthread.h>
#include <string.h>

#define UNKNOWN_CA 48
#define START 1000000

static const struct learn_config usually = {LEARN_AUTO, 3, 3600, 86400};

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

/* One in which the device of usual() has accepted our CA, elsewhere. */
static struct learned *learned_with_ca(void)
{
    struct learned *learned = learned_new();
    const struct flow elsewhere = flow_of("10.0.0.7:50000", "192.0.2.9:443", "elsewhere.test");
    learned_note_acceptance(learned, &elsewhere, START);
    return learned;
}

static enum learned_news refuse(struct learned *learned, const struct learn_config *config,
                                const struct flow *flow, int64_t now)
{
    struct learned_finding finding;
    return learned_note_refusal(learned, config, flow, UNKNOWN_CA, now, &finding);
}

static bool is_pinned(struct learned *learned, const struct learn_config *config,
                      const struct flow *flow, int64_t now)
{
    uint64_t id = 0;
    bool pinned = learned_is_pinned(learned, config, flow, now, &id);
    assert_int_equal(pinned, id != 0);
    return pinned;
}

/* Makes a finding of it. */
static uint64_t pin(struct learned *learned, const struct flow *flow)
{
    struct learned_finding finding = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(refuse(learned, &usually, flow, START), LEARNED_NOTHING);
    assert_int_equal(
        learned_note_refusal(learned, &usually, flow, LEARNED_SILENT, START + 1, &finding),
        LEARNED_PINNED);
    return finding.id;
}

static void E5_so_many_refusals_make_it_pass(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual(), again = flow_of("10.0.0.7:9", "192.0.2.9:443", "A.test");
    assert_false(is_pinned(learned, &usually, &flow, START));
    assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
    assert_int_equal(refuse(learned, &usually, &again, START + 1), LEARNED_NOTHING);
    assert_false(is_pinned(learned, &usually, &flow, START + 1));
    assert_int_equal(refuse(learned, &usually, &flow, START + 2), LEARNED_PINNED);
    assert_true(is_pinned(learned, &usually, &flow, START + 2));
    assert_true(is_pinned(learned, &usually, &again, START + 2));
    assert_int_equal(refuse(learned, &usually, &flow, START + 3), LEARNED_NOTHING); /* told once */
    learned_free(learned);
}

static void E5_a_device_without_our_ca_teaches_nothing(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    const struct flow flow = usual(), other = flow_of("10.0.0.7:9", "192.0.2.9:443", "b.test");
    assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NO_CA);
    for (int i = 0; i < 9; i++)
        assert_int_equal(refuse(learned, &usually, i % 2 == 0 ? &flow : &other, START + i),
                         LEARNED_NOTHING); /* it is said once */
    assert_false(is_pinned(learned, &usually, &flow, START + 9));
    learned_note_acceptance(learned, &other, START + 10); /* now it has our CA: from here on */
    assert_int_equal(pin(learned, &flow), 1);
    assert_true(is_pinned(learned, &usually, &flow, START + 11));
    learned_free(learned);
}

static void E5_refusals_count_within_the_time_only(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 3, 100, 86400};
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    assert_int_equal(refuse(learned, &config, &flow, START), LEARNED_NOTHING);
    assert_int_equal(refuse(learned, &config, &flow, START + 90), LEARNED_NOTHING);
    assert_int_equal(refuse(learned, &config, &flow, START + 101), LEARNED_NOTHING);
    assert_int_equal(refuse(learned, &config, &flow, START + 190), LEARNED_PINNED);
    learned_free(learned);
}

static void E5_one_refusal_may_be_enough(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 100, 60};
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    assert_int_equal(refuse(learned, &config, &flow, START), LEARNED_PINNED);
    learned_free(learned);
}

static void E5_data_shows_that_a_certificate_was_accepted(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
        assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
        learned_note_acceptance(learned, &flow, START);
    }
    assert_false(is_pinned(learned, &usually, &flow, START));
    learned_free(learned);
}

static void E5_it_is_forgotten_after_a_time(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    pin(learned, &flow);
    const int64_t end = START + 1 + usually.keep;
    assert_true(is_pinned(learned, &usually, &flow, end - 1));
    assert_false(learned_expire(learned, end - 1));
    assert_false(is_pinned(learned, &usually, &flow, end));
    assert_true(learned_expire(learned, end));
    assert_false(learned_expire(learned, end));
    assert_int_equal(refuse(learned, &usually, &flow, end), LEARNED_NOTHING); /* from the start */
    learned_free(learned);
}

static void E5_what_the_operator_keeps_stays(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    const uint64_t id = pin(learned, &flow);
    assert_true(learned_keep(learned, id));
    assert_false(learned_expire(learned, START * 2));
    assert_true(is_pinned(learned, &usually, &flow, START * 2));
    learned_note_acceptance(learned, &flow, START * 2);
    assert_true(is_pinned(learned, &usually, &flow, START * 2));
    assert_false(learned_keep(learned, id + 1));
    learned_free(learned);
}

static void E5_what_the_operator_forgets_is_gone(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual(), other = flow_of("10.0.0.7:9", "192.0.2.9:443", "b.test");
    const uint64_t id = pin(learned, &flow);
    pin(learned, &other);
    assert_true(learned_forget(learned, id));
    assert_false(learned_forget(learned, id));
    assert_false(is_pinned(learned, &usually, &flow, START + 1));
    assert_true(is_pinned(learned, &usually, &other, START + 1));
    assert_true(learned_forget(learned, 0));
    assert_false(is_pinned(learned, &usually, &other, START + 1));
    pin(learned, &flow); /* and found out again */
    learned_free(learned);
}

static void E5_a_suggestion_lets_nothing_pass_until_it_is_kept(void **state)
{
    (void)state;
    const struct learn_config suggest = {LEARN_SUGGEST, 3, 3600, 86400};
    const struct learn_config off = {LEARN_OFF, 3, 3600, 86400};
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    const uint64_t id = pin(learned, &flow);
    assert_false(is_pinned(learned, &suggest, &flow, START + 1));
    assert_true(learned_keep(learned, id));
    assert_true(is_pinned(learned, &suggest, &flow, START + 1));
    assert_false(is_pinned(learned, &off, &flow, START + 1));
    learned_free(learned);
}

static void E5_off_means_that_nothing_is_learned(void **state)
{
    (void)state;
    const struct learn_config off = {LEARN_OFF, 1, 3600, 86400};
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    for (int i = 0; i < 9; i++)
        assert_int_equal(refuse(learned, &off, &flow, START), LEARNED_NOTHING);
    assert_false(is_pinned(learned, &usually, &flow, START));
    learned_free(learned);
}

static void E5_other_devices_names_and_ports_are_not_meant(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    struct flow others[] = {
        flow_of("10.0.0.8:50012", "192.0.2.1:443", "a.test"),
        flow_of("10.0.0.7:50012", "192.0.2.1:443", "b.test"),
        flow_of("10.0.0.7:50012", "192.0.2.1:443", NULL),
        flow_of("10.0.0.7:50012", "192.0.2.1:444", "a.test"),
        usual(),
    };
    others[4].has_mac = true;
    pin(learned, &flow);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(is_pinned(learned, &usually, &others[i], START + 1));
    assert_true(is_pinned(learned, &usually, &flow, START + 1));
    learned_free(learned);
}

static void E5_a_device_is_known_by_its_mac_whatever_its_address(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    struct flow flow = usual(), moved = flow_of("[2001:db8::7]:1", "[2001:db8::1]:443", "a.test");
    struct flow accepting = flow_of("10.0.0.99:1", "192.0.2.9:443", NULL);
    flow.has_mac = moved.has_mac = accepting.has_mac = true;
    memcpy(flow.mac, "\2\0\0\0\0\1", MAC_SIZE);
    memcpy(moved.mac, "\2\0\0\0\0\1", MAC_SIZE);
    memcpy(accepting.mac, "\2\0\0\0\0\1", MAC_SIZE);
    learned_note_acceptance(learned, &accepting, START);
    pin(learned, &flow);
    assert_true(is_pinned(learned, &usually, &moved, START + 1));
    learned_free(learned);
}

static void E5_the_evidence_is_kept(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    struct learned_finding finding = {0};
    const uint64_t id = pin(learned, &flow);
    (void)learned_note_refusal(learned, &usually, &flow, 42, START + 5, &finding);
    assert_true(learned_find(learned, id, &finding));
    assert_int_equal(finding.evidence.refusals, 4);
    assert_int_equal(finding.evidence.silent, 1);
    assert_int_equal(finding.evidence.alerts[0].number, UNKNOWN_CA);
    assert_int_equal(finding.evidence.alerts[0].count, 2);
    assert_int_equal(finding.evidence.alerts[1].number, 42);
    assert_int_equal(finding.evidence.first, START);
    assert_int_equal(finding.evidence.last, START + 5);
    assert_string_equal(finding.host, "a.test");
    assert_true(finding.is_name);
    assert_false(learned_find(learned, id + 9, &finding));
    learned_free(learned);
}

static void more_kinds_of_alerts_than_are_kept_are_counted_all_the_same(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    struct learned_finding finding = {0};
    for (int alert = 42; alert < 52; alert++)
        if (learned_note_refusal(learned, &usually, &flow, alert, START, &finding) ==
            LEARNED_PINNED)
            assert_int_equal(alert, 44);
    assert_true(learned_find(learned, finding.id, &finding));
    assert_int_equal(finding.evidence.refusals, 10);
    learned_free(learned);
}

static void the_oldest_goes_where_there_is_no_room(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 86400};
    struct learned *learned = learned_with_ca();
    static char names[LEARNED_LIMIT + 2][16];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(names[i], sizeof(names[i]), "%zu.test", i);
        const struct flow flow = flow_of("10.0.0.7:50012", "192.0.2.1:443", names[i]);
        assert_int_equal(refuse(learned, &config, &flow, START), LEARNED_PINNED);
        if (i == 0)
            assert_true(learned_keep(learned, 1)); /* stays, whatever its age */
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct flow flow = flow_of("10.0.0.7:50012", "192.0.2.1:443", names[i]);
        assert_int_equal(is_pinned(learned, &config, &flow, START), i != 1 && i != 2);
    }
    learned_free(learned);
}

static void devices_that_were_not_seen_for_longest_go_first(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    char device[40];
    for (unsigned i = 0; i <= LEARNED_DEVICES_LIMIT; i++) {
        snprintf(device, sizeof(device), "10.1.%u.%u:1", i / 256, i % 256);
        const struct flow flow = flow_of(device, "192.0.2.1:443", "a.test");
        learned_note_acceptance(learned, &flow, START);
    }
    const struct flow first = flow_of("10.1.0.0:1", "192.0.2.1:443", "a.test");
    const struct flow second = flow_of("10.1.0.2:1", "192.0.2.1:443", "a.test");
    assert_int_equal(refuse(learned, &usually, &first, START), LEARNED_NO_CA);
    assert_int_equal(refuse(learned, &usually, &second, START), LEARNED_NOTHING);
    learned_free(learned);
}

static void the_version_changes_with_what_is_to_be_kept(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    uint64_t version = learned_version(learned);
    assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
    assert_int_equal(learned_version(learned), version);
    const uint64_t id =
        pin(learned, &(struct flow){.device = flow.device, .origin = flow.origin, .sni = "b.test"});
    assert_true(learned_version(learned) != version);
    version = learned_version(learned);
    assert_true(learned_keep(learned, id));
    assert_true(learned_version(learned) != version);
    version = learned_version(learned);
    assert_true(learned_forget(learned, id));
    assert_true(learned_version(learned) != version);
    learned_free(learned);
}

/* ---- many threads ---- */

static void *hammer(void *context)
{
    struct learned *learned = context;
    const struct flow flow = usual();
    uint64_t id;
    for (int i = 0; i < 2000; i++) {
        (void)refuse(learned, &usually, &flow, START + i);
        (void)learned_is_pinned(learned, &usually, &flow, START + i, &id);
        if (i % 7 == 0)
            learned_note_acceptance(learned, &flow, START + i);
        if (i % 101 == 0)
            (void)!learned_forget(learned, 0);
        (void)learned_expire(learned, START + i);
    }
    return NULL;
}

static void threads_do_not_get_into_each_others_way(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, learned), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    learned_free(learned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(E5_so_many_refusals_make_it_pass),
        cmocka_unit_test(E5_a_device_without_our_ca_teaches_nothing),
        cmocka_unit_test(E5_refusals_count_within_the_time_only),
        cmocka_unit_test(E5_one_refusal_may_be_enough),
        cmocka_unit_test(E5_data_shows_that_a_certificate_was_accepted),
        cmocka_unit_test(E5_it_is_forgotten_after_a_time),
        cmocka_unit_test(E5_what_the_operator_keeps_stays),
        cmocka_unit_test(E5_what_the_operator_forgets_is_gone),
        cmocka_unit_test(E5_a_suggestion_lets_nothing_pass_until_it_is_kept),
        cmocka_unit_test(E5_off_means_that_nothing_is_learned),
        cmocka_unit_test(E5_other_devices_names_and_ports_are_not_meant),
        cmocka_unit_test(E5_a_device_is_known_by_its_mac_whatever_its_address),
        cmocka_unit_test(E5_the_evidence_is_kept),
        cmocka_unit_test(more_kinds_of_alerts_than_are_kept_are_counted_all_the_same),
        cmocka_unit_test(the_oldest_goes_where_there_is_no_room),
        cmocka_unit_test(devices_that_were_not_seen_for_longest_go_first),
        cmocka_unit_test(the_version_changes_with_what_is_to_be_kept),
        cmocka_unit_test(threads_do_not_get_into_each_others_way),
    };
    return cmocka_run_group_tests_name("policy/learned", tests, NULL, NULL);
}
