/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/learned_json.h"
#include "setup.h"

#define START 1000000

static const struct learned_refusal refusal = {48, NULL};

static struct flow flow_of(const char *device, const char *origin, const char *name)
{
    struct flow flow = {.sni = name, .opened = true};
    assert_true(address_parse(&flow.device, device));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

/* Counts so many refusals of a device that has our CA. */
static struct known *known_after(const struct config *config, const struct flow *flow,
                                 unsigned refusals)
{
    struct known *known = known_new();
    struct flow elsewhere = *flow;
    struct learned_finding finding;
    assert_non_null(known);
    elsewhere.sni = "elsewhere.test";
    learned_note_acceptance(known->learned, &elsewhere, START - 9);
    for (unsigned i = 0; i < refusals; i++)
        (void)learned_note_refusal(known->learned, &config->learn, flow, &refusal, START + i,
                                   &finding);
    return known;
}

static void assert_told(const struct config *config, struct known *known, const char *expected)
{
    struct jsonw json;
    jsonw_init_growing(&json);
    learned_tell(&json, known, config, START + 5);
    assert_non_null(jsonw_text(&json));
    if (strcmp(jsonw_text(&json), expected) != 0)
        fail_msg("\n%s\nis not\n%s", jsonw_text(&json), expected);
    jsonw_fini(&json);
}

#define CONFIG(mode, match)                                                                     \
    "[ignore]\nlearn = " mode "\nafter-rejections = 2\nlearned-for = 100s\nmatch = " match      \
    "\n[tls]\nca = /var/ca.pem\n[device cam]\nmac = 02:00:00:00:00:01\n[device tv]\naddress = " \
    "10.0.0.8\n"

static void a_finding_is_told_with_its_evidence_and_the_pattern_to_use(void **state)
{
    (void)state;
    struct config *config = good_config(CONFIG("suggest", "address"));
    struct flow flow = flow_of("10.0.0.7:1", "192.0.2.1:443", "a.test");
    flow.has_mac = true;
    memcpy(flow.mac, "\2\0\0\0\0\1", MAC_SIZE);
    struct known *known = known_after(config, &flow, 2);
    assert_told(config, known,
                "{\"ca_certificate\":\"/var/ca-cert.pem\",\"findings\":[{\"id\":1,"
                "\"verdict\":\"suggested\",\"passes\":false,\"device\":{\"name\":\"cam\","
                "\"mac\":\"02:00:00:00:00:01\",\"ip\":\"10.0.0.7\"},\"host\":\"a.test\","
                "\"is_name\":true,\"port\":443,\"evidence\":{\"refusals\":2,\"silent\":0,"
                "\"alerts\":[{\"number\":48,\"name\":\"unknown CA\",\"count\":2}],"
                "\"first\":1000000,\"last\":1000001,\"origin\":\"192.0.2.1:443\"},"
                "\"pattern\":\"^192\\\\.0\\\\.2\\\\.1:443$\",\"expires\":1000101}],"
                "\"devices\":[{\"device\":{\"name\":\"cam\",\"mac\":\"02:00:00:00:00:01\","
                "\"ip\":\"10.0.0.7\"},\"ca\":\"trusted\",\"accepted\":999991}]}");
    known_free(known);
    config_free(config);
}

static void a_device_without_our_ca_is_told(void **state)
{
    (void)state;
    struct config *config = good_config(CONFIG("auto", "address"));
    struct known *known = known_new();
    struct learned_finding finding;
    const struct flow flow = flow_of("10.0.0.8:1", "192.0.2.1:443", "a.test");
    for (int i = 0; i < 3; i++)
        (void)learned_note_refusal(known->learned, &config->learn, &flow, &refusal, START + i,
                                   &finding);
    assert_told(config, known,
                "{\"ca_certificate\":\"/var/ca-cert.pem\",\"findings\":[],\"devices\":["
                "{\"device\":{\"name\":\"tv\",\"ip\":\"10.0.0.8\"},\"ca\":\"missing\","
                "\"refusals\":3,\"last_refusal\":1000002}]}");
    known_free(known);
    config_free(config);
}

static void assert_verdict(const char *mode, unsigned refusals, bool keep, int64_t now,
                           const char *verdict, const char *pattern)
{
    char text[400];
    snprintf(text, sizeof(text), CONFIG("%s", "address sni"), mode);
    struct config *config = good_config(text);
    const struct flow flow = flow_of("10.0.0.7:1", "192.0.2.1:443", "a.test");
    struct known *known = known_after(config, &flow, refusals);
    struct learned_finding finding;
    assert_int_equal(learned_find(known->learned, 1, &finding), verdict != NULL);
    if (keep)
        assert_true(learned_keep(known->learned, 1, &finding));
    if (verdict != NULL) {
        struct jsonw json;
        jsonw_init_growing(&json);
        jsonw_object(&json, NULL);
        learned_tell_finding(&json, &finding, known, config, now);
        jsonw_object_end(&json);
        assert_string_equal(learned_verdict(&finding, &config->learn, now), verdict);
        assert_non_null(strstr(jsonw_text(&json), verdict));
        assert_non_null(strstr(jsonw_text(&json), pattern));
        assert_int_equal(strstr(jsonw_text(&json), "\"expires\"") == NULL, keep);
        jsonw_fini(&json);
    }
    known_free(known);
    config_free(config);
}

static void the_verdict_is_what_becomes_of_it(void **state)
{
    (void)state;
    static const char by_name[] = "^a\\\\.test:443$"; /* where names are looked at */
    assert_verdict("off", 2, false, START, NULL, NULL);
    assert_verdict("auto", 1, false, START, "counting", by_name);
    assert_verdict("auto", 2, false, START, "passing", by_name);
    assert_verdict("auto", 2, false, START * 2, "suggested", by_name); /* no longer */
    assert_verdict("suggest", 2, false, START, "suggested", by_name);
    assert_verdict("suggest", 2, true, START, "kept", by_name);
    assert_verdict("auto", 2, true, START * 2, "kept", by_name);
}

static void a_change_is_told_for_the_records(void **state)
{
    (void)state;
    struct config *config = good_config(CONFIG("auto", "address"));
    const struct flow flow = flow_of("10.0.0.8:1", "[2001:db8::1]:443", NULL);
    struct known *known = known_after(config, &flow, 2);
    struct learned_finding finding;
    struct jsonw json;
    assert_true(learned_find(known->learned, 1, &finding));
    jsonw_init_growing(&json);
    jsonw_object(&json, NULL);
    learned_tell_change(&json, &finding, known, config, "forgotten");
    jsonw_object_end(&json);
    assert_string_equal(
        jsonw_text(&json),
        "{\"src_ip\":\"10.0.0.8\",\"dest_ip\":\"2001:db8::1\",\"dest_port\":443,\"proto\":\"TCP\","
        "\"intercept\":{\"action\":\"learned\",\"reason\":\"forgotten\",\"learned\":1,"
        "\"host\":\"2001:db8::1\",\"evidence\":\"alert 48 (unknown CA) 2 times\","
        "\"device\":{\"name\":\"tv\",\"ip\":\"10.0.0.8\"}}}");
    jsonw_fini(&json);
    known_free(known);
    config_free(config);
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
        cmocka_unit_test(a_finding_is_told_with_its_evidence_and_the_pattern_to_use),
        cmocka_unit_test(a_device_without_our_ca_is_told),
        cmocka_unit_test(the_verdict_is_what_becomes_of_it),
        cmocka_unit_test(a_change_is_told_for_the_records),
        cmocka_unit_test(evidence_is_told_in_words),
    };
    return cmocka_run_group_tests_name("policy/learned_json", tests, NULL, NULL);
}
