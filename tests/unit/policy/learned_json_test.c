/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/learned_json.h"

#include <string.h>

#define START 1000000

static const struct learn_config usually = {LEARN_AUTO, 2, 3600, 86400};

static struct flow flow_of(const char *device, const char *origin, const char *name)
{
    struct flow flow = {.sni = name, .opened = true};
    assert_true(address_parse(&flow.device, device));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static void refuse_twice(struct learned *learned, const struct flow *flow)
{
    struct learned_finding finding;
    (void)learned_note_refusal(learned, &usually, flow, 48, START, &finding);
    (void)learned_note_refusal(learned, &usually, flow, LEARNED_SILENT, START + 1, &finding);
}

static char *text_of(struct learned *learned, bool counting)
{
    struct jsonw json;
    jsonw_init_growing(&json);
    learned_write(&json, learned, counting);
    assert_non_null(jsonw_text(&json));
    char *text = strdup(jsonw_text(&json));
    assert_non_null(text);
    jsonw_fini(&json);
    return text;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct learned *learned = learned_new(), *again = learned_new();
    struct flow by_mac = flow_of("10.0.0.7:1", "192.0.2.1:443", "a.test");
    const struct flow by_ip = flow_of("[2001:db8::7]:1", "[2001:db8::1]:8443", NULL);
    by_mac.has_mac = true;
    memcpy(by_mac.mac, "\2\0\0\0\0\1", MAC_SIZE);
    learned_note_acceptance(learned, &by_mac, START - 5);
    learned_note_acceptance(learned, &by_ip, START - 4);
    refuse_twice(learned, &by_mac);
    refuse_twice(learned, &by_ip);
    assert_true(learned_keep(learned, 2));
    char *text = text_of(learned, false);
    assert_null(learned_read(again, text, strlen(text)));
    char *second = text_of(again, false);
    assert_string_equal(text, second);
    uint64_t id = 0;
    assert_true(learned_is_pinned(again, &usually, &by_mac, START + 2, &id));
    assert_int_equal(id, 1);
    assert_true(learned_is_pinned(again, &usually, &by_ip, START * 3, &id));
    assert_int_equal(id, 2);
    struct learned_finding finding;
    const struct flow other = flow_of("[2001:db8::7]:1", "[2001:db8::1]:443", NULL);
    (void)learned_note_refusal(again, &usually, &other, 48, START, &finding);
    assert_int_equal(learned_note_refusal(again, &usually, &other, 48, START, &finding),
                     LEARNED_PINNED); /* the device has our CA: that is known, too */
    assert_int_equal(finding.id, 3);
    free(text);
    free(second);
    learned_free(learned);
    learned_free(again);
}

static void what_is_only_counted_is_told_and_not_kept(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    const struct flow flow = flow_of("10.0.0.7:1", "192.0.2.1:443", "a.test");
    const struct flow stranger = flow_of("10.0.0.8:1", "192.0.2.1:443", "a.test");
    struct learned_finding finding;
    learned_note_acceptance(learned, &flow, START);
    (void)learned_note_refusal(learned, &usually, &flow, 48, START, &finding);
    (void)learned_note_refusal(learned, &usually, &stranger, 48, START, &finding);
    char *told = text_of(learned, true), *kept = text_of(learned, false);
    assert_non_null(strstr(told, "\"state\":\"counting\""));
    assert_non_null(strstr(told, "10.0.0.8"));
    assert_null(strstr(kept, "counting"));
    assert_null(strstr(kept, "10.0.0.8"));
    free(told);
    free(kept);
    learned_free(learned);
}

static void what_is_damaged_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *complaint;
    } cases[] = {
        {"", "no JSON"},
        {"{", "no JSON"},
        {"[]", "not of a version that is known here"},
        {"{\"version\":2,\"findings\":[],\"devices\":[]}", "not of a version that is known here"},
        {"{\"version\":1}", "expected findings and devices"},
        {"{\"version\":1,\"findings\":{},\"devices\":[]}", "expected findings and devices"},
        {"{\"version\":1,\"findings\":[{}],\"devices\":[]}", "a finding of no device"},
        {"{\"version\":1,\"findings\":[{\"device\":{\"mac\":\"02:00\"}}],\"devices\":[]}",
         "a finding of no device"},
        {"{\"version\":1,\"findings\":[{\"device\":{\"ip\":\"10.0.0.7\"}}],\"devices\":[]}",
         "a finding of no destination"},
        {"{\"version\":1,\"findings\":[{\"id\":1,\"port\":0,\"host\":\"a\",\"device\":{\"ip\":"
         "\"10.0.0.7\"}}],\"devices\":[]}",
         "a finding of no destination"},
        {"{\"version\":1,\"findings\":[{\"id\":1,\"port\":1,\"host\":\"a\",\"device\":{\"ip\":"
         "\"10.0.0.7\"}},{\"id\":2,\"port\":1,\"host\":\"a\",\"device\":{\"ip\":\"10.0.0.7\"}}],"
         "\"devices\":[]}",
         "too many findings, or one twice"},
        {"{\"version\":1,\"findings\":[],\"devices\":[{\"device\":{\"ip\":\"10.0.0.7\"}}]}",
         "a device that is none"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct learned *learned = learned_new();
        const char *complaint = learned_read(learned, cases[i].text, strlen(cases[i].text));
        assert_non_null(complaint);
        assert_string_equal(complaint, cases[i].complaint);
        learned_free(learned);
    }
}

static void evidence_is_told_in_words(void **state)
{
    (void)state;
    char text[LEARNED_EVIDENCE_SIZE];
    struct learned_evidence evidence = {.refusals = 4, .silent = 1};
    evidence.alerts[0].number = 48;
    evidence.alerts[0].count = 3;
    assert_string_equal(learned_evidence_text(&evidence, text),
                        "alert 48 (unknown CA) 3 times, without a word once");
    for (int i = 0; i < LEARNED_ALERTS; i++) { /* the longest */
        evidence.alerts[i].number = 113;
        evidence.alerts[i].count = UINT32_MAX;
    }
    evidence.silent = UINT32_MAX;
    assert_true(strlen(learned_evidence_text(&evidence, text)) < LEARNED_EVIDENCE_SIZE - 1);
    evidence = (struct learned_evidence){0};
    assert_string_equal(learned_evidence_text(&evidence, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_is_only_counted_is_told_and_not_kept),
        cmocka_unit_test(what_is_damaged_is_told),
        cmocka_unit_test(evidence_is_told_in_words),
    };
    return cmocka_run_group_tests_name("policy/learned_json", tests, NULL, NULL);
}
