/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns_bytes.h"
#include "policy/dns.h"

static struct dns_bytes bytes;
static struct dns_message message;

/* The bytes stand alone in memory, so that AddressSanitizer sees a read behind them. */
static bool read_bytes(size_t length)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    assert_non_null(exact);
    memcpy(exact, bytes.at, length);
    bool good = dns_read(&message, exact, length);
    free(exact);
    return good;
}

static void start_answer(const char *name, unsigned type)
{
    put_message(&bytes, 0x1234, DNS_ANSWER, name, type);
}

/* "192.0.2.1/60 192.0.2.2/30": what the message tells. */
static void assert_addresses(const char *expected)
{
    char text[4096] = "", ip[INET6_ADDRSTRLEN];
    size_t length = 0;
    assert_true(read_bytes(bytes.length));
    for (size_t i = 0; i < message.address_count; i++)
        length += (size_t)snprintf(
            text + length, sizeof(text) - length, "%s%s/%u", i > 0 ? " " : "",
            address_ip_text(&message.addresses[i].address, ip), message.addresses[i].ttl);
    assert_string_equal(text, expected);
}

static void a_query_has_a_number_a_name_and_a_type(void **state)
{
    (void)state;
    put_message(&bytes, 0xbeef, DNS_QUERY, "WWW.Example.test", DNS_AAAA);
    assert_true(read_bytes(bytes.length));
    assert_false(message.is_answer);
    assert_int_equal(message.id, 0xbeef);
    assert_int_equal(message.type, DNS_AAAA);
    assert_string_equal(message.name, "www.example.test");
    assert_int_equal(message.address_count, 0);
}

static void an_answer_has_addresses_of_both_families(void **state)
{
    (void)state;
    start_answer("a.test", DNS_A);
    put_address(&bytes, "a.test", "192.0.2.1", 60);
    put_address(&bytes, "A.TEST", "2001:db8::1", 30);
    assert_addresses("192.0.2.1/60 2001:db8::1/30");
    assert_true(message.is_answer);
}

static void aliases_are_followed_in_whatever_order_they_stand(void **state)
{
    (void)state;
    start_answer("www.a.test", DNS_A);
    put_address(&bytes, "edge.cdn.test", "192.0.2.1", 60);
    put_alias(&bytes, "a.cdn.test", "edge.cdn.test", 20);
    put_alias(&bytes, "www.a.test", "a.cdn.test", 300);
    assert_addresses("192.0.2.1/20"); /* the shortest on the way */
    assert_string_equal(message.name, "www.a.test");
}

static void what_does_not_lead_from_the_question_is_not_told(void **state)
{
    (void)state;
    start_answer("a.test", DNS_A);
    put_address(&bytes, "b.test", "192.0.2.9", 60);
    put_alias(&bytes, "c.test", "d.test", 60);
    put_address(&bytes, "d.test", "192.0.2.8", 60);
    assert_addresses("");
}

static void a_circle_of_aliases_ends(void **state)
{
    (void)state;
    start_answer("a.test", DNS_A);
    put_alias(&bytes, "a.test", "b.test", 60);
    put_alias(&bytes, "b.test", "a.test", 60);
    put_alias(&bytes, "b.test", "b.test", 60);
    put_address(&bytes, "b.test", "192.0.2.1", 60);
    assert_addresses("192.0.2.1/60");
}

static void a_chain_has_an_end(void **state)
{
    (void)state;
    char owner[16], target[16];
    start_answer("n0.test", DNS_A);
    for (int i = 0; i < 40; i++) {
        snprintf(owner, sizeof(owner), "n%d.test", i);
        snprintf(target, sizeof(target), "n%d.test", i + 1);
        put_alias(&bytes, owner, target, 60);
    }
    put_address(&bytes, "n15.test", "192.0.2.15", 60);
    put_address(&bytes, "n16.test", "192.0.2.16", 60);
    assert_addresses("192.0.2.15/60"); /* sixteen names with the first one */
}

static void an_address_that_stands_twice_is_one(void **state)
{
    (void)state;
    start_answer("a.test", DNS_A);
    put_address(&bytes, "a.test", "192.0.2.1", 60);
    put_address(&bytes, "a.test", "192.0.2.1", 30);
    assert_addresses("192.0.2.1/60");
}

static void a_time_to_live_is_a_week_at_most(void **state)
{
    (void)state;
    start_answer("a.test", DNS_A);
    put_address(&bytes, "a.test", "192.0.2.1", 0x7fffffff);
    assert_addresses("192.0.2.1/604800");
}

static void no_more_addresses_than_there_is_room_for(void **state)
{
    (void)state;
    char ip[32];
    start_answer("a.test", DNS_A);
    for (int i = 0; i < 100; i++) {
        snprintf(ip, sizeof(ip), "192.0.2.%d", i);
        put_address(&bytes, "a.test", ip, 60);
    }
    assert_true(read_bytes(bytes.length));
    assert_int_equal(message.address_count, DNS_ADDRESSES);
}

/* RFC 9460: priority, target, alpn, port, both hints. */
static void the_hints_of_https_records_are_addresses(void **state)
{
    (void)state;
    start_answer("a.test", DNS_HTTPS);
    size_t start = begin_record(&bytes, "a.test", DNS_HTTPS, 120);
    put_u16(&bytes, 1);
    put_name(&bytes, "");
    put_u16(&bytes, 1); /* alpn */
    put_u16(&bytes, 3);
    put_bytes(&bytes, "\2h3", 3);
    put_u16(&bytes, 4); /* ipv4hint */
    put_u16(&bytes, 8);
    put_ip(&bytes, "192.0.2.1");
    put_ip(&bytes, "192.0.2.2");
    put_u16(&bytes, 6); /* ipv6hint */
    put_u16(&bytes, 16);
    put_ip(&bytes, "2001:db8::1");
    end_record(&bytes, start);
    assert_addresses("192.0.2.1/120 192.0.2.2/120 2001:db8::1/120");
}

static void an_https_record_may_be_an_alias(void **state)
{
    (void)state;
    start_answer("a.test", DNS_HTTPS);
    size_t start = begin_record(&bytes, "a.test", DNS_HTTPS, 60);
    put_u16(&bytes, 0);
    put_name(&bytes, "pool.test");
    end_record(&bytes, start);
    put_address(&bytes, "pool.test", "192.0.2.3", 50);
    assert_addresses("192.0.2.3/50");
}

static void an_error_or_half_an_answer_has_no_addresses(void **state)
{
    (void)state;
    start_answer("a.test", DNS_A);
    put_address(&bytes, "a.test", "192.0.2.1", 60);
    bytes.at[3] = 0x83; /* NXDOMAIN */
    assert_addresses("");
    bytes.at[3] = 0x80;
    assert_addresses("192.0.2.1/60");
    bytes.at[2] |= 2; /* TC */
    assert_addresses("");
}

static void names_that_are_no_host_names_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"",           "a b.test", "a\x01.test",
                                        "a\xff.test", "a/b.test", "a\"b.test"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        start_answer(names[i], DNS_A);
        put_address(&bytes, names[i], "192.0.2.1", 60);
        assert_false(read_bytes(bytes.length));
    }
    start_answer("_dns.a-b_c.test", DNS_A);
    assert_true(read_bytes(bytes.length));
}

static void other_messages_are_none_of_ours(void **state)
{
    (void)state;
    put_message(&bytes, 1, DNS_QUERY | 0x2800, "a.test", DNS_A); /* UPDATE */
    assert_false(read_bytes(bytes.length));
    put_message(&bytes, 1, DNS_QUERY, "a.test", DNS_A);
    bytes.at[5] = 0; /* no question */
    assert_false(read_bytes(12));
    start_answer("a.test", DNS_A);
    memset(bytes.at + bytes.length, 0, DNS_MESSAGE_LIMIT);
    assert_false(read_bytes(DNS_MESSAGE_LIMIT + 1));
}

static void a_message_may_be_cut_anywhere(void **state)
{
    (void)state;
    start_answer("www.a.test", DNS_A);
    put_alias(&bytes, "www.a.test", "a.test", 60);
    put_address(&bytes, "a.test", "192.0.2.1", 60);
    for (size_t length = 0; length < bytes.length; length++)
        assert_false(read_bytes(length));
    assert_true(read_bytes(bytes.length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_has_a_number_a_name_and_a_type),
        cmocka_unit_test(an_answer_has_addresses_of_both_families),
        cmocka_unit_test(aliases_are_followed_in_whatever_order_they_stand),
        cmocka_unit_test(what_does_not_lead_from_the_question_is_not_told),
        cmocka_unit_test(a_circle_of_aliases_ends),
        cmocka_unit_test(a_chain_has_an_end),
        cmocka_unit_test(an_address_that_stands_twice_is_one),
        cmocka_unit_test(a_time_to_live_is_a_week_at_most),
        cmocka_unit_test(no_more_addresses_than_there_is_room_for),
        cmocka_unit_test(the_hints_of_https_records_are_addresses),
        cmocka_unit_test(an_https_record_may_be_an_alias),
        cmocka_unit_test(an_error_or_half_an_answer_has_no_addresses),
        cmocka_unit_test(names_that_are_no_host_names_are_refused),
        cmocka_unit_test(other_messages_are_none_of_ours),
        cmocka_unit_test(a_message_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests_name("policy/dns", tests, NULL, NULL);
}
