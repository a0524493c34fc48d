/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/dns_tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../policy/dns_message.h"
#include "listening.h"
#include "tap/dns_packet.h"

#define UP true
#define DOWN false

/* What is said in both directions, in this order. */
static struct {
    struct dns_bytes bytes;
    struct {
        bool up;
        size_t end;
    } pieces[300];
    size_t count;
} talk;

/* A message with its length in front. */
static void say(bool up, const struct dns_bytes *message)
{
    put_number(&talk.bytes, (uint32_t)message->length, 2);
    put(&talk.bytes, message->at, message->length);
    talk.pieces[talk.count].up = up;
    talk.pieces[talk.count++].end = talk.bytes.length;
}

static void ask(uint16_t number, const char *name)
{
    struct dns_bytes message;
    start(&message, DNS_QUERY, name, DNS_A);
    message.at[0] = (uint8_t)(number >> 8);
    message.at[1] = (uint8_t)number;
    say(UP, &message);
}

static void answer(uint16_t number, const char *name)
{
    struct dns_bytes message;
    start(&message, DNS_ANSWER, name, DNS_A);
    put_record(&message, NULL, DNS_A, 300, "\xc0\0\2\1", 4);
    message.at[0] = (uint8_t)(number >> 8);
    message.at[1] = (uint8_t)number;
    say(DOWN, &message);
}

static char *hear_all(size_t cut)
{
    struct listening listening = {0};
    size_t at = 0;
    listen_start(&listening, &(struct tap_options){0}, "dot", 853);
    for (size_t i = 0; i < talk.count; i++) {
        listen_to(&listening, talk.pieces[i].up, talk.bytes.at + at, talk.pieces[i].end - at, cut);
        at = talk.pieces[i].end;
    }
    listen_end(&listening);
    return listening.told;
}

static void assert_told(const char *expected)
{
    for (size_t cut = 1; cut < 10000; cut = cut * 3 + 1) {
        char *told = hear_all(cut);
        assert_string_equal(told, expected);
        free(told);
    }
    talk.count = talk.bytes.length = 0;
}

static void answers_have_the_number_of_their_query_in_any_order(void **state)
{
    (void)state;
    ask(0x0a, "a.test");
    ask(0x0b, "b.test");
    answer(0x0b, "b.test");
    answer(0x0a, "a.test");
    assert_told("0 dns query 000a flags 0100 a.test A\n"
                "1 dns query 000b flags 0100 b.test A\n"
                "1 dns answer 000b flags 8180 b.test A | b.test A 300 192.0.2.1 after 0\n"
                "0 dns answer 000a flags 8180 a.test A | a.test A 300 192.0.2.1 after 0\n");
}

static void an_answer_that_nobody_asked_for_has_its_own(void **state)
{
    (void)state;
    ask(1, "a.test");
    answer(2, "b.test");
    answer(1, "a.test");
    answer(1, "a.test");
    assert_told("0 dns query 0001 flags 0100 a.test A\n"
                "1 dns answer 0002 flags 8180 b.test A | b.test A 300 192.0.2.1\n"
                "0 dns answer 0001 flags 8180 a.test A | a.test A 300 192.0.2.1 after 0\n"
                "2 dns answer 0001 flags 8180 a.test A | a.test A 300 192.0.2.1\n");
}

/* The newest queries count. */
static void only_so_many_queries_are_remembered(void **state)
{
    (void)state;
    for (uint16_t i = 0; i <= DNS_QUERIES; i++)
        ask(i, "a.test");
    answer(0, "a.test");
    answer(1, "a.test");
    char *told = hear_all(1000);
    assert_non_null(strstr(told, "\n65 dns answer 0000 flags 8180 a.test A | a.test A 300 "
                                 "192.0.2.1\n1 dns answer 0001"));
    free(told);
    talk.count = talk.bytes.length = 0;
}

static void of_a_long_message_the_question_is_told(void **state)
{
    struct dns_bytes message;
    (void)state;
    start(&message, DNS_ANSWER, "a.test", DNS_TXT);
    for (int i = 0; i < 1000; i++)
        put_record(&message, NULL, DNS_TXT, 300, "\4text", 5);
    assert_true(message.length > DNS_MESSAGE_LIMIT);
    say(DOWN, &message);
    answer(1, "a.test");
    assert_told("0 dns answer 1234 flags 8180 a.test TXT cut\n"
                "1 dns answer 0001 flags 8180 a.test A | a.test A 300 192.0.2.1\n");
}

static void what_is_no_message_ends_it_with_a_note(void **state)
{
    struct dns_bytes message;
    (void)state;
    ask(1, "a.test");
    start(&message, DNS_ANSWER, "a.test", DNS_A);
    put_record(&message, NULL, DNS_A, 300, "\xc0\0\2\1", 4);
    message.length--;
    say(DOWN, &message);
    ask(2, "a.test");
    assert_told("0 dns query 0001 flags 0100 a.test A\n"
                "1 dns gives up on the server: a DNS message is malformed\n");
    message.length = 11;
    say(UP, &message);
    assert_told("0 dns gives up on the client: a DNS message of 11 bytes\n");
}

/* It is known by its first bytes, on any port. */
static void it_is_known_without_a_port(void **state)
{
    (void)state;
    ask(1, "a.test");
    struct listening listening = {0};
    listen_start(&listening, &(struct tap_options){0}, "", 4711);
    listen_to(&listening, UP, talk.bytes.at, talk.bytes.length, 5);
    listen_end(&listening);
    assert_string_equal(listening.told, "0 dns query 0001 flags 0100 a.test A\n");
    free(listening.told);
    talk.count = talk.bytes.length = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_have_the_number_of_their_query_in_any_order),
        cmocka_unit_test(an_answer_that_nobody_asked_for_has_its_own),
        cmocka_unit_test(only_so_many_queries_are_remembered),
        cmocka_unit_test(of_a_long_message_the_question_is_told),
        cmocka_unit_test(what_is_no_message_ends_it_with_a_note),
        cmocka_unit_test(it_is_known_without_a_port),
    };
    return cmocka_run_group_tests_name("tap/dns_tap", tests, NULL, NULL);
}
