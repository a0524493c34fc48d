/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/jsonw.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The same document, written into whatever `json` was made for. */
static void write_document(struct jsonw *json)
{
    jsonw_object(json, NULL);
    jsonw_uint(json, "number", 1);
    jsonw_array(json, "list");
    jsonw_string(json, NULL, "a\"b");
    jsonw_bool(json, NULL, true);
    jsonw_object(json, NULL);
    jsonw_object_end(json);
    jsonw_array(json, NULL);
    jsonw_array_end(json);
    jsonw_array_end(json);
    jsonw_object(json, "inner");
    jsonw_bool(json, "no", false);
    jsonw_object_end(json);
    jsonw_int(json, "last", -1);
    jsonw_object_end(json);
}

static const char document[] =
    "{\"number\":1,\"list\":[\"a\\\"b\",true,{},[]],\"inner\":{\"no\":false},\"last\":-1}";

/* The JSON of one string, as text. */
static const char *string_text(const void *bytes, size_t length)
{
    static char buffer[4096];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    jsonw_bytes(&json, NULL, bytes, length);
    return jsonw_text(&json);
}

/* What a reader makes of that; `length` may hold zeros. */
static void assert_read_back(const void *bytes, size_t length, const void *expected,
                             size_t expected_length)
{
    json_error_t problem;
    const char *text = string_text(bytes, length);
    assert_non_null(text);
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (value == NULL)
        fail_msg("%s: %s", text, problem.text);
    assert_int_equal(json_string_length(value), expected_length);
    assert_memory_equal(json_string_value(value), expected, expected_length);
    json_decref(value);
}

/* ---- structure ---- */

static void commas_and_colons_stand_where_they_belong(void **state)
{
    (void)state;
    char buffer[256];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    write_document(&json);
    assert_string_equal(jsonw_text(&json), document);
    assert_int_equal(json.length, strlen(document));
}

static void an_unknown_fact_is_left_out_without_a_trace(void **state)
{
    (void)state;
    char buffer[256];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    jsonw_object(&json, NULL);
    jsonw_string(&json, "first", NULL);
    jsonw_string(&json, "known", "");
    jsonw_string(&json, "unknown", NULL);
    jsonw_uint(&json, "last", 0);
    jsonw_object_end(&json);
    assert_string_equal(jsonw_text(&json), "{\"known\":\"\",\"last\":0}");
}

static void numbers_are_written_to_their_limits(void **state)
{
    (void)state;
    char buffer[256];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    jsonw_array(&json, NULL);
    jsonw_uint(&json, NULL, 0);
    jsonw_uint(&json, NULL, UINT64_MAX);
    jsonw_int(&json, NULL, INT64_MIN);
    jsonw_int(&json, NULL, INT64_MAX);
    jsonw_array_end(&json);
    assert_string_equal(jsonw_text(&json),
                        "[0,18446744073709551615,-9223372036854775808,9223372036854775807]");
}

static void raw_json_is_a_value_like_any_other(void **state)
{
    (void)state;
    char buffer[256];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    jsonw_object(&json, NULL);
    jsonw_raw(&json, "a", "{\"b\":[1]}");
    jsonw_raw(&json, "c", "null");
    jsonw_object_end(&json);
    assert_string_equal(jsonw_text(&json), "{\"a\":{\"b\":[1]},\"c\":null}");
}

static void the_text_may_be_looked_at_before_its_end(void **state)
{
    (void)state;
    char buffer[256];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    jsonw_array(&json, NULL);
    assert_string_equal(jsonw_text(&json), "[");
    jsonw_uint(&json, NULL, 1);
    assert_string_equal(jsonw_text(&json), "[1");
    jsonw_uint(&json, NULL, 2);
    jsonw_array_end(&json);
    assert_string_equal(jsonw_text(&json), "[1,2]");
}

/* ---- strings ---- */

static void quotes_and_control_characters_are_escaped(void **state)
{
    (void)state;
    static const char text[] = "\"\\/\b\f\n\r\t\x01\x1f\x7f~";
    assert_string_equal(string_text(text, sizeof(text) - 1),
                        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f~\"");
}

static void every_ascii_character_is_read_back_as_itself(void **state)
{
    (void)state;
    char all[128];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    assert_read_back(all, sizeof(all), all, sizeof(all));
}

/* Most text is looked at some bytes at once. */
static void what_has_to_be_escaped_is_found_wherever_it_stands(void **state)
{
    (void)state;
    static const char special[] = {'"', '\\', '\0', '\x1f', '\x7f'};
    for (size_t i = 0; i < sizeof(special); i++) {
        for (size_t length = 1; length <= 26; length++) {
            for (size_t at = 0; at < length; at++) {
                char *text = malloc(length); /* AddressSanitizer knows where this ends */
                assert_non_null(text);
                memset(text, 'a', length);
                text[at] = special[i];
                assert_non_null(strchr(string_text(text, length), '\\'));
                assert_read_back(text, length, text, length);
                free(text);
            }
        }
    }
}

/* The first and the last of each length, and the neighbours of the surrogates. */
static void well_formed_utf8_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\xc2\x80",     "\xdf\xbf",     "\xe0\xa0\x80",     "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
        "\xe1\x80\x80", "\xec\xbf\xbf", "\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char quoted[16];
        snprintf(quoted, sizeof(quoted), "\"%s\"", cases[i]);
        assert_string_equal(string_text(cases[i], strlen(cases[i])), quoted);
    }
}

/* RFC 3629, section 10: an over-long form may smuggle what a filter does not look for. */
static void each_byte_that_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        int replaced;
        const char *rest;
    } cases[] = {
        {"\x80", 1, ""},                 /* a second byte without its first */
        {"\xbf\xbf", 2, ""},             /* two of them */
        {"\xc0\xaf", 2, ""},             /* "/" in two bytes */
        {"\xc1\xbf", 2, ""},             /* and the last such */
        {"\xe0\x9f\xbf", 3, ""},         /* over-long in three */
        {"\xf0\x8f\xbf\xbf", 4, ""},     /* in four */
        {"\xed\xa0\x80", 3, ""},         /* a surrogate */
        {"\xf4\x90\x80\x80", 4, ""},     /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4, ""},     /* far above */
        {"\xfe", 1, ""},                 /* never used */
        {"\xff", 1, ""},                 /* never used */
        {"\xc3", 1, ""},                 /* cut by the end of the text */
        {"\xe2\x82", 2, ""},             /* cut later */
        {"\xf0\x9f\x98", 3, ""},         /* cut just before the last */
        {"\xc3(", 1, "("},               /* cut by another character */
        {"\xe2\x82(", 2, "("},           /* the same in the third byte */
        {"\xf0\x9f\x98(", 3, "("},       /* and in the fourth */
        {"\xff\xc3\xbc", 1, "\xc3\xbc"}, /* what follows is kept */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char expected[32] = "";
        for (int k = 0; k < cases[i].replaced; k++)
            strcat(expected, REPLACEMENT);
        strcat(expected, cases[i].rest);
        assert_read_back(cases[i].bytes, strlen(cases[i].bytes), expected, strlen(expected));
    }
}

/* The bytes behind would complete the character. */
static void nothing_is_read_behind_the_length(void **state)
{
    (void)state;
    assert_read_back("\xf0\x9f\x98\x80", 3, REPLACEMENT REPLACEMENT REPLACEMENT, 9);
    assert_read_back("ab", 1, "a", 1);
    assert_read_back("a", 0, "", 0);
    char *exact = malloc(1); /* AddressSanitizer knows where this ends */
    assert_non_null(exact);
    *exact = '\xf0';
    assert_read_back(exact, 1, REPLACEMENT, 3);
    free(exact);
}

static void whatever_the_bytes_a_reader_understands_the_text(void **state)
{
    (void)state;
    uint32_t random = 12345;
    for (int round = 0; round < 2000; round++) {
        unsigned char bytes[64];
        json_error_t problem;
        for (size_t i = 0; i < sizeof(bytes); i++) {
            random = random * 1664525 + 1013904223;
            bytes[i] = (unsigned char)(random >> 24);
        }
        const char *text = string_text(bytes, (size_t)round % sizeof(bytes));
        json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
        if (value == NULL)
            fail_msg("%s: %s", text, problem.text);
        json_decref(value);
    }
}

/* ---- the buffer ---- */

static void a_text_fits_or_does_not_and_nothing_is_written_behind(void **state)
{
    (void)state;
    char buffer[sizeof(document) + 16];
    for (size_t size = 1; size < sizeof(buffer); size++) {
        struct jsonw json;
        memset(buffer, '#', sizeof(buffer));
        jsonw_init(&json, buffer, size);
        write_document(&json);
        const char *text = jsonw_text(&json);
        if (size < sizeof(document))
            assert_null(text);
        else
            assert_string_equal(text, document);
        assert_int_equal(json.overflow, size < sizeof(document));
        for (size_t i = size; i < sizeof(buffer); i++)
            assert_int_equal(buffer[i], '#');
    }
}

/* A text with a hole in it must not look like a whole one. */
static void what_did_not_fit_once_stays_of_no_use(void **state)
{
    (void)state;
    char buffer[16];
    struct jsonw json;
    jsonw_init(&json, buffer, sizeof(buffer));
    jsonw_array(&json, NULL);
    jsonw_string(&json, NULL, "much longer than the buffer");
    jsonw_array_end(&json);
    assert_true(json.overflow);
    assert_null(jsonw_text(&json));
}

static void a_growing_text_has_no_limit(void **state)
{
    (void)state;
    struct jsonw json;
    json_error_t problem;
    jsonw_init_growing(&json);
    jsonw_array(&json, NULL);
    for (unsigned i = 0; i < 50000; i++)
        jsonw_uint(&json, NULL, i);
    jsonw_array_end(&json);
    json_t *list = json_loads(jsonw_text(&json), 0, &problem);
    assert_int_equal(json_array_size(list), 50000);
    for (unsigned i = 0; i < 50000; i++)
        assert_int_equal(json_integer_value(json_array_get(list, i)), i);
    json_decref(list);
    jsonw_fini(&json);
}

static void a_growing_text_takes_a_value_larger_than_itself(void **state)
{
    (void)state;
    size_t length = 1 << 20;
    char *value = malloc(length + 1);
    struct jsonw json;
    assert_non_null(value);
    memset(value, 'v', length);
    value[length] = '\0';
    jsonw_init_growing(&json);
    jsonw_raw(&json, NULL, value);
    assert_string_equal(jsonw_text(&json), value);
    jsonw_fini(&json);
    free(value);
}

static void a_growing_text_fits_at_every_length(void **state)
{
    (void)state;
    static char value[9000];
    for (size_t length = 4080; length < 8200; length += length == 4110 ? 4070 : 1) {
        struct jsonw json;
        memset(value, 'v', length);
        value[length] = '\0';
        jsonw_init_growing(&json);
        jsonw_raw(&json, NULL, value);
        assert_string_equal(jsonw_text(&json), value);
        jsonw_fini(&json);
    }
}

static void ending_frees_only_what_grew(void **state)
{
    (void)state;
    char buffer[16];
    struct jsonw borrowed, growing, unused;
    jsonw_init(&borrowed, buffer, sizeof(buffer));
    jsonw_init_growing(&growing);
    jsonw_init_growing(&unused);
    jsonw_uint(&borrowed, NULL, 1);
    jsonw_uint(&growing, NULL, 1);
    assert_string_equal(jsonw_text(&borrowed), "1");
    jsonw_fini(&borrowed);
    jsonw_fini(&growing);
    jsonw_fini(&growing);
    jsonw_fini(&unused);
    assert_string_equal(buffer, "1");
}

/* RFC 4648, section 10. */
static void bytes_are_written_in_base64_and_as_what_can_be_printed(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "+//+"}};
    char buffer[200], expected[100];
    struct jsonw json;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        jsonw_init(&json, buffer, sizeof(buffer));
        jsonw_base64(&json, NULL, text_from(pairs[i][0], strlen(pairs[i][0])));
        snprintf(expected, sizeof(expected), "\"%s\"", pairs[i][1]);
        assert_string_equal(jsonw_text(&json), expected);
    }
    jsonw_init(&json, buffer, sizeof(buffer));
    jsonw_object(&json, NULL);
    jsonw_printable(&json, "a", text_from("a\"\\\n\xc3\xa4~\x7f", 8));
    jsonw_text_value(&json, "b", (struct text){0});
    jsonw_text_value(&json, "c", text_from("", 0));
    jsonw_members(&json, text_from("\"d\":1,\"e\":2", 11));
    jsonw_object_end(&json);
    assert_string_equal(jsonw_text(&json), "{\"a\":\"a\\\"\\\\...~.\",\"c\":\"\",\"d\":1,\"e\":2}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_colons_stand_where_they_belong),
        cmocka_unit_test(an_unknown_fact_is_left_out_without_a_trace),
        cmocka_unit_test(numbers_are_written_to_their_limits),
        cmocka_unit_test(raw_json_is_a_value_like_any_other),
        cmocka_unit_test(the_text_may_be_looked_at_before_its_end),
        cmocka_unit_test(quotes_and_control_characters_are_escaped),
        cmocka_unit_test(every_ascii_character_is_read_back_as_itself),
        cmocka_unit_test(what_has_to_be_escaped_is_found_wherever_it_stands),
        cmocka_unit_test(well_formed_utf8_stays_as_it_is),
        cmocka_unit_test(each_byte_that_is_not_utf8_is_replaced),
        cmocka_unit_test(nothing_is_read_behind_the_length),
        cmocka_unit_test(whatever_the_bytes_a_reader_understands_the_text),
        cmocka_unit_test(a_text_fits_or_does_not_and_nothing_is_written_behind),
        cmocka_unit_test(what_did_not_fit_once_stays_of_no_use),
        cmocka_unit_test(bytes_are_written_in_base64_and_as_what_can_be_printed),
        cmocka_unit_test(a_growing_text_has_no_limit),
        cmocka_unit_test(a_growing_text_takes_a_value_larger_than_itself),
        cmocka_unit_test(a_growing_text_fits_at_every_length),
        cmocka_unit_test(ending_frees_only_what_grew),
    };
    return cmocka_run_group_tests_name("core/jsonw", tests, NULL, NULL);
}
