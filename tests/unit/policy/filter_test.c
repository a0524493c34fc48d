/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/filter.h"

#include <string.h>

/* A TLS connection that was intercepted, a request with its response, one without, one that failed,
 * one over IPv6 of which no name is known, and a message to the device. */
enum { TLS, RESPONSE, REQUEST, FAILED, IPV6, MESSAGE, EVENTS };
static const char *const event_texts[EVENTS] = {
    [TLS] = ("{\"event_type\":\"flow\",\"src_ip\":\"10.0.0.7\",\"src_port\":50012,\"dest_ip\":"
             "\"93.184.216.34\",\"dest_port\":443,\"intercept\":{\"action\":\"intercept\",\"name\":"
             "\"www.example.com\",\"ending\":\"closed\",\"device\":{\"name\":\"Anna's phone\","
             "\"mac\":\"02:00:5e:10:00:01\"}}}"),
    [RESPONSE] = ("{\"event_type\":\"http\",\"src_ip\":\"10.0.0.8\",\"src_port\":50013,\"dest_ip\":"
                  "\"93.184.216.35\",\"dest_port\":443,\"http\":{\"hostname\":\"api.example.com\","
                  "\"url\":\"/v1/users?id=7\",\"http_method\":\"POST\",\"status\":404,"
                  "\"http_content_type\":\"application/json\",\"http_request_body\":\"AFRPUwA=\","
                  "\"http_response_body\":\"eyJhIjoxfQ==\",\"request_headers\":["
                  "{\"name\":\"Content-Type\",\"value\":\"text/plain\"},"
                  "{\"name\":\"X-A\",\"value\":\"b: c\"}],\"response_headers\":["
                  "{\"name\":\"content-type\",\"value\":\"application/json; v=1\"}]}}"),
    [REQUEST] = ("{\"event_type\":\"http\",\"src_ip\":\"10.0.0.8\",\"src_port\":50014,\"dest_ip\":"
                 "\"93.184.216.35\",\"dest_port\":80,\"http\":{\"hostname\":\"plain.example.com\","
                 "\"url\":\"/\",\"http_method\":\"GET\"}}"),
    [FAILED] =
        ("{\"event_type\":\"flow\",\"src_ip\":\"10.0.0.7\",\"src_port\":50015,\"dest_ip\":"
         "\"198.51.100.1\",\"dest_port\":443,\"tls\":{\"sni\":\"pinned.test\"},\"intercept\":"
         "{\"ending\":\"device_alert\"}}"),
    [IPV6] = ("{\"event_type\":\"flow\",\"src_ip\":\"2001:db8::7\",\"src_port\":50016,\"dest_ip\":"
              "\"2001:db8:1::1\",\"dest_port\":443,\"intercept\":{\"action\":\"bypass\"}}"),
    [MESSAGE] = ("{\"event_type\":\"websocket\",\"src_ip\":\"10.0.0.9\",\"src_port\":1,"
                 "\"dest_ip\":\"192.0.2.9\",\"dest_port\":443,\"direction\":\"to_client\","
                 "\"websocket\":{\"opcode\":\"text\",\"payload_base64\":\"cGF5bG9hZA==\"}}"),
};

/* Which events the expression holds for, as letters: t r q f 6 w. */
static const char *held(const char *expression, char letters[static EVENTS + 1])
{
    struct filter_fault fault;
    struct filter *filter = filter_new(expression, &fault);
    size_t length = 0;
    if (filter == NULL)
        fail_msg("%s: column %u: %s", expression, fault.column, fault.what);
    for (size_t i = 0; i < EVENTS; i++) {
        json_t *event = json_loads(event_texts[i], 0, NULL);
        assert_non_null(event);
        if (filter_matches(filter, event))
            letters[length++] = "trqf6w"[i];
        json_decref(event);
    }
    letters[length] = '\0';
    filter_free(filter);
    return letters;
}

struct expectation {
    const char *expression, *held;
};

static void assert_held(const struct expectation *cases, size_t count)
{
    char letters[EVENTS + 1];
    for (size_t i = 0; i < count; i++)
        if (strcmp(held(cases[i].expression, letters), cases[i].held) != 0)
            fail_msg("%s holds for %s and not for %s", cases[i].expression, letters, cases[i].held);
}

static void each_operator_looks_at_its_own(void **state)
{
    (void)state;
    static const struct expectation cases[] = {
        {"", "trqf6w"},
        {"   ", "trqf6w"},
        {"~d example", "trq"},
        {"~d ^pinned", "f"},
        {"~d ^93", "trq"},
        {"~dst :80$", "q"},
        {"~dst ^www.example.com:443$", "t"},
        {"~dst ^2001:db8:1::1:443$", "6"},
        {"~dst '^\\[2001:db8:1::1\\]:443$'", "6"},
        {"~src 10.0.0.7:5001", "tf"},
        {"~src 2001", "6"},
        {"~dev phone", "t"},
        {"~dev 02:00:5e", "t"},
        {"~dev ^10.0.0.8$", "rq"},
        {"~u ^https://api.example.com/v1", "r"},
        {"~u ^http://plain", "q"},
        {"~m post", "r"},
        {"~m .", "rq"},
        {"~t json", "r"},
        {"~c 404", "r"},
        {"~c 40", ""},
        {"~h '^x-a: b: c$'", "r"},
        {"~h 'v=1'", "r"},
        {"~hq v=1", ""},
        {"~hs v=1", "r"},
        {"~hq ^x-a", "r"},
        {"~hs ^x-a", ""},
        {"~t plain", "r"},
        {"~tq plain", "r"},
        {"~ts plain", ""},
        {"~ts 'json; v'", "r"},
        {"~tq json", ""},
        {"~b TOS", "r"},
        {"~bq '^.tos.$'", "r"},
        {"~bs tos", ""},
        {"~bs '\"a\":1'", "r"},
        {"~b a", "rw"},
        {"~bq '^.T.{2}'", "r"},
        {"~bs ^pay", "w"},
        {"~bq pay", ""},
        {"~http", "rq"},
        {"~websocket", "w"},
        {"~all", "trqf6w"},
        {"~s", "r"},
        {"~q", "q"},
        {"~e", "f"},
    };
    assert_held(cases, ARRAY_SIZE(cases));
}

static void a_word_by_itself_is_looked_for_in_the_url_or_the_host(void **state)
{
    (void)state;
    static const struct expectation cases[] = {
        {"users", "r"}, {"pinned", "f"}, {"\"example\"", "trq"}, {"EXAMPLE", "trq"},
        {"[.]35$", ""}, {"[.]1$", "f"},  {"^https", "r"},
    };
    assert_held(cases, ARRAY_SIZE(cases));
}

static void expressions_are_put_together_as_in_mitmproxy(void **state)
{
    (void)state;
    static const struct expectation cases[] = {
        {"!~d example", "f6w"},
        {"! ~d example", "f6w"},
        {"!!~e", "f"},
        {"~d example & ~m get", "q"},
        {"~e | ~c 404", "rf"},
        {"~d example ~m get", "q"},
        {"~e | ~d example & ~m get", "qf"},
        {"(~e | ~d example) & !~s", "tqf"},
        {"!(~e | ~d example)", "6w"},
        {"~src 10.0.0.7 !~e", "t"},
        {"~e|~s", "rf"},
        {"~c 404|~e", "rf"},
        {"(~c 404)!~e", "r"},
        {"~d 'example' & ~s", "r"},
        {"((((~e))))", "f"},
        {"~d w{3}|zzz", "t"}, /* a regular expression ends at a blank */
        {"~d zzz|pin", "f"},
    };
    assert_held(cases, ARRAY_SIZE(cases));
}

static void quotes_hold_blanks_parentheses_and_quotes(void **state)
{
    (void)state;
    static const struct expectation cases[] = {
        {"~dev \"Anna's phone\"", "t"},      {"~dev 'Anna\\'s phone'", "t"},
        {"~d '(www|pinned)\\.'", "tf"},      {"~d \"^(?=p)pinned\"", "f"},
        {"~d 'www' & ~dev \"a's p\" ", "t"},
    };
    assert_held(cases, ARRAY_SIZE(cases));
}

static void what_is_no_expression_is_told_with_its_column(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        unsigned column;
        const char *what;
    } cases[] = {
        {"~d", 3, "expected a regular expression"},
        {"~e & ~d ", 9, "expected a regular expression"},
        {"~x foo", 1, "unknown operator"},
        {"a ~~d x", 3, "unknown operator"},
        {"~", 1, "unknown operator"},
        {"~abcdefghijklmnopqrstuvwxyz", 1, "unknown operator"},
        {"~c", 3, "expected a status code"},
        {"~c 40x", 4, "expected a status code"},
        {"~c -5", 4, "expected a status code"},
        {"~c ''", 4, "expected a status code"},
        {"& ~e", 1, "expected an operator"},
        {"~e &", 5, "expected an operator"},
        {"~e | | ~s", 6, "expected an operator"},
        {"!", 2, "expected an operator"},
        {"(~e", 1, "a parenthesis that is not closed"},
        {"~e)", 3, "a parenthesis that was not opened"},
        {"()", 2, "expected an operator"},
        {"~d 'x", 4, "a quote that is not closed"},
        {"~d a[b", 7, "missing terminating ]"},
        {"  ~d 'a(b'", 10, "missing closing parenthesis"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct filter_fault fault = {0};
        assert_null(filter_new(cases[i].expression, &fault));
        if (fault.column != cases[i].column ||
            strncmp(fault.what, cases[i].what, strlen(cases[i].what)) != 0)
            fail_msg("%s: column %u: %s", cases[i].expression, fault.column, fault.what);
    }
    filter_free(NULL);
}

static void nothing_nests_too_deep(void **state)
{
    (void)state;
    struct filter_fault fault;
    char text[1000];
    memset(text, '!', sizeof(text));
    strcpy(text + 90, "~e");
    struct filter *filter = filter_new(text, &fault);
    assert_non_null(filter);
    filter_free(filter);
    memset(text, '(', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_null(filter_new(text, &fault));
    assert_string_equal(fault.what, "too deep");
    assert_int_equal(fault.column, 101);
}

static void odd_events_are_no_trouble(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{}",
        "[]",
        "{\"tls\":7,\"http\":[],\"intercept\":null}",
        "{\"dest_ip\":7,\"dest_port\":\"x\",\"http\":{\"url\":1}}",
        ("{\"http\":{\"request_headers\":[7,{}],\"response_headers\":{},\"http_request_body\":7,"
         "\"http_response_body\":\"x\"},\"websocket\":{\"payload_base64\":\"!\"}}"),
    };
    static const char *const filters[] = {"~d .", "~dst .", "~src .", "~dev .", "~u .",
                                          "~m .", "~t .",   "~c 1",   "~s",     "~e",
                                          "~h .", "~b .",   "~hq .",  "~bs ."};
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        json_t *event = json_loads(events[i], 0, NULL);
        for (size_t j = 0; j < ARRAY_SIZE(filters); j++) {
            struct filter_fault fault;
            struct filter *filter = filter_new(filters[j], &fault);
            assert_false(filter_matches(filter, event));
            filter_free(filter);
        }
        json_decref(event);
    }
}

static void what_no_connection_has_when_it_begins_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *later;
    } cases[] = {{"", NULL},
                 {"example", NULL},
                 {"~d a & !(~dst b | ~src c) ~dev d", NULL},
                 {"~u a", "u"},
                 {"~d a | ~m GET", "m"},
                 {"~dev cam & (~t json | ~u a)", "t"},
                 {"!~c 404", "c"},
                 {"~all", NULL},
                 {"~hq a", "hq"},
                 {"~d a ~b x", "b"},
                 {"~s", "s"},
                 {"~q", "q"},
                 {"a b ~e ~c 1", "e"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct filter_fault fault;
        struct filter *filter = filter_new(cases[i].expression, &fault);
        assert_non_null(filter);
        const char *later = filter_asks_later(filter);
        assert_true(cases[i].later == NULL ? later == NULL : strcmp(later, cases[i].later) == 0);
        filter_free(filter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operator_looks_at_its_own),
        cmocka_unit_test(a_word_by_itself_is_looked_for_in_the_url_or_the_host),
        cmocka_unit_test(expressions_are_put_together_as_in_mitmproxy),
        cmocka_unit_test(quotes_hold_blanks_parentheses_and_quotes),
        cmocka_unit_test(what_is_no_expression_is_told_with_its_column),
        cmocka_unit_test(nothing_nests_too_deep),
        cmocka_unit_test(odd_events_are_no_trouble),
        cmocka_unit_test(what_no_connection_has_when_it_begins_is_told_apart),
    };
    return cmocka_run_group_tests_name("policy/filter", tests, NULL, NULL);
}
