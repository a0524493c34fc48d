/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/learned_file.h"

#include <string.h>

#define START 1000000
#define JA4 "t13d1516h2_8daaf6152771_e5627efa2ab1"

static const struct learn_config usually = {LEARN_AUTO, 2, 3600, 86400};

static struct flow flow_of(const char *device, const char *origin, const char *name)
{
    struct flow flow = {.sni = name, .opened = true};
    assert_true(address_parse(&flow.device, device));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static void refuse(struct learned *learned, const struct flow *flow, int alert, int64_t now)
{
    struct learned_finding finding;
    const struct learned_refusal refusal = {alert, JA4};
    (void)learned_note_refusal(learned, &usually, flow, &refusal, now, &finding);
}

static void refuse_twice(struct learned *learned, const struct flow *flow)
{
    refuse(learned, flow, 48, START);
    refuse(learned, flow, LEARNED_SILENT, START + 1);
}

/* To be freed. */
static char *written(struct learned *learned)
{
    struct learned_list list;
    struct jsonw json;
    jsonw_init_growing(&json);
    assert_true(learned_copy(learned, &list));
    learned_file_write(&json, &list);
    assert_non_null(jsonw_text(&json));
    char *text = strdup(jsonw_text(&json));
    assert_non_null(text);
    learned_list_fini(&list);
    jsonw_fini(&json);
    return text;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct learned *learned = learned_new(), *again = learned_new();
    struct flow by_mac = flow_of("10.0.0.7:1", "192.0.2.1:443", "A.test");
    const struct flow by_ip = flow_of("[2001:db8::7]:1", "[2001:db8::1]:8443", NULL);
    by_mac.has_mac = true;
    memcpy(by_mac.mac, "\2\0\0\0\0\1", MAC_SIZE);
    learned_note_acceptance(learned, &by_mac, START - 5);
    learned_note_acceptance(learned, &by_ip, START - 4);
    refuse_twice(learned, &by_mac);
    refuse_twice(learned, &by_ip);
    struct learned_finding kept;
    assert_true(learned_keep(learned, 2, &kept));
    char *text = written(learned);
    struct learned_list list;
    assert_null(learned_file_read(&list, text, strlen(text)));
    assert_true(learned_restore(again, &list));
    char *second = written(again);
    assert_string_equal(text, second);
    uint64_t id = 0;
    assert_true(learned_is_pinned(again, &usually, &by_mac, START + 2, &id));
    assert_int_equal(id, 1);
    assert_true(learned_is_pinned(again, &usually, &by_ip, START * 3, &id));
    assert_int_equal(id, 2);
    struct learned_finding finding;
    assert_true(learned_find(again, 1, &finding));
    assert_string_equal(finding.evidence.ja4, JA4);
    assert_true(address_same_ip(&finding.evidence.origin, &by_mac.origin));
    assert_int_equal(finding.evidence.origin.port, 443);
    learned_list_fini(&list);
    free(text);
    free(second);
    learned_free(learned);
    learned_free(again);
}

static void what_is_only_counted_is_not_kept(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    const struct flow flow = flow_of("10.0.0.7:1", "192.0.2.1:443", "a.test");
    const struct flow stranger = flow_of("10.0.0.8:1", "192.0.2.1:443", "a.test");
    learned_note_acceptance(learned, &flow, START);
    refuse(learned, &flow, 48, START);
    refuse(learned, &stranger, 48, START);
    char *text = written(learned);
    assert_null(strstr(text, "a.test"));
    assert_null(strstr(text, "10.0.0.8"));
    assert_non_null(strstr(text, "10.0.0.7"));
    free(text);
    learned_free(learned);
}

static void the_fullest_table_is_read_again(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    struct learned_list list;
    char device[40], name[256];
    const struct learn_config at_once = {LEARN_AUTO, 1, 3600, 86400};
    for (unsigned i = 0; i < LEARNED_DEVICES_LIMIT; i++) {
        snprintf(device, sizeof(device), "10.1.%u.%u:1", i / 256, i % 256);
        snprintf(name, sizeof(name), "%0250u.test", i);
        const struct flow flow = flow_of(device, "192.0.2.1:443", name);
        struct learned_finding finding;
        const struct learned_refusal refusal = {48, JA4};
        learned_note_acceptance(learned, &flow, START);
        (void)learned_note_refusal(learned, &at_once, &flow, &refusal, START, &finding);
    }
    char *text = written(learned);
    assert_null(learned_file_read(&list, text, strlen(text)));
    assert_int_equal(list.finding_count, LEARNED_LIMIT);
    assert_int_equal(list.device_count, LEARNED_DEVICES_LIMIT);
    struct learned *again = learned_new();
    assert_true(learned_restore(again, &list));
    char *second = written(again);
    assert_string_equal(text, second);
    learned_list_fini(&list);
    free(text);
    free(second);
    learned_free(learned);
    learned_free(again);
}

/* ---- what is damaged ---- */

#define DEVICE "\"mac\":\"02:00:00:00:00:01\",\"ip\":\"10.0.0.7\""
#define EVIDENCE                                                                            \
    "{\"refusals\":2,\"silent\":1,\"alerts\":[{\"number\":48,\"name\":\"x\",\"count\":1}]," \
    "\"first\":1,\"last\":2,\"origin\":\"192.0.2.1:443\"}"
#define FINDING                                                                 \
    "{\"id\":1,\"kept\":false," DEVICE ",\"host\":\"a.test\",\"is_name\":true," \
    "\"port\":443,\"evidence\":" EVIDENCE ",\"expires\":9}"
#define FILE_OF(findings, devices) \
    "{\"version\":1,\"last_id\":5,\"findings\":[" findings "],\"devices\":[" devices "]}"

static const char *complaint_about(const char *text)
{
    struct learned_list list;
    const char *complaint = learned_file_read(&list, text, strlen(text));
    if (complaint != NULL)
        assert_true(list.findings == NULL && list.devices == NULL && list.finding_count == 0 &&
                    list.device_count == 0);
    learned_list_fini(&list);
    return complaint;
}

static void what_is_damaged_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *complaint;
    } cases[] = {
        {"", "no JSON"},
        {"{", "no JSON"},
        {"{\"version\":1,\"version\":1}", "no JSON"},
        {"[]", "not of a version that is known here"},
        {"{\"version\":2,\"findings\":[],\"devices\":[]}", "not of a version that is known here"},
        {"{\"version\":\"1\"}", "not of a version that is known here"},
        {"{\"version\":1}", "no number of the last finding"},
        {"{\"version\":1,\"last_id\":-1}", "no number of the last finding"},
        {"{\"version\":1,\"last_id\":0}", "no findings, or too many"},
        {"{\"version\":1,\"last_id\":0,\"findings\":{}}", "no findings, or too many"},
        {"{\"version\":1,\"last_id\":0,\"findings\":[]}", "no devices, or too many"},
        {FILE_OF("{}", ""), "a finding of no device"},
        {FILE_OF(FINDING ",7", ""), "a finding of no device"},
        {FILE_OF("", "{}"), "a device that is none"},
        {FILE_OF("", "{" DEVICE "}"), "a device that is none"},
        {FILE_OF("", "{" DEVICE ",\"accepted\":0}"), "a device that is none"},
        {FILE_OF("", "{\"ip\":\"10.0.0\",\"accepted\":1}"), "a device that is none"},
        {FILE_OF("", "{\"mac\":\"02:00:00:00:00:01\",\"accepted\":1}"), "a device that is none"},
        {FILE_OF("", "{\"mac\":\"2:0:0:0:0:1\",\"ip\":\"10.0.0.7\",\"accepted\":1}"),
         "a device that is none"},
    };
    assert_null(complaint_about(FILE_OF(FINDING, "{" DEVICE ",\"accepted\":1}")));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *complaint = complaint_about(cases[i].text);
        if (complaint == NULL || strcmp(complaint, cases[i].complaint) != 0)
            fail_msg("%s: %s", cases[i].text, complaint != NULL ? complaint : "good");
    }
}

/* FINDING with `from` replaced. */
static const char *complaint_with(const char *from, const char *to)
{
    static const char whole[] = FILE_OF(FINDING, "");
    char text[1024];
    const char *at = strstr(whole, from);
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    return complaint_about(text);
}

static void each_part_of_a_finding_has_to_be_there_and_in_its_limits(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *complaint;
    } cases[] = {
        {"10.0.0.7", "10.0.0.7.8", "a finding of no device"},
        {"02:00:00", "02:00:0g", "a finding of no device"},
        {"\"a.test\"", "\"\"", "a finding of no destination"},
        {"\"a.test\"", "\"a test\"", "a finding of no destination"},
        {"\"a.test\"", "\"a\\n\"", "a finding of no destination"},
        {"\"a.test\"", "null", "a finding of no destination"},
        {"\"port\":443", "\"port\":0", "a finding of no destination"},
        {"\"port\":443", "\"port\":65536", "a finding of no destination"},
        {"\"is_name\":true", "\"is_name\":1", "a finding of no destination"},
        {"\"refusals\":2", "\"refusals\":0", "a finding without evidence"},
        {"\"refusals\":2", "\"refusals\":4294967296", "a finding without evidence"},
        {"\"silent\":1", "\"silent\":-1", "a finding without evidence"},
        {"\"number\":48", "\"number\":256", "a finding without evidence"},
        {"\"count\":1", "\"count\":0", "a finding without evidence"},
        {"\"alerts\":[", "\"alerts\":[1,", "a finding without evidence"},
        {"\"first\":1", "\"first\":1.5", "a finding without evidence"},
        {"\"last\":2", "\"last\":-2", "a finding without evidence"},
        {"192.0.2.1:443", "192.0.2.1", "a finding without evidence"},
        {"\"silent\":1", "\"silent\":1,\"ja4\":\"" JA4 "x\"", "a finding without evidence"},
        {"\"id\":1", "\"id\":0", "a finding without a number, or without an end"},
        {"\"id\":1", "\"id\":6", "a finding without a number, or without an end"},
        {"\"kept\":false", "\"kept\":\"no\"", "a finding without a number, or without an end"},
        {"\"expires\":9", "\"expires\":-9", "a finding without a number, or without an end"},
    };
    assert_null(complaint_with("\"silent\":1", "\"silent\":1,\"ja4\":\"" JA4 "\""));
    assert_null(complaint_with("\"mac\":\"02:00:00:00:00:01\",", ""));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *complaint = complaint_with(cases[i].from, cases[i].to);
        if (complaint == NULL || strcmp(complaint, cases[i].complaint) != 0)
            fail_msg("%s: %s", cases[i].to, complaint != NULL ? complaint : "good");
    }
}

static void a_finding_expires_when_it_was_to_expire(void **state)
{
    (void)state;
    struct learned *learned = learned_new();
    struct learned_list list;
    static const char text[] = FILE_OF(FINDING, "");
    struct flow flow = flow_of("10.0.0.7:1", "192.0.2.1:443", "a.test");
    uint64_t id;
    flow.has_mac = true;
    memcpy(flow.mac, "\2\0\0\0\0\1", MAC_SIZE);
    assert_null(learned_file_read(&list, text, strlen(text)));
    assert_true(learned_restore(learned, &list));
    assert_true(learned_is_pinned(learned, &usually, &flow, 8, &id));
    assert_false(learned_is_pinned(learned, &usually, &flow, 9, &id));
    learned_list_fini(&list);
    learned_free(learned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_is_only_counted_is_not_kept),
        cmocka_unit_test(the_fullest_table_is_read_again),
        cmocka_unit_test(what_is_damaged_is_told),
        cmocka_unit_test(each_part_of_a_finding_has_to_be_there_and_in_its_limits),
        cmocka_unit_test(a_finding_expires_when_it_was_to_expire),
    };
    return cmocka_run_group_tests_name("policy/learned_file", tests, NULL, NULL);
}
