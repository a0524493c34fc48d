/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base64.h"
#include "core/jsonw.h"

/* RFC 4648, section 10. */
static void texts_of_the_rfc_are_read(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"Zg==", "f"},
                                           {"Zm8=", "fo"},
                                           {"Zm9v", "foo"},
                                           {"Zm9vYg==", "foob"},
                                           {"Zm9vYmE=", "fooba"},
                                           {"Zm9vYmFy", "foobar"}};
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        size_t size = 99;
        char *bytes = base64_decode(pairs[i][0], strlen(pairs[i][0]), &size);
        assert_non_null(bytes);
        assert_int_equal(size, strlen(pairs[i][1]));
        assert_string_equal(bytes, pairs[i][1]);
        free(bytes);
    }
}

static void every_byte_comes_back(void **state)
{
    (void)state;
    char bytes[256], text[400];
    struct jsonw json;
    size_t size;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    jsonw_init(&json, text, sizeof(text));
    jsonw_base64(&json, NULL, text_from(bytes, sizeof(bytes)));
    const char *quoted = jsonw_text(&json);
    assert_non_null(quoted);
    char *back = base64_decode(quoted + 1, strlen(quoted) - 2, &size);
    assert_non_null(back);
    assert_int_equal(size, sizeof(bytes));
    assert_memory_equal(back, bytes, sizeof(bytes));
    free(back);
}

static void what_is_no_base64_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z",    "Zg",   "Zg=",  "Zm9v\n", " Zm9",     "Zm9-",
                                        "====", "Z===", "Z=g=", "Zg==Zg", "Zm9vZg==="};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        size_t size;
        char *bytes = base64_decode(texts[i], strlen(texts[i]), &size);
        if (bytes != NULL)
            fail_msg("%s was taken", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_the_rfc_are_read),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(what_is_no_base64_is_refused),
    };
    return cmocka_run_group_tests_name("core/base64", tests, NULL, NULL);
}
