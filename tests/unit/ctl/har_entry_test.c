/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/har_entry.h"

#include <string.h>

/* JSON, with single quotes for double ones. */
static json_t *json_of(const char *text)
{
    char *quoted = strdup(text);
    json_error_t problem;
    assert_non_null(quoted);
    for (char *at = quoted; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    json_t *value = json_loads(quoted, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (value == NULL)
        fail_msg("%s: %s", quoted, problem.text);
    free(quoted);
    return value;
}

/* Under this path of keys is just that. */
static void assert_part(json_t *value, const char *path, const char *expected)
{
    char key[64];
    const json_t *part = value;
    for (const char *at = path; *at != '\0'; at += strcspn(at, "/"), at += *at == '/') {
        snprintf(key, sizeof(key), "%.*s", (int)strcspn(at, "/"), at);
        part = json_object_get(part, key);
    }
    json_t *wanted = expected != NULL ? json_of(expected) : NULL;
    if (part == NULL || wanted == NULL ? part != wanted : !json_equal(part, wanted)) {
        char *got = part != NULL ? json_dumps(part, JSON_ENCODE_ANY) : NULL;
        fail_msg("%s is %s,\nnot %s", path, got != NULL ? got : "not there",
                 expected != NULL ? expected : "absent");
    }
    json_decref(wanted);
}

static json_t *entry_of(const char *text)
{
    json_t *event = json_of(text);
    json_t *entry = har_entry_new(event, 7);
    json_decref(event);
    return entry;
}

static void a_request_and_its_response_are_an_entry(void **state)
{
    (void)state;
    json_t *entry = entry_of(
        "{'timestamp':'2026-11-28T11:00:01.000000+0000','flow_id':77,'event_type':'http',"
        "'dest_ip':'203.0.113.1','dest_port':443,'http':{'hostname':'x.test','url':'/"
        "a?b=1&c&d=%20',"
        "'http_method':'POST','protocol':'HTTP/1.1','status':201,'length':9,"
        "'request_headers':[{'name':'Content-Type','value':'text/plain'},"
        "{'name':'Cookie','value':'a=1; b=2'}],'response_headers':["
        "{'name':'Content-Type','value':'text/html; charset=x'},{'name':'Location','value':'/z'},"
        "{'name':'Set-Cookie','value':'s=t; Path=/; Secure'}],"
        "'http_request_body':'aGVsbG8=','http_response_body':'aGVsbG8gaGVsbG8='},"
        "'intercept':{'device':{'name':'cam'},'http':{'scheme':'https','request_length':5,"
        "'start':'2026-11-28T11:00:00.123456+0000','send_ms':2,'wait_ms':7,'total_ms':20}}}");
    assert_part(entry, "startedDateTime", "'2026-11-28T11:00:00.123456+00:00'");
    assert_part(entry, "time", "20");
    assert_part(entry, "timings",
                "{'blocked':-1,'dns':-1,'connect':-1,'ssl':-1,'send':2,'wait':5,'receive':13}");
    assert_part(entry, "request",
                "{'method':'POST','url':'https://x.test/a?b=1&c&d=%20','httpVersion':'HTTP/1.1',"
                "'cookies':[{'name':'a','value':'1'},{'name':'b','value':'2'}],"
                "'headers':[{'name':'Content-Type','value':'text/plain'},"
                "{'name':'Cookie','value':'a=1; b=2'}],'queryString':[{'name':'b','value':'1'},"
                "{'name':'c','value':''},{'name':'d','value':'%20'}],'headersSize':-1,'bodySize':5,"
                "'postData':{'mimeType':'text/plain','text':'hello'}}");
    assert_part(entry, "response/status", "201");
    assert_part(entry, "response/redirectURL", "'/z'");
    assert_part(entry, "response/bodySize", "9");
    assert_part(entry, "response/cookies", "[{'name':'s','value':'t','path':'/','secure':true}]");
    assert_part(
        entry, "response/content",
        "{'size':11,'compression':2,'mimeType':'text/html; charset=x','text':'hello hello'}");
    assert_part(entry, "cache", "{}");
    assert_part(entry, "serverIPAddress", "'203.0.113.1'");
    assert_part(entry, "connection", "'77'");
    assert_part(entry, "_id", "7");
    assert_part(entry, "_device", "{'name':'cam'}");
    json_decref(entry);
}

static void what_is_not_known_has_its_own_values(void **state)
{
    (void)state;
    json_t *entry = entry_of("{'timestamp':'2026-11-28T11:00:01.000000+0000','event_type':'http','"
                             "dest_ip':'2001:db8::1',"
                             "'dest_port':80,'http':{'url':'/'}}");
    assert_part(entry, "startedDateTime", "'2026-11-28T11:00:01.000000+00:00'");
    assert_part(entry, "time", "0");
    assert_part(entry, "request/url", "'http://[2001:db8::1]/'");
    assert_part(entry, "request/method", "''");
    assert_part(
        entry, "response",
        "{'status':0,'statusText':'','httpVersion':'','cookies':[],'headers':[],"
        "'content':{'size':0,'mimeType':''},'redirectURL':'','headersSize':-1,'bodySize':-1}");
    assert_part(entry, "connection", NULL);
    json_decref(entry);
    assert_null(entry_of("{'event_type':'http','http':{'status':200}}"));
    entry = entry_of("{'timestamp':'x','http':{'url':'/'}}");
    assert_part(entry, "startedDateTime", "'1970-01-01T00:00:00Z'");
    json_decref(entry);
}

static void bodies_that_are_no_text_are_in_base64(void **state)
{
    (void)state;
    json_t *entry = entry_of(
        "{'http':{'url':'/','length':3,'http_request_body':'/w==','http_response_body':'AP8='},"
        "'intercept':{'http':{'request_body':{'cut':true},'response_body':{'encoded':true}}}}");
    assert_part(entry, "request/postData",
                "{'mimeType':'','text':'/w==','_encoding':'base64',"
                "'comment':'only its first 1 bytes were recorded'}");
    assert_part(entry, "response/content",
                "{'mimeType':'','size':3,'text':'AP8=','encoding':'base64',"
                "'comment':'its Content-Encoding is not undone'}");
    json_decref(entry);
}

static void a_url_is_a_uri(void **state)
{
    (void)state;
    json_t *entry =
        entry_of("{'http':{'hostname':'x.test','url':'/a b|{}\\u00e9%41%zz%4?q=(r)&x=\\\\'},"
                 "'dest_port':443}");
    assert_part(entry, "request/url",
                "'https://x.test/a%20b%7C%7B%7D%C3%A9%41%25zz%254?q=(r)&x=%5C'");
    json_decref(entry);
}

static void an_answer_before_the_end_of_the_request_took_no_time(void **state)
{
    (void)state;
    json_t *entry = entry_of("{'http':{'url':'/'},'intercept':{'http':{'send_ms':30,'wait_ms':10,"
                             "'total_ms':20}}}");
    assert_part(entry, "timings/send", "30");
    assert_part(entry, "timings/wait", "0");
    assert_part(entry, "timings/receive", "0");
    assert_part(entry, "time", "30");
    json_decref(entry);
}

static void cookies_are_what_was_sent_and_set(void **state)
{
    (void)state;
    json_t *entry = entry_of(
        "{'http':{'url':'/','request_headers':[{'name':'cookie','value':' a = 1 ;b;c==;'},"
        "{'name':'COOKIE','value':'d=4'}],'response_headers':["
        "{'name':'set-cookie','value':'a=1; expires=Wed, 09 Jun 2021 10:18:14 GMT; HttpOnly'},"
        "{'name':'set-cookie','value':'b=; Expires=Wed, 09-Jun-2021 10:18:14 GMT; domain=x.test'},"
        "{'name':'set-cookie','value':'c=3; Expires=never; SameSite=Lax'},"
        "{'name':'set-cookie','value':'(redacted)'},{'name':'set-cookie','value':''}]}}");
    assert_part(entry, "request/cookies",
                "[{'name':'a','value':'1'},{'name':'c','value':'='},{'name':'d','value':'4'}]");
    assert_part(entry, "response/cookies",
                "[{'name':'a','value':'1','expires':'2021-06-09T10:18:14Z','httpOnly':true},"
                "{'name':'b','value':'','expires':'2021-06-09T10:18:14Z','domain':'x.test'},"
                "{'name':'c','value':'3','sameSite':'Lax'}]");
    json_decref(entry);
}

static void websocket_messages_are_chromiums(void **state)
{
    (void)state;
    static const struct {
        const char *event, *message;
    } cases[] = {
        {"{'timestamp':'1970-01-01T00:00:01.500000+0000','direction':'to_server','websocket':{"
         "'opcode':'text','payload_base64':'aGk='}}",
         "{'type':'send','time':1.5,'opcode':1,'data':'hi'}"},
        {"{'timestamp':'1970-01-01T00:00:02.000000+0000','direction':'to_client','websocket':{"
         "'opcode':'binary','payload_base64':'aGk='}}",
         "{'type':'receive','time':2.0,'opcode':2,'data':'aGk='}"},
        {"{'direction':'to_client','websocket':{'opcode':'text','payload_base64':'/w=='}}",
         "{'type':'receive','time':0.0,'opcode':1,'data':'/w=='}"},
        {"{}", "{'type':'receive','time':0.0,'opcode':-1,'data':''}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_t *event = json_of(cases[i].event), *message = har_entry_message(event);
        assert_part(message, "", cases[i].message);
        json_decref(message);
        json_decref(event);
    }
    json_t *event = json_of("{'http':{'url':'/','status':101,'response_headers':["
                            "{'name':'Upgrade','value':'WebSocket'}]}}");
    assert_true(har_entry_is_websocket(event));
    json_decref(event);
    event = json_of("{'http':{'url':'/','status':101}}");
    assert_false(har_entry_is_websocket(event));
    json_decref(event);
}

static void odd_events_are_no_trouble(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{}",
        "[]",
        "7",
        "{'http':7}",
        "{'http':{'url':7}}",
        "{'http':{'url':'','hostname':7,'request_headers':[7,{},{'name':'cookie','value':7}],"
        "'response_headers':[{'value':'x'}],'http_response_body':'?'},'timestamp':7,'flow_id':'x',"
        "'intercept':{'http':{'start':'\\u00e9\\u00e9\\u00e9','send_ms':'x','total_ms':-5}}}"};
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        json_t *entry = entry_of(events[i]);
        if (i < 5)
            assert_null(entry);
        else
            assert_part(entry, "time", "0");
        json_decref(entry);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_its_response_are_an_entry),
        cmocka_unit_test(what_is_not_known_has_its_own_values),
        cmocka_unit_test(bodies_that_are_no_text_are_in_base64),
        cmocka_unit_test(a_url_is_a_uri),
        cmocka_unit_test(an_answer_before_the_end_of_the_request_took_no_time),
        cmocka_unit_test(cookies_are_what_was_sent_and_set),
        cmocka_unit_test(websocket_messages_are_chromiums),
        cmocka_unit_test(odd_events_are_no_trouble),
    };
    return cmocka_run_group_tests_name("ctl/har_entry", tests, NULL, NULL);
}
