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
static const struct learned_refusal by_alert = {UNKNOWN_CA, "t13d1516h2_8daaf6152771_e5627efa2ab1"};
static const struct learned_refusal silent = {LEARNED_SILENT, NULL};

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
    return learned_note_refusal(learned, config, flow, &by_alert, now, &finding);
}

/* Sweeps, and says how many findings are told to be gone; each by this end. */
static size_t swept(struct learned *learned, int64_t now, enum learned_end end)
{
    struct learned_gone gone[LEARNED_GONE_LIMIT];
    size_t count;
    bool lost = learned_sweep(learned, now, gone, &count);
    assert_int_equal(lost, count > 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(gone[i].end, end);
    return count;
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
    assert_int_equal(learned_note_refusal(learned, &usually, flow, &silent, START + 1, &finding),
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
    assert_int_equal(swept(learned, end - 1, LEARNED_EXPIRED), 0);
    assert_false(is_pinned(learned, &usually, &flow, end));
    assert_int_equal(swept(learned, end, LEARNED_EXPIRED), 1);
    assert_int_equal(swept(learned, end, LEARNED_EXPIRED), 0);
    assert_int_equal(refuse(learned, &usually, &flow, end), LEARNED_NOTHING); /* from the start */
    learned_free(learned);
}

static void a_finding_that_has_expired_is_not_renewed_by_a_refusal(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    pin(learned, &flow);
    const int64_t end = START + 1 + usually.keep;
    assert_int_equal(refuse(learned, &usually, &flow, end), LEARNED_NOTHING);
    assert_false(is_pinned(learned, &usually, &flow, end));
    assert_int_equal(swept(learned, end, LEARNED_EXPIRED), 1);
    learned_free(learned);
}

static void a_count_is_forgotten_when_its_time_is_over(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    struct learned_list list;
    assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
    assert_int_equal(swept(learned, START + usually.within - 1, LEARNED_EXPIRED), 0);
    assert_true(learned_copy(learned, &list));
    assert_int_equal(list.finding_count, 1);
    learned_list_fini(&list);
    assert_int_equal(swept(learned, START + usually.within, LEARNED_EXPIRED), 0); /* no finding */
    assert_true(learned_copy(learned, &list));
    assert_int_equal(list.finding_count, 0);
    learned_list_fini(&list);
    learned_free(learned);
}

static void E5_what_the_operator_keeps_stays(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    const uint64_t id = pin(learned, &flow);
    struct learned_finding kept;
    assert_true(learned_keep(learned, id, &kept));
    assert_int_equal(kept.id, id);
    assert_int_equal(kept.state, LEARNED_KEPT);
    assert_int_equal(swept(learned, START * 2, LEARNED_EXPIRED), 0);
    assert_true(is_pinned(learned, &usually, &flow, START * 2));
    learned_note_acceptance(learned, &flow, START * 2);
    assert_true(is_pinned(learned, &usually, &flow, START * 2));
    assert_false(learned_keep(learned, id + 1, &kept));
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
    assert_int_equal(swept(learned, START + 1, LEARNED_FORGOTTEN), 1);
    const uint64_t again =
        pin(learned, &flow); /* it is found out again, under a number of its own */
    assert_true(again > id);
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
    struct learned_finding kept;
    assert_false(is_pinned(learned, &suggest, &flow, START + 1));
    assert_true(learned_keep(learned, id, &kept));
    assert_true(is_pinned(learned, &suggest, &flow, START + 1));
    assert_false(is_pinned(learned, &off, &flow, START + 1));
    learned_free(learned);
}

static void a_suggestion_is_withdrawn_when_the_device_accepts(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    pin(learned, &flow);
    learned_note_acceptance(learned, &flow, START + 2);
    assert_false(is_pinned(learned, &usually, &flow, START + 2));
    assert_int_equal(swept(learned, START + 2, LEARNED_ACCEPTED), 1);
    learned_free(learned);
}

static void only_what_was_found_can_be_kept(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    struct learned_finding kept;
    assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
    assert_true(learned_find(learned, 1, &kept));
    assert_false(learned_keep(learned, 1, &kept));
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
    struct flow moved = flow;
    assert_true(address_parse(&moved.origin, "192.0.2.77:443"));
    const struct learned_refusal other = {42, NULL};
    (void)learned_note_refusal(learned, &usually, &moved, &other, START + 5, &finding);
    assert_true(learned_find(learned, id, &finding));
    assert_int_equal(finding.evidence.refusals, 4);
    assert_int_equal(finding.evidence.silent, 1);
    assert_int_equal(finding.evidence.alerts[0].number, UNKNOWN_CA);
    assert_int_equal(finding.evidence.alerts[0].count, 2);
    assert_int_equal(finding.evidence.alerts[1].number, 42);
    assert_int_equal(finding.evidence.first, START);
    assert_int_equal(finding.evidence.last, START + 5);
    assert_string_equal(finding.evidence.ja4, by_alert.ja4); /* the last one that was known */
    assert_true(address_same_ip(&finding.evidence.origin, &moved.origin));
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
    for (int alert = 42; alert < 52; alert++) {
        const struct learned_refusal refusal = {alert, NULL};
        if (learned_note_refusal(learned, &usually, &flow, &refusal, START, &finding) ==
            LEARNED_PINNED)
            assert_int_equal(alert, 44);
    }
    assert_true(learned_find(learned, finding.id, &finding));
    assert_int_equal(finding.evidence.refusals, 10);
    learned_free(learned);
}

/* ---- bounds ---- */

static struct flow flow_of_device(unsigned device, unsigned number)
{
    static char name[24];
    char address[40];
    snprintf(address, sizeof(address), "10.1.0.%u:50012", device);
    snprintf(name, sizeof(name), "%u.test", number);
    return flow_of(address, "192.0.2.1:443", name);
}

static void let_accept(struct learned *learned, unsigned device)
{
    struct flow flow = flow_of_device(device, 0);
    flow.sni = "elsewhere.test";
    learned_note_acceptance(learned, &flow, START);
}

static void one_device_pushes_out_its_own_findings_and_nobody_elses(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 86400};
    struct learned *learned = learned_new();
    struct learned_finding kept;
    let_accept(learned, 1);
    let_accept(learned, 2);
    struct flow flow = flow_of_device(2, 0);
    assert_int_equal(refuse(learned, &config, &flow, START), LEARNED_PINNED); /* number 1 */
    for (unsigned i = 0; i < LEARNED_EACH_LIMIT + 2; i++) {
        flow = flow_of_device(1, i);
        assert_int_equal(refuse(learned, &config, &flow, START), LEARNED_PINNED);
        if (i == 0)
            assert_true(learned_keep(learned, 2, &kept)); /* stays, whatever its age */
    }
    for (unsigned i = 0; i < LEARNED_EACH_LIMIT + 2; i++) {
        flow = flow_of_device(1, i);
        assert_int_equal(is_pinned(learned, &config, &flow, START), i != 1 && i != 2);
    }
    flow = flow_of_device(2, 0);
    assert_true(is_pinned(learned, &config, &flow, START));
    assert_int_equal(swept(learned, START, LEARNED_REPLACED), 2);
    learned_free(learned);
}

static void counts_give_way_before_findings(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    struct flow flow;
    for (unsigned device = 1; device <= 9; device++)
        let_accept(learned, device);
    flow = flow_of_device(1, 0);
    pin(learned, &flow);
    for (unsigned i = 0; i < 2 * LEARNED_LIMIT; i++) {
        flow = flow_of_device(2 + i % 8, i);
        assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
    }
    flow = flow_of_device(1, 0);
    assert_true(is_pinned(learned, &usually, &flow, START + 1));
    struct learned_list list;
    assert_true(learned_copy(learned, &list));
    assert_int_equal(list.finding_count, LEARNED_LIMIT);
    learned_list_fini(&list);
    assert_int_equal(swept(learned, START, LEARNED_REPLACED), 0);
    learned_free(learned);
}

static void where_all_is_kept_there_is_no_room_for_more(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 86400};
    struct learned *learned = learned_new();
    struct learned_finding kept;
    let_accept(learned, 1);
    for (unsigned i = 0; i < LEARNED_EACH_LIMIT; i++) {
        const struct flow flow = flow_of_device(1, i);
        assert_int_equal(refuse(learned, &config, &flow, START), LEARNED_PINNED);
        assert_true(learned_keep(learned, i + 1, &kept));
    }
    const struct flow more = flow_of_device(1, LEARNED_EACH_LIMIT);
    assert_int_equal(refuse(learned, &config, &more, START), LEARNED_NOTHING);
    assert_false(is_pinned(learned, &config, &more, START));
    learned_free(learned);
}

static void more_losses_than_can_be_told_are_told_to_be_losses(void **state)
{
    (void)state;
    const struct learn_config config = {LEARN_AUTO, 1, 3600, 60};
    struct learned *learned = learned_new();
    struct learned_gone gone[LEARNED_GONE_LIMIT];
    size_t count;
    let_accept(learned, 1);
    for (unsigned i = 0; i < LEARNED_GONE_LIMIT + 5; i++) {
        const struct flow flow = flow_of_device(1, i);
        assert_int_equal(refuse(learned, &config, &flow, START), LEARNED_PINNED);
    }
    assert_true(learned_sweep(learned, START + 60, gone, &count));
    assert_int_equal(count, LEARNED_GONE_LIMIT);
    assert_false(learned_sweep(learned, START + 60, gone, &count));
    learned_free(learned);
}

static void devices_that_have_our_ca_stay_when_strangers_come(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    char device[40];
    for (unsigned i = 0; i <= LEARNED_DEVICES_LIMIT; i++) {
        snprintf(device, sizeof(device), "10.2.%u.%u:1", i / 256, i % 256);
        const struct flow flow = flow_of(device, "192.0.2.1:443", "a.test");
        assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NO_CA);
    }
    const struct flow flow = usual();
    struct learned_device found;
    const struct device_key key = flow_device_key(&flow);
    assert_true(learned_find_device(learned, &key, &found));
    assert_int_equal(found.accepted, START);
    pin(learned, &flow);
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

static uint64_t findings_version(struct learned *learned)
{
    return learned_version(learned).findings;
}

static void the_version_changes_with_what_is_to_be_kept(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    uint64_t version = findings_version(learned);
    assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NOTHING);
    assert_int_equal(findings_version(learned), version);
    const uint64_t id =
        pin(learned, &(struct flow){.device = flow.device, .origin = flow.origin, .sni = "b.test"});
    assert_true(findings_version(learned) != version);
    version = findings_version(learned);
    struct learned_finding kept;
    assert_true(learned_keep(learned, id, &kept));
    assert_true(findings_version(learned) != version);
    version = findings_version(learned);
    assert_true(learned_forget(learned, id));
    assert_true(findings_version(learned) != version);
    learned_free(learned);
}

static void more_evidence_is_another_version_of_the_evidence(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    pin(learned, &flow);
    const struct learned_version before = learned_version(learned);
    assert_int_equal(refuse(learned, &usually, &flow, START + 9), LEARNED_NOTHING);
    assert_int_equal(learned_version(learned).findings, before.findings);
    assert_true(learned_version(learned).evidence != before.evidence);
    learned_free(learned);
}

/* ---- looking ---- */

static size_t count_about(struct learned *learned, const char *origin, const char *name,
                          const char *device)
{
    struct learned_finding found[4];
    struct flow flow = {.sni = name, .opened = true};
    assert_true(address_parse(&flow.origin, origin));
    if (device != NULL)
        assert_true(address_parse(&flow.device, device));
    return learned_about(learned, &flow, found, ARRAY_SIZE(found));
}

static void findings_about_a_destination_are_found(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    pin(learned, &flow);
    assert_int_equal(count_about(learned, "192.0.2.9:443", "A.test", NULL), 1);
    assert_int_equal(count_about(learned, "192.0.2.1:443", NULL, NULL), 1); /* where it was */
    assert_int_equal(count_about(learned, "192.0.2.1:443", "b.test", NULL), 0);
    assert_int_equal(count_about(learned, "192.0.2.1:444", NULL, NULL), 0);
    assert_int_equal(count_about(learned, "192.0.2.2:443", NULL, NULL), 0);
    assert_int_equal(count_about(learned, "192.0.2.9:443", "a.test", "10.0.0.7:1"), 1);
    assert_int_equal(count_about(learned, "192.0.2.9:443", "a.test", "10.0.0.8:1"), 0);
    learned_free(learned);
}

static void no_more_findings_are_told_than_there_is_room_for(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    for (unsigned device = 1; device <= 6; device++) {
        let_accept(learned, device);
        const struct flow flow = flow_of_device(device, 1);
        pin(learned, &flow);
    }
    assert_int_equal(count_about(learned, "192.0.2.1:443", "1.test", NULL), 4);
    learned_free(learned);
}

static void whether_our_ca_is_on_a_device_is_known(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    const struct flow flow = usual();
    const struct device_key key = flow_device_key(&flow);
    struct learned_device device;
    assert_false(learned_find_device(learned, &key, &device));
    assert_int_equal(refuse(learned, &usually, &flow, START), LEARNED_NO_CA);
    assert_int_equal(refuse(learned, &usually, &flow, START + 1), LEARNED_NOTHING);
    assert_true(learned_find_device(learned, &key, &device));
    assert_int_equal(device.accepted, 0);
    assert_int_equal(device.refusals, 2);
    assert_int_equal(device.last_refusal, START + 1);
    learned_note_acceptance(learned, &flow, START + 2);
    learned_note_acceptance(learned, &flow, START + 3);
    assert_true(learned_find_device(learned, &key, &device));
    assert_int_equal(device.accepted, START + 2); /* the first time */
    learned_free(learned);
}

/* ---- from one life to the next ---- */

static void what_was_copied_is_restored(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca(), *again = learned_new();
    const struct flow flow = usual();
    struct flow other = usual();
    other.sni = "b.test";
    pin(learned, &flow);
    pin(learned, &other);
    assert_true(learned_forget(learned, 2));
    struct learned_list list;
    assert_true(learned_copy(learned, &list));
    assert_true(learned_restore(again, &list));
    assert_true(is_pinned(again, &usually, &flow, START + 1));
    assert_int_equal(swept(again, START + 1, LEARNED_EXPIRED), 0);
    assert_int_equal(pin(again, &other), 3); /* no number comes twice */
    learned_list_fini(&list);
    learned_free(learned);
    learned_free(again);
}

static void what_is_in_it_twice_is_not_restored_at_all(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    const struct flow flow = usual();
    pin(learned, &flow);
    for (int what = 0; what < 3; what++) {
        struct learned *again = learned_new();
        struct learned_list list;
        assert_true(learned_copy(learned, &list));
        if (what == 0) { /* a number */
            list.findings[1] = list.findings[0];
            strcpy(list.findings[1].host, "b.test");
            list.finding_count = 2;
        } else if (what == 1) { /* a destination */
            list.findings[1] = list.findings[0];
            list.findings[1].id = 7;
            list.finding_count = 2;
        } else { /* a device */
            list.devices[1] = list.devices[0];
            list.device_count = 2;
        }
        assert_false(learned_restore(again, &list));
        learned_list_fini(&list);
        assert_false(is_pinned(again, &usually, &flow, START + 1));
        assert_true(learned_copy(again, &list));
        assert_int_equal(list.finding_count + list.device_count, 0);
        learned_list_fini(&list);
        learned_free(again);
    }
    learned_free(learned);
}

/* ---- many threads ---- */

/* Each has a device and a destination of its own, beside those that all share. */
struct hammer {
    struct learned *learned;
    unsigned device;
    pthread_t thread;
    size_t wrong;
};

static void *swing(void *context)
{
    struct hammer *hammer = context;
    struct learned *learned = hammer->learned;
    char device[40];
    snprintf(device, sizeof(device), "10.3.0.%u:1", hammer->device);
    const struct flow own = flow_of(device, "192.0.2.1:443", "own.test"), shared = usual();
    struct learned_gone gone[LEARNED_GONE_LIMIT];
    struct learned_list list;
    uint64_t id;
    size_t count;
    learned_note_acceptance(learned, &own, START);
    for (int64_t i = 0; i < 600; i++) {
        /* What it has done itself is what it finds, whatever the others do. */
        for (int j = 0; j < 3; j++)
            (void)refuse(learned, &usually, &own, START + i);
        hammer->wrong += !learned_is_pinned(learned, &usually, &own, START + i, &id);
        learned_note_acceptance(learned, &own, START + i);
        hammer->wrong += learned_is_pinned(learned, &usually, &own, START + i, &id);
        (void)refuse(learned, &usually, &shared, START + i);
        if (i % 7 == 0)
            learned_note_acceptance(learned, &shared, START + i);
        (void)!learned_sweep(learned, START + i, gone, &count);
        if (i % 50 == 0 && learned_copy(learned, &list))
            learned_list_fini(&list);
    }
    return NULL;
}

static void threads_do_not_get_into_each_others_way(void **state)
{
    (void)state;
    struct learned *learned = learned_with_ca();
    struct hammer hammers[4];
    for (unsigned i = 0; i < ARRAY_SIZE(hammers); i++) {
        hammers[i] = (struct hammer){.learned = learned, .device = i + 1};
        assert_int_equal(pthread_create(&hammers[i].thread, NULL, swing, &hammers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(hammers); i++) {
        pthread_join(hammers[i].thread, NULL);
        assert_int_equal(hammers[i].wrong, 0);
    }
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
        cmocka_unit_test(a_finding_that_has_expired_is_not_renewed_by_a_refusal),
        cmocka_unit_test(a_count_is_forgotten_when_its_time_is_over),
        cmocka_unit_test(E5_what_the_operator_keeps_stays),
        cmocka_unit_test(E5_what_the_operator_forgets_is_gone),
        cmocka_unit_test(E5_a_suggestion_lets_nothing_pass_until_it_is_kept),
        cmocka_unit_test(a_suggestion_is_withdrawn_when_the_device_accepts),
        cmocka_unit_test(only_what_was_found_can_be_kept),
        cmocka_unit_test(E5_off_means_that_nothing_is_learned),
        cmocka_unit_test(E5_other_devices_names_and_ports_are_not_meant),
        cmocka_unit_test(E5_a_device_is_known_by_its_mac_whatever_its_address),
        cmocka_unit_test(E5_the_evidence_is_kept),
        cmocka_unit_test(more_kinds_of_alerts_than_are_kept_are_counted_all_the_same),
        cmocka_unit_test(one_device_pushes_out_its_own_findings_and_nobody_elses),
        cmocka_unit_test(counts_give_way_before_findings),
        cmocka_unit_test(where_all_is_kept_there_is_no_room_for_more),
        cmocka_unit_test(more_losses_than_can_be_told_are_told_to_be_losses),
        cmocka_unit_test(devices_that_have_our_ca_stay_when_strangers_come),
        cmocka_unit_test(devices_that_were_not_seen_for_longest_go_first),
        cmocka_unit_test(the_version_changes_with_what_is_to_be_kept),
        cmocka_unit_test(more_evidence_is_another_version_of_the_evidence),
        cmocka_unit_test(findings_about_a_destination_are_found),
        cmocka_unit_test(no_more_findings_are_told_than_there_is_room_for),
        cmocka_unit_test(whether_our_ca_is_on_a_device_is_known),
        cmocka_unit_test(what_was_copied_is_restored),
        cmocka_unit_test(what_is_in_it_twice_is_not_restored_at_all),
        cmocka_unit_test(threads_do_not_get_into_each_others_way),
    };
    return cmocka_run_group_tests_name("policy/learned", tests, NULL, NULL);
}
