/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/dns_told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../policy/dns_message.h"
#include "tap/dns_packet.h"

enum { DNS_NS = 2, DNS_SOA = 6, DNS_WKS = 11, DNS_MX = 15, DNS_SRV = 33, DNS_CAA = 257 };

/* From memory of its own, so that a sanitizer sees a read past its end. */
static bool told_init(struct dns_told *told, const struct dns_bytes *message)
{
    uint8_t *exact = malloc(message->length);
    assert_non_null(exact);
    memcpy(exact, message->at, message->length);
    bool is_one = dns_told_init(told, exact, message->length);
    free(exact);
    return is_one;
}

static void a_query_is_told_with_its_question(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    (void)state;
    start(&message, DNS_QUERY, "a.test", DNS_HTTPS);
    assert_true(told_init(&told, &message));
    assert_false(told.event.is_answer);
    assert_int_equal(told.event.id, DNS_NUMBER);
    assert_int_equal(told.event.flags, DNS_QUERY);
    assert_true(text_is(told.event.name, "a.test") && text_is(told.event.type, "HTTPS"));
    dns_told_fini(&told);
    start(&message, DNS_QUERY, "", DNS_NS);
    assert_true(told_init(&told, &message));
    assert_true(told.event.name.at != NULL && told.event.name.length == 0);
    dns_told_fini(&told);
}

static void names_stand_without_their_last_dot(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    (void)state;
    start(&message, DNS_ANSWER, "a.test", DNS_MX);
    put_record(&message, NULL, DNS_CNAME, 5, "\1b\4test", 8);
    put_record(&message, "b.test", DNS_MX, 6, "\0\x0a\2mx\4test", 11);
    assert_true(told_init(&told, &message));
    assert_int_equal(told.event.answer_count, 2);
    const struct dns_record *alias = &told.answers[0], *mail = &told.answers[1];
    assert_true(text_is(alias->name, "a.test") && text_is(alias->type, "CNAME"));
    assert_int_equal(alias->ttl, 5);
    assert_true(text_is(alias->data, "b.test"));
    assert_true(text_is(mail->name, "b.test") && text_is(mail->data, "mx.test"));
    dns_told_fini(&told);
}

static void soa_and_srv_are_told_by_their_parts(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    (void)state;
    start(&message, DNS_ANSWER, "a.test", DNS_SOA);
    put_record(&message, NULL, DNS_SOA, 5, "\1m\0\1r\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5",
               26);
    put_record(&message, NULL, DNS_SRV, 5, "\0\1\0\2\1\xbb\1s\0", 9);
    assert_true(told_init(&told, &message));
    const struct dns_record *soa = &told.answers[0], *srv = &told.answers[1];
    assert_true(text_is(soa->names[0], "m") && text_is(soa->names[1], "r"));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(soa->numbers[i], i + 1);
    assert_null(soa->data.at);
    assert_int_equal(srv->numbers[0], 1);
    assert_int_equal(srv->numbers[1], 2);
    assert_int_equal(srv->numbers[2], 443);
    assert_true(text_is(srv->names[0], "s"));
    dns_told_fini(&told);
}

static void strings_of_a_text_are_put_together(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    (void)state;
    start(&message, DNS_ANSWER, "a.test", DNS_TXT);
    put_record(&message, NULL, DNS_TXT, 5, "\3one\0\4 two", 10);
    assert_true(told_init(&told, &message));
    assert_true(text_is(told.answers[0].data, "one two"));
    dns_told_fini(&told);
}

static void what_is_more_or_longer_than_is_kept_is_cut(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    char strings[5 * 256];
    (void)state;
    start(&message, DNS_ANSWER, "a.test", DNS_A);
    for (int i = 0; i <= DNS_RECORDS; i++)
        put_record(&message, NULL, DNS_A, 5, "\xc0\0\2\1", 4);
    assert_true(told_init(&told, &message));
    assert_int_equal(told.event.answer_count, DNS_RECORDS);
    assert_true(told.event.cut);
    dns_told_fini(&told);
    memset(strings, 'x', sizeof(strings));
    for (size_t i = 0; i < sizeof(strings); i += 256)
        strings[i] = (char)255;
    start(&message, DNS_ANSWER, "a.test", DNS_TXT);
    put_record(&message, NULL, DNS_TXT, 5, strings, sizeof(strings));
    assert_true(told_init(&told, &message));
    assert_int_equal(told.answers[0].data.length, DNS_TEXT);
    assert_true(told.event.cut);
    dns_told_fini(&told);
}

static void assert_data(uint32_t type, const char *bytes, size_t length, const char *expected)
{
    struct dns_bytes message;
    struct dns_told told;
    start(&message, DNS_ANSWER, "a.test", type);
    put_record(&message, NULL, type, 5, bytes, length);
    assert_true(told_init(&told, &message));
    assert_true(text_is(told.answers[0].data, expected));
    dns_told_fini(&told);
}

/* Of WKS each bit is a service, and would be looked up. */
static void what_is_not_put_into_words_is_told_in_bytes(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    char services[4000];
    (void)state;
    assert_data(DNS_CAA, "\0\5issueca.test", 14, "0 issue \"ca.test\"");
    assert_data(999, "\1\xff", 2, "\\# 2 01ff");
    assert_data(999, "", 0, "");
    assert_data(DNS_WKS, "\xc0\0\2\1\6\xff", 6, "\\# 6 c000020106ff");
    memset(services, 0xff, sizeof(services));
    start(&message, DNS_ANSWER, "a.test", DNS_WKS);
    put_record(&message, NULL, DNS_WKS, 5, services, sizeof(services));
    assert_true(told_init(&told, &message));
    assert_int_equal(told.answers[0].data.length, DNS_TEXT);
    assert_memory_equal(told.answers[0].data.at, "\\# 4000 ffff", 12);
    assert_true(told.event.cut);
    dns_told_fini(&told);
}

/* A name of 253 bytes, each of which is told as "\001", in records of 12. */
static void short_messages_do_not_become_long_texts(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    size_t length = 0;
    char name[254] = "";
    (void)state;
    memset(name, 1, sizeof(name) - 1);
    name[63] = name[127] = name[191] = '.';
    start(&message, DNS_ANSWER, name, DNS_CNAME);
    for (int i = 0; i < DNS_RECORDS; i++)
        put_record(&message, NULL, DNS_CNAME, 5, "\xc0\x0c", 2);
    assert_true(told_init(&told, &message));
    assert_in_range(told.event.answer_count, 4, DNS_RECORDS / 2);
    assert_true(told.event.cut);
    length += told.event.name.length + told.event.type.length;
    for (size_t i = 0; i < told.event.answer_count; i++)
        length +=
            told.answers[i].name.length + told.answers[i].type.length + told.answers[i].data.length;
    assert_in_range(length, DNS_TEXTS - 100, DNS_TEXTS);
    dns_told_fini(&told);
}

static void what_is_no_message_is_none(void **state)
{
    struct dns_bytes message;
    struct dns_told told;
    (void)state;
    start(&message, DNS_QUERY, "a.test", DNS_A);
    message.length--;
    assert_false(told_init(&told, &message));
    dns_told_fini(&told);
    start(&message, DNS_QUERY, "a.test", DNS_A);
    message.at[12] = 0xc0; /* a name that points at itself */
    message.at[13] = 12;
    assert_false(told_init(&told, &message));
    dns_told_fini(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_told_with_its_question),
        cmocka_unit_test(names_stand_without_their_last_dot),
        cmocka_unit_test(soa_and_srv_are_told_by_their_parts),
        cmocka_unit_test(strings_of_a_text_are_put_together),
        cmocka_unit_test(what_is_more_or_longer_than_is_kept_is_cut),
        cmocka_unit_test(what_is_not_put_into_words_is_told_in_bytes),
        cmocka_unit_test(short_messages_do_not_become_long_texts),
        cmocka_unit_test(what_is_no_message_is_none),
    };
    return cmocka_run_group_tests_name("tap/dns_told", tests, NULL, NULL);
}
