/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/mqtt_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listening.h"

#define UP true
#define DOWN false

/* Literals without their last NUL: of one byte of type, a length of one byte, and the rest. */
#define CONNECT "\x10\x0e\0\4MQTT\4\2\0\x3c\0\2id"
#define CONNACK "\x20\2\0\0"
#define CONNECTED "0 mqtt > 1 MQTT 4 flags 02 id id user - password - < 2 code 0\n"

struct piece {
    bool up;
    const char *bytes;
    size_t length;
};

#define SAYS(up, literal)                \
    {                                    \
        up, literal, sizeof(literal) - 1 \
    }

static char *hear_all(const struct tap_options *options, const struct piece *pieces, size_t count,
                      size_t cut)
{
    struct listening listening = {0};
    listen_start(&listening, options, "", 1883);
    for (size_t i = 0; i < count; i++)
        listen_to(&listening, pieces[i].up, pieces[i].bytes, pieces[i].length, cut);
    listen_end(&listening);
    return listening.told;
}

static void assert_told(const struct tap_options *options, const struct piece *pieces, size_t count,
                        const char *expected)
{
    for (size_t cut = 1; cut < 100; cut = cut * 2 + 1) {
        char *told = hear_all(options, pieces, count, cut);
        assert_string_equal(told, expected);
        free(told);
    }
}

#define ASSERT_TOLD(options, pieces, expected) \
    assert_told(&(struct tap_options)options, pieces, ARRAY_SIZE(pieces), expected)

static void packets_are_told_with_what_answers_them(void **state)
{
    static const struct piece said[] = {
        SAYS(UP, CONNECT),
        SAYS(DOWN, CONNACK),
        SAYS(UP, "\x82\x0a\0\1\0\5a/b/#\1"
                 "\xa2\7\0\2\0\3old"),
        SAYS(DOWN, "\x90\3\0\1\1\xb0\2\0\2"),
        SAYS(UP, "\x32\7\0\1t\0\3hi\x30\7\0\4late!"),
        SAYS(DOWN, "\x40\2\0\3"),
        SAYS(UP, "\xc0\0"),
        SAYS(DOWN, "\xd0\0\x34\7\0\1t\0\1hi"),
        SAYS(UP, "\x50\2\0\1"),
        SAYS(DOWN, "\x62\2\0\1"),
        SAYS(UP, "\x70\2\0\1\xe0\0"),
    };
    (void)state;
    ASSERT_TOLD({0}, said,
                CONNECTED "1 mqtt > 8 qos1 #1 a/b/#@1 < 9 #1 01\n"
                          "2 mqtt > 10 qos1 #2 old@0 < 11 #2\n"
                          "4 mqtt > 3 late (1)\n"
                          "3 mqtt > 3 qos1 #3 t (2) < 4 #3\n"
                          "5 mqtt > 12\n"
                          "6 mqtt < 13\n"
                          "7 mqtt < 3 qos2 #1 t (2) > 5 #1 < 6 qos1 #1 > 7 #1\n"
                          "8 mqtt > 14\n");
}

static void messages_are_told_as_far_as_they_are_asked_for(void **state)
{
    static const struct piece said[] = {
        SAYS(UP, CONNECT),
        SAYS(DOWN, CONNACK),
        SAYS(UP, "\x30\7\0\1thaha\x30\x0b\0\1tlonglong"),
    };
    (void)state;
    ASSERT_TOLD({0}, said, CONNECTED "1 mqtt > 3 t (4)\n2 mqtt > 3 t (8)\n");
    ASSERT_TOLD({.bodies = 4}, said,
                CONNECTED "1 mqtt > 3 t (4): haha\n2 mqtt > 3 t (8): long cut\n");
}

static void what_waits_in_vain_is_told_at_the_end(void **state)
{
    static const struct piece said[] = {
        SAYS(UP, CONNECT),
        SAYS(DOWN, CONNACK),
        SAYS(UP, "\x32\7\0\1t\0\3hi\x34\7\0\1t\0\4hi"),
        SAYS(DOWN, "\x40\2\0\7\x50\2\0\4"),
    };
    (void)state;
    ASSERT_TOLD({0}, said,
                CONNECTED "3 mqtt < 4 #7\n"
                          "1 mqtt > 3 qos1 #3 t (2) unfinished\n"
                          "2 mqtt > 3 qos2 #4 t (2) < 5 #4 unfinished\n");
}

static void passwords_are_not_even_kept_unless_they_are_to_be(void **state)
{
    static const struct piece said[] = {
        SAYS(UP, "\x10\x16\0\4MQTT\4\xc2\0\x3c\0\0\0\2us\0\4s3cr"),
        SAYS(DOWN, CONNACK),
    };
    static const struct piece token[] = {
        SAYS(UP, "\x10\x12\0\4MQTT\4\x82\0\x3c\0\0\0\4s3cr"),
        SAYS(DOWN, CONNACK),
    };
    static const struct piece five[] = {
        SAYS(UP, "\x10\x24\0\4MQTT\5\2\0\x3c\x15\x16\0\4s3cr"
                 "\x26\0\4name\0\5value\0\2id"),
        SAYS(DOWN, "\x20\3\0\0\0"),
    };
    (void)state;
    ASSERT_TOLD({0}, said, "0 mqtt > 1 MQTT 4 flags c2 id  user us password - < 2 code 0\n");
    ASSERT_TOLD({.keep_credentials = true}, said,
                "0 mqtt > 1 MQTT 4 flags c2 id  user us password s3cr < 2 code 0\n");
    ASSERT_TOLD({0}, token,
                "0 mqtt > 1 MQTT 4 flags 82 id  user (redacted) password - < 2 code 0\n");
    ASSERT_TOLD({0}, five,
                "0 mqtt > 1 MQTT 5 flags 02 id id user - password - "
                "{authentication_data=(redacted)} {name=value} < 2 code 0\n");
    ASSERT_TOLD({.keep_credentials = true}, five,
                "0 mqtt > 1 MQTT 5 flags 02 id id user - password - "
                "{authentication_data=s3cr} {name=value} < 2 code 0\n");
}

static void a_publication_that_is_refused_ends_there(void **state)
{
    static const struct piece said[] = {
        SAYS(UP, "\x10\x0f\0\4MQTT\5\2\0\x3c\0\0\2id"),
        SAYS(DOWN, "\x20\3\0\0\0"),
        SAYS(UP, "\x34\x08\0\1t\0\4\0hi"),
        SAYS(DOWN, "\x50\4\0\4\x97\0\xe0\2\x8e\0"),
    };
    (void)state;
    ASSERT_TOLD({0}, said,
                "0 mqtt > 1 MQTT 5 flags 02 id id user - password - < 2 code 0\n"
                "1 mqtt > 3 qos2 #4 t (2) < 5 #4 code 151\n"
                "2 mqtt < 14 code 142\n");
}

static void what_is_no_mqtt_ends_it_with_a_note(void **state)
{
    static const struct {
        struct piece said[3];
        const char *expected;
    } samples[] = {
        {{SAYS(UP, CONNECT), SAYS(DOWN, CONNACK), SAYS(UP, CONNECT)},
         CONNECTED "1 mqtt gives up on the client: an MQTT CONNECT out of place\n"},
        {{SAYS(UP, CONNECT), SAYS(DOWN, CONNACK), SAYS(DOWN, "\0\0")},
         CONNECTED "1 mqtt gives up on the server: an MQTT packet of type 0\n"},
        {{SAYS(UP, CONNECT), SAYS(DOWN, CONNACK), SAYS(DOWN, "\x40\1\0")},
         CONNECTED "1 mqtt gives up on the server: an MQTT packet of type 4 is malformed\n"},
        {{SAYS(UP, CONNECT), SAYS(DOWN, CONNACK), SAYS(UP, "\x30\xff\xff\xff\xff")},
         CONNECTED "1 mqtt gives up on the client: the length of an MQTT packet is malformed\n"},
        {{SAYS(UP, "\x10\x0e\0\4MQTT\6\2\0\x3c\0\2id"), SAYS(UP, ""), SAYS(UP, "")},
         "0 mqtt gives up on the client: an MQTT packet of type 1 is malformed\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        ASSERT_TOLD({0}, samples[i].said, samples[i].expected);
}

/* More wait than may, and each is as long as may be kept. */
static void memory_has_a_limit_whatever_waits(void **state)
{
    static uint8_t bytes[5 + 200000] = "\x32\xbd\x9a\x0c\0\1t\0";
    struct listening listening = {0};
    (void)state;
    listen_start(&listening, &(struct tap_options){.bodies = 65536}, "", 1883);
    listen_to(&listening, UP, CONNECT, sizeof(CONNECT) - 1, 100);
    for (int i = 0; i < 3 * MQTT_WAITING; i++) {
        bytes[8] = (uint8_t)i;
        listen_to(&listening, UP, bytes, 4 + 200000 - 3, 16384);
    }
    assert_true(listening.tap->untold > 0);
    assert_true(listening.tap->kind != NULL);
    assert_true(listening.most_memory > TAP_MEMORY / 2);
    listen_end(&listening);
    free(listening.told);
}

static void what_is_long_and_no_message_is_told_as_truncated(void **state)
{
    static uint8_t bytes[3 + 10000] = "\x82\x90\x4e\0\7\0\1t\1";
    struct listening listening = {0};
    (void)state;
    for (size_t at = 5; at + 4 <= sizeof(bytes); at += 4)
        memcpy(bytes + at, "\0\1t\1", 4);
    listen_start(&listening, &(struct tap_options){0}, "", 1883);
    listen_to(&listening, UP, CONNECT, sizeof(CONNECT) - 1, 100);
    listen_to(&listening, DOWN, CONNACK, sizeof(CONNACK) - 1, 100);
    listen_to(&listening, UP, bytes, sizeof(bytes), 999);
    listen_end(&listening);
    assert_string_equal(listening.told, CONNECTED "1 mqtt > 8 qos1 truncated 10000 unfinished\n");
    free(listening.told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_told_with_what_answers_them),
        cmocka_unit_test(messages_are_told_as_far_as_they_are_asked_for),
        cmocka_unit_test(what_waits_in_vain_is_told_at_the_end),
        cmocka_unit_test(passwords_are_not_even_kept_unless_they_are_to_be),
        cmocka_unit_test(a_publication_that_is_refused_ends_there),
        cmocka_unit_test(what_is_no_mqtt_ends_it_with_a_note),
        cmocka_unit_test(memory_has_a_limit_whatever_waits),
        cmocka_unit_test(what_is_long_and_no_message_is_told_as_truncated),
    };
    return cmocka_run_group_tests_name("tap/mqtt_tap", tests, NULL, NULL);
}
