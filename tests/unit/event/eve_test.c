/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../folder.h"

/* A record about which only the least is known, and what it points to. */
struct case_file {
    struct folder folder;
    struct flow flow;
    struct record record;
};

static struct address address_of(const char *text)
{
    struct address address;
    if (!address_parse(&address, text))
        fail_msg("%s is no address", text);
    return address;
}

static int make_case(void **state)
{
    struct case_file *file = calloc(1, sizeof(*file));
    *state = file;
    if (file == NULL)
        return -1;
    file->flow.device = address_of("10.0.0.7:50012");
    file->flow.origin = address_of("93.184.216.34:443");
    file->flow.protocol = IPPROTO_TCP;
    file->record.flow = &file->flow;
    file->record.flow_id = 1234567890123456;
    file->record.app_proto = "tls";
    file->record.action = "intercept";
    file->record.reason = "default";
    file->record.policy_revision = 3;
    file->record.client.alert_in = file->record.client.alert_out = RECORD_NO_ALERT;
    file->record.upstream.alert_in = file->record.upstream.alert_out = RECORD_NO_ALERT;
    file->folder = make_folder();
    return 0;
}

static int drop_case(void **state)
{
    struct case_file *file = *state;
    remove_folder(&file->folder);
    free(file);
    return 0;
}

/* Everything that can be known. */
static void fill_session(struct record_session *session, const char *alpn)
{
    session->version = "TLS 1.3";
    session->cipher = "TLS_AES_256_GCM_SHA384";
    session->group = "X25519";
    session->alpn = alpn;
    session->resumed = true;
    session->handshake_ms = 17;
}

static void fill_case(struct case_file *file)
{
    static const char *const alpns[] = {"h2", "http/1.1"};
    static const char *const names[] = {"example.com", "*.example.com", "192.0.2.1"};
    struct record *record = &file->record;
    strcpy(file->flow.interface, "wlan0");
    file->flow.has_mac = true;
    memcpy(file->flow.mac, "\x02\x00\x5e\x10\x00\x01", MAC_SIZE);
    record->rule = "^17\\.";
    record->rule_place = "ignore.list:3";
    record->sni = "example.com";
    record->ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1";
    record->ja3 = "ada70206e40642a3e4461f35503241d5";
    record->upstream_community_id = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
    record->client_alpns = alpns;
    record->client_alpn_count = 2;
    fill_session(&record->client, "h2");
    fill_session(&record->upstream, "h2");
    record->upstream.ja3s = "4835b19f14997673071435cb321f5445";
    record->certificate = (struct record_certificate){
        .subject = "CN=example.com",
        .issuer = "C=US, O=Example CA",
        .serial = "0A:1B",
        .not_before = "2026-01-01T00:00:00",
        .not_after = "2027-01-01T00:00:00",
        .fingerprint = "aa:bb:cc",
        .names = names,
        .name_count = 3,
    };
    record->verified = true;
    record->verify = "ok";
    record->origin_sha256 = "4567cdef";
    record->forged_fingerprint = "dd:ee:ff";
    record->forged_sha256 = "0123abcd";
    record->forged_cached = true;
}

/* What is in eve.json after the event was written and the recorder stopped. */
static char *written_text(struct case_file *file, enum eve_type type)
{
    const struct path path = path_in(&file->folder, "eve.json");
    const struct recorder_paths paths = {.events = path.text};
    struct recorder *recorder = recorder_start(&paths, 1);
    assert_non_null(recorder);
    eve_write(recorder_feed(recorder), type, &file->record);
    recorder_stop(recorder);
    return text_in(&file->folder, "eve.json");
}

/* The one line as JSON, without its time, which no test can know. */
static json_t *written_event(struct case_file *file, enum eve_type type)
{
    json_error_t problem;
    char *text = written_text(file, type);
    char *newline = strchr(text, '\n');
    if (newline == NULL || newline[1] != '\0')
        fail_msg("not one line: %s", text);
    json_t *event = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    if (event == NULL)
        fail_msg("%s: %s", text, problem.text);
    free(text);
    assert_non_null(json_object_get(event, "timestamp"));
    json_object_del(event, "timestamp");
    return event;
}

/* The same keys with the same values, no more and no less. Single quotes spare backslashes. */
static void assert_same_json(json_t *value, const char *expected_text)
{
    char *quoted = strdup(expected_text);
    json_error_t problem;
    for (char *quote = quoted; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    json_t *expected = json_loads(quoted, 0, &problem);
    if (expected == NULL)
        fail_msg("the test's own JSON is wrong: %s", problem.text);
    if (!json_equal(value, expected))
        fail_msg("\n%s\nis not\n%s", json_dumps(value, JSON_SORT_KEYS),
                 json_dumps(expected, JSON_SORT_KEYS));
    json_decref(expected);
    free(quoted);
}

static void assert_event(struct case_file *file, enum eve_type type, const char *expected)
{
    json_t *event = written_event(file, type);
    assert_same_json(event, expected);
    json_decref(event);
}

static void assert_part(struct case_file *file, enum eve_type type, const char *key,
                        const char *expected)
{
    json_t *event = written_event(file, type);
    json_t *part = json_object_get(event, key);
    assert_non_null(part);
    assert_same_json(part, expected);
    json_decref(event);
}

/* ---- what every event says ---- */

static void what_is_not_known_is_left_out(void **state)
{
    assert_event(*state, EVE_INTERCEPT,
                 "{'flow_id': 1234567890123456, 'event_type': 'intercept',"
                 " 'src_ip': '10.0.0.7', 'src_port': 50012,"
                 " 'dest_ip': '93.184.216.34', 'dest_port': 443,"
                 " 'proto': 'TCP', 'app_proto': 'tls',"
                 " 'community_id': '1:MoAp/HioqQM0Tle2uf2o9CMfH+w=',"
                 " 'intercept': {'action': 'intercept', 'reason': 'default', 'policy_rev': 3}}");
}

static void ipv6_udp_and_the_interface_are_told(void **state)
{
    struct case_file *file = *state;
    file->flow.device = address_of("[2001:db8::7]:50012");
    file->flow.origin = address_of("[2001:db8:1::1]:443");
    file->flow.protocol = IPPROTO_UDP;
    strcpy(file->flow.interface, "br-lan");
    file->record.app_proto = NULL;
    file->record.action = "passthrough";
    assert_event(file, EVE_INTERCEPT,
                 "{'flow_id': 1234567890123456, 'event_type': 'intercept', 'in_iface': 'br-lan',"
                 " 'src_ip': '2001:db8::7', 'src_port': 50012,"
                 " 'dest_ip': '2001:db8:1::1', 'dest_port': 443, 'proto': 'UDP',"
                 " 'community_id': '1:35yTaseZ+KFk7DikMcr3gMgnFwU=',"
                 " 'intercept': {'action': 'passthrough', 'reason': 'default', 'policy_rev': 3}}");
}

static void quic_is_told_as_suricata_does(void **state)
{
    struct case_file *file = *state;
    file->flow.quic_version = 1;
    file->flow.sni = "example.com";
    assert_part(file, EVE_INTERCEPT, "quic", "{'version': '1', 'sni': 'example.com'}");
}

static void quic_without_a_name_has_its_version_in_hexadecimal(void **state)
{
    struct case_file *file = *state;
    file->flow.quic_version = 0x6b3343cf;
    assert_part(file, EVE_INTERCEPT, "quic", "{'version': '6b3343cf'}");
}

static void the_name_from_dns_is_told(void **state)
{
    static const char *const names[] = {"resolved.test", "other.test"};
    struct case_file *file = *state;
    file->flow.names = names;
    file->flow.name_count = 2;
    assert_part(file, EVE_INTERCEPT, "intercept",
                "{'action': 'intercept', 'reason': 'default', 'policy_rev': 3,"
                " 'name': 'resolved.test'}");
}

static void the_name_that_was_asked_for_says_more(void **state)
{
    static const char *const names[] = {"resolved.test"};
    struct case_file *file = *state;
    file->flow.names = names;
    file->flow.name_count = 1;
    file->flow.host = "host.test";
    file->flow.sni = "asked.test";
    assert_part(file, EVE_INTERCEPT, "intercept",
                "{'action': 'intercept', 'reason': 'default', 'policy_rev': 3,"
                " 'name': 'asked.test'}");
}

/* "2026-11-23T12:00:00.123456+0000", and it is now. */
static void the_timestamp_is_in_suricatas_form(void **state)
{
    struct tm parts = {0};
    json_error_t problem;
    struct timeval before, after; /* time(2) may lag behind the clock that is asked here */
    gettimeofday(&before, NULL);
    char *text = written_text(*state, EVE_INTERCEPT);
    json_t *event = json_loads(text, 0, &problem);
    const char *timestamp = json_string_value(json_object_get(event, "timestamp"));
    assert_non_null(timestamp);
    const char *rest = strptime(timestamp, "%Y-%m-%dT%H:%M:%S", &parts);
    assert_non_null(rest);
    gettimeofday(&after, NULL);
    assert_in_range(timegm(&parts), before.tv_sec, after.tv_sec);
    assert_int_equal(rest[0], '.');
    assert_int_equal(strspn(rest + 1, "0123456789"), 6);
    assert_string_equal(rest + 7, "+0000");
    json_decref(event);
    free(text);
}

/* ---- under `intercept` ---- */

static void the_rule_and_the_device_are_told(void **state)
{
    struct case_file *file = *state;
    struct record *record = &file->record;
    record->action = "bypass";
    record->reason = "ignored";
    record->rule = "^17\\.178\\.";
    record->rule_place = "ignore.list:3";
    file->flow.has_mac = true;
    memcpy(file->flow.mac, "\x02\x00\x5e\x10\x00\xff", MAC_SIZE);
    assert_part(file, EVE_INTERCEPT, "intercept",
                "{'action': 'bypass', 'reason': 'ignored', 'rule': '^17\\\\.178\\\\.',"
                " 'rule_place': 'ignore.list:3', 'policy_rev': 3,"
                " 'device': {'mac': '02:00:5e:10:00:ff', 'randomized': true}}");
}

static void a_device_is_told_as_far_as_it_is_known(void **state)
{
    struct case_file *file = *state;
    struct flow *flow = &file->flow;
    flow->device_name = "cam";
    flow->vendor = "Raspberry Pi Trading Ltd";
    flow->first_seen = 1700000000;
    flow->has_mac = true;
    memcpy(flow->mac, "\x28\xcd\xc1\x00\x00\x01", MAC_SIZE);
    assert_part(file, EVE_INTERCEPT, "intercept",
                "{'action': 'intercept', 'reason': 'default', 'policy_rev': 3,"
                " 'device': {'name': 'cam', 'mac': '28:cd:c1:00:00:01',"
                "            'vendor': 'Raspberry Pi Trading Ltd',"
                "            'first_seen': '2023-11-14T22:13:20.000000+0000'}}");
}

static void a_device_without_a_mac_has_a_name_all_the_same(void **state)
{
    struct case_file *file = *state;
    file->flow.device_name = "cam \xf0\x9f\x93\xb7";
    assert_part(file, EVE_FLOW, "intercept",
                "{'action': 'intercept', 'reason': 'default', 'policy_rev': 3,"
                " 'device': {'name': 'cam \xf0\x9f\x93\xb7'}}");
}

static void both_sessions_and_both_certificates_are_told(void **state)
{
    struct case_file *file = *state;
    fill_case(file);
    file->record.upstream.alpn = NULL;
    file->record.upstream.resumed = false;
    assert_part(file, EVE_TLS, "intercept",
                "{'action': 'intercept', 'reason': 'default', 'rule': '^17\\\\.',"
                " 'rule_place': 'ignore.list:3', 'policy_rev': 3,"
                " 'device': {'mac': '02:00:5e:10:00:01', 'randomized': true},"
                " 'client': {'version': 'TLS 1.3', 'cipher': 'TLS_AES_256_GCM_SHA384',"
                "            'group': 'X25519', 'alpn': 'h2', 'resumed': true,"
                "            'handshake_ms': 17},"
                " 'upstream': {'ip': '93.184.216.34', 'port': 443,"
                "              'community_id': '1:LQU9qZlK+B5F3KDmev6m5PMibrg=',"
                "              'ja3s': {'hash': '4835b19f14997673071435cb321f5445'},"
                "              'version': 'TLS 1.3',"
                "              'cipher': 'TLS_AES_256_GCM_SHA384', 'group': 'X25519',"
                "              'resumed': false, 'handshake_ms': 17, 'verify': 'ok',"
                "              'verify_code': 0, 'fingerprint': 'aa:bb:cc', 'sha256': '4567cdef'},"
                " 'forged': {'fingerprint': 'dd:ee:ff', 'sha256': '0123abcd', 'cached': true}}");
}

static void starttls_and_ech_are_told_where_there_are_any(void **state)
{
    struct case_file *file = *state;
    file->record.app_proto = "smtp";
    file->record.starttls = file->record.ech = true;
    assert_part(file, EVE_FLOW, "intercept",
                "{'action': 'intercept', 'reason': 'default', 'policy_rev': 3,"
                " 'starttls': true, 'ech': true}");
}

/* An alert may come before there is a version: it is told all the same. Alert 0 is close_notify. */
static void alerts_are_told_also_of_a_handshake_that_failed(void **state)
{
    struct case_file *file = *state;
    static const struct record_fault faults[] = {{18, 0, "self-signed certificate"},
                                                 {10, 1, "certificate has expired"}};
    file->record.client.alert_in = 48;
    file->record.client.alert_in_name = "unknown CA";
    file->record.upstream.alert_out = 0;
    file->record.upstream.alert_out_name = "close notify";
    file->record.verified = true;
    file->record.verify = "self-signed certificate";
    file->record.verify_code = 18;
    file->record.faults = faults;
    file->record.fault_count = 2;
    file->record.ending = ENDING_ORIGIN_ALERT;
    file->record.phase = "upstream";
    assert_part(file, EVE_TLS, "intercept",
                "{'action': 'intercept', 'reason': 'default', 'policy_rev': 3,"
                " 'client': {'alert_in': 48, 'alert_in_name': 'unknown CA'},"
                " 'upstream': {'ip': '93.184.216.34', 'port': 443, 'alert_out': 0,"
                "              'alert_out_name': 'close notify',"
                "              'verify': 'self-signed certificate', 'verify_code': 18,"
                "              'verify_errors': ["
                "                  {'code': 18, 'depth': 0, 'text': 'self-signed certificate'},"
                "                  {'code': 10, 'depth': 1, 'text': 'certificate has expired'}]},"
                " 'ending': 'origin_alert', 'phase': 'upstream',"
                " 'advice': 'the device was told the same; if it works without us, ignore the"
                " destination'}");
}

static void only_an_ended_connection_has_an_ending(void **state)
{
    struct case_file *file = *state;
    for (int ending = ENDING_NONE; ending <= ENDING_SHUTDOWN; ending++) {
        file->record.ending = (enum ending)ending;
        json_t *event = written_event(file, EVE_FLOW);
        json_t *told = json_object_get(json_object_get(event, "intercept"), "ending");
        if (ending == ENDING_NONE)
            assert_null(told);
        else
            assert_string_equal(json_string_value(told), ending_name((enum ending)ending));
        json_decref(event);
        assert_int_equal(unlink(path_in(&file->folder, "eve.json").text), 0);
    }
}

/* ---- under `alert` ---- */

static void an_alert_has_suricatas_fields(void **state)
{
    struct case_file *file = *state;
    file->record.alert = ALERT_REVOKED;
    file->record.blocked = true;
    assert_part(file, EVE_ALERT, "alert",
                "{'action': 'blocked', 'gid': 77, 'signature_id': 2, 'rev': 1,"
                " 'signature': 'interceptd: the origin\\u0027s certificate is revoked',"
                " 'category': 'Potentially Bad Traffic', 'severity': 1}");
}

static void an_alert_comes_with_the_handshake_if_there_was_one(void **state)
{
    struct case_file *file = *state;
    fill_case(file);
    file->record.alert = ALERT_NO_CA;
    json_t *event = written_event(file, EVE_ALERT);
    assert_null(json_object_get(event, "tls"));
    json_decref(event);
    assert_int_equal(unlink(path_in(&file->folder, "eve.json").text), 0);
    file->flow.opened = true;
    event = written_event(file, EVE_ALERT);
    const json_t *sni = json_object_get(json_object_get(event, "tls"), "sni");
    assert_string_equal(json_string_value(sni), "example.com");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(event, "alert"), "action")), "allowed");
    json_decref(event);
}

static void a_flow_tells_whether_there_was_an_alert(void **state)
{
    struct case_file *file = *state;
    file->record.alerted = true;
    json_t *event = written_event(file, EVE_FLOW);
    assert_true(json_is_true(json_object_get(json_object_get(event, "flow"), "alerted")));
    json_decref(event);
}

/* What is in the records of others refers to it. */
static void an_alerts_number_stays(void **state)
{
    (void)state;
    assert_int_equal(alert_kind(ALERT_UNVERIFIED).number, 1);
    assert_int_equal(alert_kind(ALERT_REVOKED).number, 2);
    assert_int_equal(alert_kind(ALERT_PINNED).number, 3);
    assert_int_equal(alert_kind(ALERT_NO_CA).number, 4);
}

/* ---- under `tls` ---- */

static void a_tls_event_has_suricatas_fields(void **state)
{
    struct case_file *file = *state;
    fill_case(file);
    assert_part(file, EVE_TLS, "tls",
                "{'subject': 'CN=example.com', 'issuerdn': 'C=US, O=Example CA',"
                " 'serial': '0A:1B', 'fingerprint': 'aa:bb:cc', 'sni': 'example.com',"
                " 'version': 'TLS 1.3', 'notbefore': '2026-01-01T00:00:00',"
                " 'notafter': '2027-01-01T00:00:00',"
                " 'ja4': 't13d1516h2_8daaf6152771_e5627efa2ab1',"
                " 'ja3': {'hash': 'ada70206e40642a3e4461f35503241d5'},"
                " 'ja3s': {'hash': '4835b19f14997673071435cb321f5445'},"
                " 'session_resumed': true,"
                " 'client_alpns': ['h2', 'http/1.1'], 'server_alpns': ['h2'],"
                " 'subjectaltname': ['example.com', '*.example.com', '192.0.2.1']}");
}

static void a_certificate_without_an_end_has_no_date_of_it(void **state)
{
    struct case_file *file = *state;
    file->record.certificate.not_before = "2026-01-01T00:00:00";
    file->record.certificate.not_after = "9999-12-31T23:59:59";
    assert_part(file, EVE_TLS, "tls",
                "{'version': 'UNDETERMINED', 'notbefore': '2026-01-01T00:00:00'}");
}

static void a_handshake_that_failed_early_has_an_undetermined_version(void **state)
{
    assert_part(*state, EVE_TLS, "tls", "{'version': 'UNDETERMINED'}");
}

/* The forged certificate must not be taken for the origin's. */
static void the_forged_certificate_is_not_under_tls(void **state)
{
    struct case_file *file = *state;
    fill_case(file);
    file->record.certificate = (struct record_certificate){0};
    json_t *event = written_event(file, EVE_TLS);
    assert_null(json_object_get(json_object_get(event, "tls"), "fingerprint"));
    json_t *forged = json_object_get(json_object_get(event, "intercept"), "forged");
    assert_string_equal(json_string_value(json_object_get(forged, "fingerprint")), "dd:ee:ff");
    json_decref(event);
}

static void each_event_has_the_part_of_its_type_only(void **state)
{
    static const struct {
        enum eve_type type;
        const char *name;
        bool tls, flow;
    } cases[] = {
        {EVE_INTERCEPT, "intercept", false, false},
        {EVE_TLS, "tls", true, false},
        {EVE_FLOW, "flow", false, true},
    };
    struct case_file *file = *state;
    fill_case(file);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_t *event = written_event(file, cases[i].type);
        assert_string_equal(json_string_value(json_object_get(event, "event_type")), cases[i].name);
        assert_int_equal(json_object_get(event, "tls") != NULL, cases[i].tls);
        assert_int_equal(json_object_get(event, "flow") != NULL, cases[i].flow);
        assert_non_null(json_object_get(event, "intercept"));
        json_decref(event);
        assert_int_equal(unlink(path_in(&file->folder, "eve.json").text), 0);
    }
}

/* ---- under `flow` ---- */

static void a_flow_event_counts_and_has_both_times(void **state)
{
    struct case_file *file = *state;
    struct record *record = &file->record;
    record->start = (struct timeval){.tv_sec = 1795435200, .tv_usec = 7};
    record->end = (struct timeval){.tv_sec = 1795435261, .tv_usec = 999999};
    record->packets_to_server = 1;
    record->packets_to_client = 2;
    record->bytes_to_server = 3;
    record->bytes_to_client = UINT64_C(5) << 32;
    record->ending = ENDING_CLOSED;
    assert_part(file, EVE_FLOW, "flow",
                "{'pkts_toserver': 1, 'pkts_toclient': 2, 'bytes_toserver': 3,"
                " 'bytes_toclient': 21474836480,"
                " 'start': '2026-11-23T12:00:00.000007+0000',"
                " 'end': '2026-11-23T12:01:01.999999+0000', 'age': 61,"
                " 'state': 'closed', 'reason': 'timeout', 'alerted': false}");
}

static void what_passed_in_the_kernel_is_bypassed_and_has_its_name(void **state)
{
    static const char *const names[] = {"www.example.com", "example.com"};
    struct case_file *file = *state;
    struct record *record = &file->record;
    record->action = "bypass";
    record->app_proto = NULL;
    record->state = "bypassed";
    record->start = (struct timeval){.tv_sec = 1795435200};
    record->end = (struct timeval){.tv_sec = 1795435200};
    record->packets_to_server = 4;
    record->ending = ENDING_CUT;
    file->flow.names = names;
    file->flow.name_count = 2;
    assert_event(file, EVE_FLOW,
                 "{'flow_id': 1234567890123456, 'event_type': 'flow', 'src_ip': '10.0.0.7',"
                 " 'src_port': 50012, 'dest_ip': '93.184.216.34', 'dest_port': 443, 'proto': 'TCP',"
                 " 'community_id': '1:MoAp/HioqQM0Tle2uf2o9CMfH+w=',"
                 " 'flow': {'pkts_toserver': 4, 'pkts_toclient': 0, 'bytes_toserver': 0,"
                 "          'bytes_toclient': 0, 'start': '2026-11-23T12:00:00.000000+0000',"
                 "          'end': '2026-11-23T12:00:00.000000+0000', 'age': 0,"
                 "          'state': 'bypassed', 'reason': 'forced', 'alerted': false},"
                 " 'intercept': {'action': 'bypass', 'reason': 'default', 'policy_rev': 3,"
                 "               'name': 'www.example.com', 'ending': 'cut'}}");
}

static void what_the_kernel_did_not_count_is_left_out(void **state)
{
    struct case_file *file = *state;
    struct record *record = &file->record;
    record->action = "bypass";
    record->reason = "unknown";
    record->policy_revision = 0;
    record->state = "bypassed";
    record->uncounted = true;
    record->end = (struct timeval){.tv_sec = 1795435200};
    assert_part(file, EVE_FLOW, "flow",
                "{'end': '2026-11-23T12:00:00.000000+0000', 'state': 'bypassed',"
                " 'reason': 'timeout', 'alerted': false}");
    assert_int_equal(unlink(path_in(&file->folder, "eve.json").text), 0);
    assert_part(file, EVE_FLOW, "intercept", "{'action': 'bypass', 'reason': 'unknown'}");
}

static void a_clock_that_was_set_back_makes_no_age(void **state)
{
    struct case_file *file = *state;
    struct record *record = &file->record;
    record->start = (struct timeval){.tv_sec = 1795435200};
    record->end = (struct timeval){.tv_sec = 1795431600};
    record->ending = ENDING_SHUTDOWN;
    assert_part(file, EVE_FLOW, "flow",
                "{'pkts_toserver': 0, 'pkts_toclient': 0, 'bytes_toserver': 0,"
                " 'bytes_toclient': 0, 'start': '2026-11-23T12:00:00.000000+0000',"
                " 'end': '2026-11-23T11:00:00.000000+0000', 'age': 0,"
                " 'state': 'closed', 'reason': 'shutdown', 'alerted': false}");
}

/* ---- names from the wire ---- */

static void assert_sni(struct case_file *file, const char *name, const char *expected)
{
    file->record.sni = name;
    json_t *event = written_event(file, EVE_TLS);
    json_t *sni = json_object_get(json_object_get(event, "tls"), "sni");
    assert_string_equal(json_string_value(sni), expected);
    json_decref(event);
    assert_int_equal(unlink(path_in(&file->folder, "eve.json").text), 0);
}

static void hostile_names_are_values_and_nothing_else(void **state)
{
    struct case_file *file = *state;
    static const char *const same[] = {"\"},\"event_type\":\"alert\",{\"",
                                       "a\\",
                                       "\\u0022",
                                       "a\nb\r\n{\"event_type\":\"tls\"}",
                                       "\x01\x1b[2J\x7f",
                                       "gr\xc3\xbc\xc3\x9f.example",
                                       ""};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        assert_sni(file, same[i], same[i]);
    assert_sni(file, "a\xff.\xc3(.\xed\xa0\x80",
               "a\xef\xbf\xbd.\xef\xbf\xbd(.\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void hostile_names_in_lists_and_certificates_are_values_too(void **state)
{
    static const char *const names[] = {"a\"]", "", "\xff", "b\n"};
    struct case_file *file = *state;
    file->record.client_alpns = names;
    file->record.client_alpn_count = 4;
    file->record.certificate = (struct record_certificate){
        .subject = "CN=\"\n", .issuer = "CN=\xff", .names = names, .name_count = 4};
    assert_part(file, EVE_TLS, "tls",
                "{'subject': 'CN=\\\"\\n', 'issuerdn': 'CN=\\ufffd', 'version': 'UNDETERMINED',"
                " 'client_alpns': ['a\\\"]', '', '\\ufffd', 'b\\n'],"
                " 'subjectaltname': ['a\\\"]', '', '\\ufffd', 'b\\n']}");
}

/* As many as the certificate's facts have, each as long as DNS allows. */
static void a_hundred_of_the_longest_names_fit(void **state)
{
    static char longest[254];
    const char *names[100];
    struct case_file *file = *state;
    memset(longest, 'n', sizeof(longest) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        names[i] = longest;
    file->record.certificate.names = names;
    file->record.certificate.name_count = ARRAY_SIZE(names);
    json_t *event = written_event(file, EVE_TLS);
    json_t *told = json_object_get(json_object_get(event, "tls"), "subjectaltname");
    assert_int_equal(json_array_size(told), 100);
    assert_string_equal(json_string_value(json_array_get(told, 99)), longest);
    json_decref(event);
}

/* ---- the output ---- */

static void events_are_lines_in_the_order_they_were_written(void **state)
{
    struct case_file *file = *state;
    const struct path path = path_in(&file->folder, "eve.json");
    const struct recorder_paths paths = {.events = path.text};
    struct recorder *recorder = recorder_start(&paths, 1);
    assert_non_null(recorder);
    struct recorder_feed *feed = recorder_feed(recorder);
    for (uint64_t id = 1; id <= 100; id++) {
        file->record.flow_id = id;
        eve_write(feed, EVE_FLOW, &file->record);
    }
    recorder_stop(recorder);
    char *text = text_in(&file->folder, "eve.json");
    json_int_t id = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_error_t problem;
        json_t *event = json_loads(line, JSON_REJECT_DUPLICATES, &problem);
        assert_int_equal(json_integer_value(json_object_get(event, "flow_id")), ++id);
        json_decref(event);
    }
    assert_int_equal(id, 100);
    free(text);
}

static void nothing_is_written_that_nobody_wants(void **state)
{
    struct case_file *file = *state;
    const struct path path = path_in(&file->folder, "keys");
    const struct recorder_paths paths = {.keylog = path.text};
    struct recorder *recorder = recorder_start(&paths, 1);
    assert_non_null(recorder);
    eve_write(recorder_feed(recorder), EVE_FLOW, &file->record);
    assert_int_equal(recorder_dropped(recorder), 0);
    recorder_stop(recorder);
    char *text = text_in(&file->folder, "keys");
    assert_string_equal(text, "");
    free(text);
}

#define with_case(test) cmocka_unit_test_setup_teardown(test, make_case, drop_case)

/* What is made once is what would be written each time. */
static void an_event_is_the_same_with_a_head_that_was_made_before(void **state)
{
    struct case_file *file = *state;
    struct arena arena = {0};
    fill_case(file);
    json_t *without = written_event(file, EVE_INTERCEPT);
    assert_int_equal(unlink(path_in(&file->folder, "eve.json").text), 0);
    file->record.head = eve_make_head(&file->record, &arena);
    assert_non_null(file->record.head.at);
    json_t *with = written_event(file, EVE_INTERCEPT);
    assert_true(json_equal(with, without));
    json_decref(with);
    json_decref(without);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_case(what_is_not_known_is_left_out),
        with_case(ipv6_udp_and_the_interface_are_told),
        with_case(quic_is_told_as_suricata_does),
        with_case(quic_without_a_name_has_its_version_in_hexadecimal),
        with_case(the_name_from_dns_is_told),
        with_case(the_name_that_was_asked_for_says_more),
        with_case(the_timestamp_is_in_suricatas_form),
        with_case(the_rule_and_the_device_are_told),
        with_case(a_device_is_told_as_far_as_it_is_known),
        with_case(a_device_without_a_mac_has_a_name_all_the_same),
        with_case(both_sessions_and_both_certificates_are_told),
        with_case(starttls_and_ech_are_told_where_there_are_any),
        with_case(alerts_are_told_also_of_a_handshake_that_failed),
        with_case(only_an_ended_connection_has_an_ending),
        with_case(an_alert_has_suricatas_fields),
        with_case(an_alert_comes_with_the_handshake_if_there_was_one),
        with_case(a_flow_tells_whether_there_was_an_alert),
        cmocka_unit_test(an_alerts_number_stays),
        with_case(a_tls_event_has_suricatas_fields),
        with_case(a_certificate_without_an_end_has_no_date_of_it),
        with_case(a_handshake_that_failed_early_has_an_undetermined_version),
        with_case(the_forged_certificate_is_not_under_tls),
        with_case(each_event_has_the_part_of_its_type_only),
        with_case(a_flow_event_counts_and_has_both_times),
        with_case(what_passed_in_the_kernel_is_bypassed_and_has_its_name),
        with_case(what_the_kernel_did_not_count_is_left_out),
        with_case(a_clock_that_was_set_back_makes_no_age),
        with_case(hostile_names_are_values_and_nothing_else),
        with_case(hostile_names_in_lists_and_certificates_are_values_too),
        with_case(a_hundred_of_the_longest_names_fit),
        with_case(events_are_lines_in_the_order_they_were_written),
        with_case(an_event_is_the_same_with_a_head_that_was_made_before),
        with_case(nothing_is_written_that_nobody_wants),
    };
    return cmocka_run_group_tests_name("event/eve", tests, NULL, NULL);
}
