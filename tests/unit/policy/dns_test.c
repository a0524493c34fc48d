/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns_message.h"
#include "policy/dns.h"
#include "tap/dns_packet.h"

#include <stdlib.h>

static struct dns_bytes bytes;
static struct dns_message message;

/* In memory of its own, so that a sanitizer sees a read behind its end. */
static bool read_bytes(size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes.at, length);
    const bool good = dns_read(&message, copy, length);
    free(copy);
    return good;
}

/* The addresses with their TTLs, separated by blanks. */
static void assert_addresses(const char *expected)
{
    char text[DNS_ADDRESSES * 64] = "", ip[INET6_ADDRSTRLEN];
    assert_true(read_bytes(bytes.length));
    for (size_t i = 0; i < message.address_count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%u", i > 0 ? " " : "",
                 address_ip_text(&message.addresses[i].address, ip),
                 (unsigned)message.addresses[i].ttl);
    assert_string_equal(text, expected);
}

static void a_query_tells_its_number_and_what_it_asks_for(void **state)
{
    (void)state;
    start(&bytes, DNS_QUERY, "a.Origin-1.test", DNS_AAAA);
    assert_true(read_bytes(bytes.length));
    assert_int_equal(message.id, DNS_NUMBER);
    assert_false(message.is_answer);
    assert_string_equal(message.name, "a.origin-1.test");
    assert_int_equal(message.type, DNS_AAAA);
    assert_int_equal(message.address_count, 0);
}

static void an_answer_tells_the_addresses_of_its_name(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "A.TEST", DNS_A);
    put_address(&bytes, NULL, "192.0.2.1", 60);
    put_address(&bytes, "a.test", "192.0.2.2", 0);
    put_address(&bytes, "a.TEST", "2001:db8::1", 300);
    assert_addresses("192.0.2.1=60 192.0.2.2=0 2001:db8::1=300");
    assert_true(message.is_answer);
    assert_string_equal(message.name, "a.test");
}

static void an_address_that_is_told_twice_is_one(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, NULL, "192.0.2.1", 60);
    put_address(&bytes, NULL, "192.0.2.1", 90);
    assert_addresses("192.0.2.1=60");
}

static void aliases_lead_to_addresses_with_the_shortest_ttl(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_alias(&bytes, NULL, "b.test", 30);
    put_alias(&bytes, "b.test", "C.test", 90);
    put_address(&bytes, "c.test", "192.0.2.1", 60);
    put_address(&bytes, "c.test", "192.0.2.2", 10);
    assert_addresses("192.0.2.1=30 192.0.2.2=10");
    assert_string_equal(message.name, "a.test");
}

static void records_may_stand_in_any_order(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, "c.test", "192.0.2.1", 60);
    put_alias(&bytes, "b.test", "c.test", 90);
    put_alias(&bytes, NULL, "b.test", 30);
    assert_addresses("192.0.2.1=30");
}

static void what_the_question_does_not_lead_to_is_not_told(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, "b.test", "192.0.2.1", 60);
    put_address(&bytes, "xa.test", "192.0.2.2", 60);
    put_address(&bytes, "test", "192.0.2.3", 60);
    put_address(&bytes, "a.test.test", "192.0.2.4", 60);
    put_address(&bytes, "a.tes", "192.0.2.5", 60);
    put_address(&bytes, "a-test", "192.0.2.6", 60);
    put_address(&bytes, "", "192.0.2.7", 60);
    put_alias(&bytes, "c.test", "a.test", 60);
    put_address(&bytes, "c.test", "192.0.2.8", 60);
    assert_addresses("");
}

/* "-" is the length of a label of 45 bytes. */
static void a_label_is_not_mistaken_for_text(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "a-%s.test", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    start(&bytes, DNS_ANSWER, name, DNS_A);
    name[1] = '.';
    put_address(&bytes, name, "192.0.2.1", 60);
    assert_addresses("");
    start(&bytes, DNS_ANSWER, name, DNS_A);
    put_address(&bytes, name, "192.0.2.2", 60);
    name[1] = '-';
    put_address(&bytes, name, "192.0.2.1", 60);
    assert_addresses("192.0.2.2=60");
}

static void aliases_that_go_round_end(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_alias(&bytes, NULL, "b.test", 60);
    put_alias(&bytes, "b.test", "a.test", 60);
    put_alias(&bytes, NULL, "a.test", 60);
    put_address(&bytes, "b.test", "192.0.2.1", 60);
    assert_addresses("192.0.2.1=60");
}

static void aliases_are_followed_so_far_and_no_further(void **state)
{
    (void)state;
    for (unsigned last = DNS_ALIASES - 1; last <= DNS_ALIASES; last++) {
        char name[16] = "n0.test", next[16];
        start(&bytes, DNS_ANSWER, name, DNS_A);
        for (unsigned i = 1; i <= last; i++) {
            snprintf(next, sizeof(next), "n%u.test", i);
            put_alias(&bytes, name, next, 60);
            memcpy(name, next, sizeof(name));
        }
        put_address(&bytes, name, "192.0.2.1", 60);
        assert_addresses(last < DNS_ALIASES ? "192.0.2.1=60" : "");
    }
}

static void put_parameter(struct dns_bytes *data, uint32_t key, const void *value, size_t length)
{
    put_number(data, key, 2);
    put_number(data, (uint32_t)length, 2);
    put(data, value, length);
}

/* A record of RFC 9460 with hints of one address and of two. */
static void put_service(const char *owner, uint32_t type, uint32_t priority, const char *target)
{
    static struct dns_bytes data;
    struct address one, two;
    uint8_t both[32];
    assert_true(address_ip_parse(&one, "192.0.2.1") && address_ip_parse(&two, "2001:db8::1"));
    memcpy(both, &two.ip, 16);
    memcpy(both + 16, &two.ip, 16);
    both[31] = 2;
    data.length = 0;
    put_number(&data, priority, 2);
    put_name(&data, target);
    put_parameter(&data, 1, "\2h3", 3);
    put_parameter(&data, 4, &one.ip, 4);
    put_parameter(&data, 6, both, 32);
    put_record(&bytes, owner, type, 60, data.at, data.length);
}

static void the_hints_of_https_and_svcb_records_are_addresses(void **state)
{
    (void)state;
    static const uint32_t types[] = {DNS_HTTPS, DNS_SVCB};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        start(&bytes, DNS_ANSWER, "a.test", types[i]);
        put_service(NULL, types[i], 1, "");
        assert_addresses("192.0.2.1=60 2001:db8::1=60 2001:db8::2=60");
    }
}

static void https_records_lead_to_other_names(void **state)
{
    (void)state;
    static struct dns_bytes data;
    start(&bytes, DNS_ANSWER, "a.test", DNS_HTTPS);
    data.length = 0;
    put_number(&data, 0, 2); /* an alias */
    put_name(&data, "b.test");
    put_record(&bytes, NULL, DNS_HTTPS, 30, data.at, data.length);
    put_service("b.test", DNS_HTTPS, 1, "c.test");
    put_address(&bytes, "c.test", "192.0.2.9", 90);
    assert_addresses("192.0.2.1=30 2001:db8::1=30 2001:db8::2=30 192.0.2.9=30");
}

static void hints_that_are_cut_tell_whole_addresses_only(void **state)
{
    (void)state;
    static struct dns_bytes data;
    start(&bytes, DNS_ANSWER, "a.test", DNS_HTTPS);
    data.length = 0;
    put_number(&data, 1, 2);
    put_name(&data, "");
    put_parameter(&data, 4, "\300\0\2\1\300\0", 6);
    put_parameter(&data, 6, "short", 5);
    put_number(&data, 4, 2);
    put_number(&data, 400, 2); /* behind the end */
    put(&data, "\300\0\2\2", 4);
    put_record(&bytes, NULL, DNS_HTTPS, 60, data.at, data.length);
    assert_addresses("192.0.2.1=60");
}

static void additional_records_count_like_answers(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_HTTPS);
    put_service(NULL, DNS_HTTPS, 1, "b.test");
    put_address(&bytes, "b.test", "192.0.2.9", 60);
    bytes.at[7]--;
    count_record(&bytes, true);
    assert_addresses("192.0.2.1=60 2001:db8::1=60 2001:db8::2=60 192.0.2.9=60");
}

static void other_records_and_classes_tell_nothing(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_record(&bytes, NULL, DNS_TXT, 60, "\3\300\0\2", 4);
    put_record(&bytes, NULL, DNS_A, 60, "\300\0\2\1", 4);
    bytes.at[bytes.length - 11] = 3; /* class CH */
    assert_addresses("");
}

static void an_answer_that_is_cut_short_or_an_error_tells_nothing(void **state)
{
    (void)state;
    for (uint32_t rcode = 1; rcode < 16; rcode++) {
        start(&bytes, DNS_ANSWER | rcode, "a.test", DNS_A);
        put_address(&bytes, NULL, "192.0.2.1", 60);
        assert_addresses("");
    }
    start(&bytes, DNS_ANSWER | DNS_CUT, "a.test", DNS_A);
    put_address(&bytes, NULL, "192.0.2.1", 60);
    assert_addresses("");
}

static void a_query_with_answers_tells_nothing(void **state)
{
    (void)state;
    start(&bytes, DNS_QUERY, "a.test", DNS_A);
    put_address(&bytes, NULL, "192.0.2.1", 60);
    assert_addresses("");
}

static void what_is_no_question_for_one_name_is_refused(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER | 0x2800, "a.test", DNS_A); /* an update */
    assert_false(read_bytes(bytes.length));
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    bytes.at[5] = 0;
    bytes.length = 12;
    assert_false(read_bytes(bytes.length));
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_name(&bytes, "b.test");
    put_number(&bytes, DNS_A << 16 | 1, 4);
    bytes.at[5] = 2;
    assert_false(read_bytes(bytes.length));
}

static void odd_names_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"",           "a b.test", "a\n.test", "\x1b[2J.test",
                                        "a\xff.test", "a:b.test", "a/b.test", "*.test",
                                        "a\"b.test",  "a\\b.test"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        start(&bytes, DNS_ANSWER, names[i], DNS_A);
        put_address(&bytes, NULL, "192.0.2.1", 60);
        assert_false(read_bytes(bytes.length));
    }
    start(&bytes, DNS_QUERY, "aXb.test", DNS_A);
    bytes.at[14] = '.';
    assert_false(read_bytes(bytes.length));
    bytes.at[14] = '\0';
    assert_false(read_bytes(bytes.length));
    start(&bytes, DNS_QUERY, "_a-b.xn--9-a.test", DNS_A);
    assert_true(read_bytes(bytes.length));
}

static void the_longest_name_is_read_and_no_longer_one(void **state)
{
    (void)state;
    char name[300], label[64];
    memset(label, 'x', 63);
    label[63] = '\0';
    snprintf(name, sizeof(name), "%s.%s.%s.%.61s", label, label, label, label);
    assert_int_equal(strlen(name), DNS_NAME_SIZE - 1);
    start(&bytes, DNS_ANSWER, name, DNS_A);
    put_address(&bytes, NULL, "192.0.2.1", 60);
    put_address(&bytes, name, "192.0.2.2", 60);
    assert_addresses("192.0.2.1=60 192.0.2.2=60");
    assert_string_equal(message.name, name);
    snprintf(name, sizeof(name), "%s.%s.%s.%.62s", label, label, label, label);
    start(&bytes, DNS_ANSWER, name, DNS_A);
    assert_false(read_bytes(bytes.length));
}

static void names_that_point_in_circles_are_refused(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    const size_t here = bytes.length;
    put_number(&bytes, (uint32_t)(0xc000 | here), 2);
    put_number(&bytes, DNS_A << 16 | 1, 4);
    put_number(&bytes, 60, 4);
    put_number(&bytes, 4, 2);
    put(&bytes, "\300\0\2\1", 4);
    count_record(&bytes, false);
    assert_false(read_bytes(bytes.length));
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    memcpy(bytes.at + 12, "\300\014", 2);
    assert_false(read_bytes(bytes.length));
}

static void cut_anywhere_it_is_refused(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_alias(&bytes, NULL, "b.test", 60);
    put_address(&bytes, "b.test", "192.0.2.1", 60);
    assert_addresses("192.0.2.1=60");
    for (size_t length = 0; length < bytes.length; length++)
        assert_false(read_bytes(length));
}

static void addresses_and_ttls_are_bounded(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    for (unsigned i = 0; i < DNS_ADDRESSES + 5; i++) {
        char text[INET_ADDRSTRLEN];
        snprintf(text, sizeof(text), "192.0.2.%u", i);
        put_address(&bytes, NULL, text, INT32_MAX);
    }
    assert_true(read_bytes(bytes.length));
    assert_int_equal(message.address_count, DNS_ADDRESSES);
    assert_int_equal(message.addresses[0].ttl, 7 * 24 * 3600);
}

/* RFC 2181, section 8. */
static void a_ttl_that_would_be_negative_is_none(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, NULL, "192.0.2.1", UINT32_MAX);
    put_address(&bytes, NULL, "192.0.2.2", (uint32_t)INT32_MAX + 1);
    assert_addresses("192.0.2.1=0 192.0.2.2=0");
}

static void a_message_longer_than_any_answer_is_not_read(void **state)
{
    (void)state;
    start(&bytes, DNS_ANSWER, "a.test", DNS_A);
    put_address(&bytes, NULL, "192.0.2.1", 60);
    while (bytes.length + 16 <= DNS_MESSAGE_LIMIT)
        put_address(&bytes, NULL, "192.0.2.1", 60);
    assert_addresses("192.0.2.1=60");
    put_address(&bytes, NULL, "192.0.2.1", 60);
    assert_false(read_bytes(bytes.length));
    while (bytes.length + 16 < sizeof(bytes.at))
        put_address(&bytes, NULL, "192.0.2.1", 60);
    assert_false(read_bytes(bytes.length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_tells_its_number_and_what_it_asks_for),
        cmocka_unit_test(an_answer_tells_the_addresses_of_its_name),
        cmocka_unit_test(an_address_that_is_told_twice_is_one),
        cmocka_unit_test(aliases_lead_to_addresses_with_the_shortest_ttl),
        cmocka_unit_test(records_may_stand_in_any_order),
        cmocka_unit_test(what_the_question_does_not_lead_to_is_not_told),
        cmocka_unit_test(a_label_is_not_mistaken_for_text),
        cmocka_unit_test(aliases_that_go_round_end),
        cmocka_unit_test(aliases_are_followed_so_far_and_no_further),
        cmocka_unit_test(the_hints_of_https_and_svcb_records_are_addresses),
        cmocka_unit_test(https_records_lead_to_other_names),
        cmocka_unit_test(hints_that_are_cut_tell_whole_addresses_only),
        cmocka_unit_test(additional_records_count_like_answers),
        cmocka_unit_test(other_records_and_classes_tell_nothing),
        cmocka_unit_test(an_answer_that_is_cut_short_or_an_error_tells_nothing),
        cmocka_unit_test(a_query_with_answers_tells_nothing),
        cmocka_unit_test(what_is_no_question_for_one_name_is_refused),
        cmocka_unit_test(odd_names_are_refused),
        cmocka_unit_test(the_longest_name_is_read_and_no_longer_one),
        cmocka_unit_test(names_that_point_in_circles_are_refused),
        cmocka_unit_test(cut_anywhere_it_is_refused),
        cmocka_unit_test(addresses_and_ttls_are_bounded),
        cmocka_unit_test(a_ttl_that_would_be_negative_is_none),
        cmocka_unit_test(a_message_longer_than_any_answer_is_not_read),
    };
    return cmocka_run_group_tests_name("policy/dns", tests, NULL, NULL);
}
