/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum http_field field(const char *name)
{
    return field_of(text_from(name, strlen(name)));
}

/* Each of them, as a name that stood under a wrong length would not be found. */
static void names_are_known_in_any_case_and_as_a_whole(void **state)
{
    static const struct {
        const char *name;
        enum http_field field;
    } cases[] = {
        {":method", HTTP_FIELD_METHOD},
        {":path", HTTP_FIELD_PATH},
        {":authority", HTTP_FIELD_AUTHORITY},
        {":status", HTTP_FIELD_STATUS},
        {"Accept", HTTP_FIELD_ACCEPT},
        {"Content-Encoding", HTTP_FIELD_CONTENT_ENCODING},
        {"content-TYPE", HTTP_FIELD_CONTENT_TYPE},
        {"grpc-message", HTTP_FIELD_GRPC_MESSAGE},
        {"grpc-status", HTTP_FIELD_GRPC_STATUS},
        {"HOST", HTTP_FIELD_HOST},
        {"Location", HTTP_FIELD_LOCATION},
        {"Referer", HTTP_FIELD_REFERER},
        {"Upgrade", HTTP_FIELD_UPGRADE},
        {"user-agent", HTTP_FIELD_USER_AGENT},
        {"Sec-WebSocket-Extensions", HTTP_FIELD_WEBSOCKET_EXTENSIONS},
        {"X-Forwarded-For", HTTP_FIELD_X_FORWARDED_FOR},
        {"", HTTP_FIELD_OTHER},
        {"Hosts", HTTP_FIELD_OTHER},
        {"accept ", HTTP_FIELD_OTHER},
        {"content\rtype", HTTP_FIELD_OTHER},
        {"sec-websocket-extensions-", HTTP_FIELD_OTHER},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(field(cases[i].name), cases[i].field);
}

static void headers_that_are_credentials_are_known_in_any_case(void **state)
{
    static const char *const names[] = {
        "Authorization", "proxy-authorization", "Cookie",       "set-cookie",
        "cookie2",       "Set-Cookie2",         "X-API-Key",    "api-key",
        "APIKEY",        "x-auth-token",        "X-CSRF-Token", "x-amz-security-token",
        "x-goog-api-key"};
    static const char *const others[] = {"", "Accept", "Author", "x-amz-security-tokens"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(field(names[i]), HTTP_FIELD_CREDENTIAL);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_not_equal(field(others[i]), HTTP_FIELD_CREDENTIAL);
}

static void headers_that_are_urls_are_known_in_any_case(void **state)
{
    static const char *const names[] = {":path", "Origin", "Referer", "location",
                                        "Content-Location"};
    static const char *const others[] = {"", "Host", "locations", "content-locations"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_true(field_is_url(field(names[i])));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(field_is_url(field(others[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_in_any_case_and_as_a_whole),
        cmocka_unit_test(headers_that_are_credentials_are_known_in_any_case),
        cmocka_unit_test(headers_that_are_urls_are_known_in_any_case),
    };
    return cmocka_run_group_tests_name("tap/field", tests, NULL, NULL);
}
