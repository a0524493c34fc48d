/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/http_event.h"

static json_t *event_of(const char *text)
{
    json_error_t problem;
    json_t *event = json_loads(text, JSON_ALLOW_NUL, &problem);
    if (event == NULL)
        fail_msg("%s: %s", text, problem.text);
    return event;
}

static void a_url_has_the_scheme_and_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *event, *url;
    } cases[] = {
        {"{'http':{'url':'/a?b','hostname':'x.test'},'dest_port':443}", "https://x.test/a?b"},
        {"{'http':{'url':'/','hostname':'x.test'},'dest_port':8443}", "http://x.test/"},
        {"{'http':{'url':'/','hostname':'x.test','http_port':8443},'dest_port':8443,"
         "'intercept':{'http':{'scheme':'https'}}}",
         "https://x.test:8443/"},
        {"{'http':{'url':'/','hostname':'x.test','http_port':443},"
         "'intercept':{'http':{'scheme':'https'}}}",
         "https://x.test/"},
        {"{'http':{'url':'/','hostname':'[2001:db8::1]'},'dest_port':443}",
         "https://[2001:db8::1]/"},
        {"{'http':{'url':'/x'},'dest_ip':'2001:db8::1','dest_port':8080}",
         "http://[2001:db8::1]:8080/x"},
        {"{'http':{'url':'/x'},'dest_ip':'192.0.2.1','dest_port':80}", "http://192.0.2.1/x"},
        {"{'http':{'url':'/x'}}", "/x"},
        {"{'http':{'url':'http://y.test/z','hostname':'y.test'}}", "http://y.test/z"},
        {"{'http':{'url':'/?u=http://y.test/','hostname':'x.test'}}",
         "http://x.test/?u=http://y.test/"},
        {"{'http':{'url':'*','hostname':'x.test'}}", "http://x.test"},
        {"{'http':{'url':'y.test:443','hostname':'y.test','http_port':443}}", "http://y.test:443"},
        {"{'http':{}}", NULL},
        {"{}", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[400];
        snprintf(text, sizeof(text), "%s", cases[i].event);
        for (char *at = text; *at != '\0'; at++)
            if (*at == '\'')
                *at = '"';
        json_t *event = event_of(text);
        char *url = http_event_url(event);
        if (cases[i].url == NULL ? url != NULL : url == NULL || strcmp(url, cases[i].url) != 0)
            fail_msg("%s: %s", text, url != NULL ? url : "no URL");
        free(url);
        json_decref(event);
    }
}

static void the_last_header_of_a_name_counts(void **state)
{
    (void)state;
    json_t *event = event_of("{\"http\":{\"request_headers\":[{\"name\":\"A\",\"value\":\"1\"},"
                             "{\"name\":\"a\",\"value\":\"2\"},{\"name\":7},7]}}");
    const struct text value = http_event_header(event, HTTP_REQUEST, "a");
    assert_true(text_is(value, "2"));
    assert_null(http_event_header(event, HTTP_REQUEST, "b").at);
    assert_null(http_event_header(event, HTTP_RESPONSE, "a").at);
    assert_null(http_event_headers(event, HTTP_RESPONSE));
    json_decref(event);
}

static void bodies_are_bytes(void **state)
{
    (void)state;
    struct http_event_body body;
    json_t *event =
        event_of("{\"http\":{\"http_request_body\":\"AGEA\",\"http_response_body\":\"\"},"
                 "\"intercept\":{\"http\":{\"request_body\":{\"cut\":true,\"encoded\":true}}}}");
    assert_true(http_event_body(event, HTTP_REQUEST, &body));
    assert_int_equal(body.length, 3);
    assert_memory_equal(body.bytes, "\0a\0", 4);
    assert_true(body.cut && body.encoded);
    free(body.bytes);
    assert_true(http_event_body(event, HTTP_RESPONSE, &body));
    assert_true(body.length == 0 && !body.cut && !body.encoded);
    free(body.bytes);
    json_decref(event);
    event = event_of("{\"http\":{\"http_request_body\":\"AGEA\"},\"intercept\":{\"http\":{"
                     "\"request_body\":{\"base64\":\"YQ==\"}}}}");
    assert_true(http_event_body(event, HTTP_REQUEST, &body));
    assert_string_equal(body.bytes, "a");
    free(body.bytes);
    json_decref(event);
    event = event_of("{\"http\":{\"http_request_body\":\"?\"}}");
    assert_false(http_event_body(event, HTTP_REQUEST, &body));
    assert_false(http_event_body(event, HTTP_RESPONSE, &body));
    json_decref(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_the_scheme_and_the_host),
        cmocka_unit_test(the_last_header_of_a_name_counts),
        cmocka_unit_test(bodies_are_bytes),
    };
    return cmocka_run_group_tests_name("policy/http_event", tests, NULL, NULL);
}
