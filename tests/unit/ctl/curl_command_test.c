/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/curl_command.h"

#include <string.h>

static struct curl_command command_of(const char *text)
{
    json_error_t problem;
    json_t *event = json_loads(text, JSON_ALLOW_NUL, &problem);
    if (event == NULL)
        fail_msg("%s: %s", text, problem.text);
    struct curl_command command = curl_command_make(event);
    json_decref(event);
    return command;
}

static void assert_command(const char *event, const char *expected)
{
    struct curl_command command = command_of(event);
    assert_non_null(command.text);
    assert_string_equal(command.text, expected);
    free(command.text);
}

#define REQUEST(more) "{\"dest_port\":443,\"http\":{\"hostname\":\"x.test\",\"url\":\"/\"" more "}}"

static void a_request_is_a_command(void **state)
{
    (void)state;
    assert_command(REQUEST(",\"http_method\":\"GET\",\"protocol\":\"HTTP/2\""),
                   "curl --http2 'https://x.test/'\n");
    assert_command(REQUEST(",\"http_method\":\"HEAD\""), "curl 'https://x.test/' \\\n  --head\n");
    assert_command(REQUEST(",\"http_method\":\"POST\",\"http_request_body\":\"YT1i\""),
                   "curl 'https://x.test/' \\\n  --data-raw 'a=b'\n");
    assert_command(REQUEST(",\"http_method\":\"GET\",\"request_headers\":["
                           "{\"name\":\":path\",\"value\":\"/\"},"
                           "{\"name\":\"host\",\"value\":\"x.test\"},"
                           "{\"name\":\"accept\",\"value\":\"*/*\"},"
                           "{\"name\":\"x\",\"value\":\"\"}]"),
                   "curl 'https://x.test/' \\\n  -H 'accept: */*' \\\n  -H 'x;' \\\n"
                   "  -H 'User-Agent:'\n");
    assert_command("{\"dest_port\":8443,\"http\":{\"hostname\":\"x.test\",\"url\":\"/\"},"
                   "\"intercept\":{\"http\":{\"scheme\":\"https\"}}}",
                   "curl --connect-to :::8443 'https://x.test/'\n");
}

static void nothing_gets_out_of_its_quotes(void **state)
{
    (void)state;
    assert_command("{\"http\":{\"hostname\":\"x.test\",\"url\":\"/';id;'\"}}",
                   "curl 'http://x.test/'\\'';id;'\\'''\n");
    assert_command("{\"http\":{\"hostname\":\"x.test\",\"url\":\"/\\u001b[2J'\\\\n\\u007f\"}}",
                   "curl --globoff $'http://x.test/\\033[2J\\047\\134n\\177'\n");
    assert_command(REQUEST(",\"http_method\":\"$(id)\",\"http_request_body\":\"ACcKJQ==\""),
                   "printf '\\000\\047\\012\\045' | curl 'https://x.test/' \\\n  -X '$(id)' \\\n"
                   "  --data-binary @-\n");
}

static void what_is_missing_is_known(void **state)
{
    (void)state;
    struct curl_command command =
        command_of("{\"http\":{\"url\":\"/"
                   "\",\"hostname\":\"x\",\"request_headers\":[{\"name\":\"a\",\"value\":"
                   "\"b (redacted)\"}],\"http_request_body\":\"YQ==\"},\"intercept\":{\"http\":{"
                   "\"request_length\":9,\"headers_cut\":true,\"request_body\":{\"cut\":true}}}}");
    assert_true(command.redacted && command.headers_cut && command.body_missing);
    free(command.text);
    command = command_of("{\"http\":{\"url\":\"/\",\"hostname\":\"x\",\"request_headers\":[],"
                         "\"http_request_body\":\"YQ==\"},\"intercept\":{\"http\":{"
                         "\"request_length\":1}}}");
    assert_false(command.redacted || command.headers_cut || command.body_missing);
    free(command.text);
    assert_null(command_of("{\"event_type\":\"flow\"}").text);
    assert_null(command_of("[]").text);
}

static void a_body_that_was_decoded_is_sent_as_it_is(void **state)
{
    (void)state;
    static const char gzip[] = ",\"http_method\":\"POST\",\"request_headers\":["
                               "{\"name\":\"Content-Encoding\",\"value\":\"gzip\"},"
                               "{\"name\":\"Content-Type\",\"value\":\"x\"},"
                               "{\"name\":\"User-Agent\",\"value\":\"x\"},"
                               "{\"name\":\"Accept\",\"value\":\"x\"}],"
                               "\"http_request_body\":\"YQ==\"}";
    char text[600];
    for (int encoded = 0; encoded < 2; encoded++) {
        snprintf(text, sizeof(text),
                 "{\"http\":{\"hostname\":\"x.test\",\"url\":\"/\"%s,\"intercept\":{\"http\":{"
                 "\"request_body\":{\"encoded\":%s}}}}",
                 gzip, encoded ? "true" : "false");
        struct curl_command command = command_of(text);
        assert_non_null(command.text);
        assert_int_equal(strstr(command.text, "gzip") != NULL, encoded);
        free(command.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_a_command),
        cmocka_unit_test(nothing_gets_out_of_its_quotes),
        cmocka_unit_test(what_is_missing_is_known),
        cmocka_unit_test(a_body_that_was_decoded_is_sent_as_it_is),
    };
    return cmocka_run_group_tests_name("ctl/curl_command", tests, NULL, NULL);
}
