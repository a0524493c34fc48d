/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

static struct address parsed(const char *text)
{
    struct address address = {0};
    if (!address_parse(&address, text))
        fail_msg("\"%s\" was refused", text);
    return address;
}

static struct sockaddr_storage ipv6_socket_address(const char *ip, uint16_t port)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    assert_int_equal(inet_pton(AF_INET6, ip, &in6->sin6_addr), 1);
    return storage;
}

static void assert_text(const struct address *address, const char *expected)
{
    char text[ADDRESS_TEXT_SIZE];
    assert_string_equal(address_text(address, text), expected);
}

/* ---- sockaddr ---- */

static void an_ipv4_socket_address_is_read(void **state)
{
    (void)state;
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;
    struct address address;
    in->sin_family = AF_INET;
    in->sin_port = htons(443);
    in->sin_addr.s_addr = htonl(0xc0000201);
    assert_true(address_from_sockaddr(&address, &storage));
    assert_int_equal(address.family, AF_INET);
    assert_text(&address, "192.0.2.1:443");
}

static void an_ipv6_socket_address_is_read(void **state)
{
    (void)state;
    struct sockaddr_storage storage = ipv6_socket_address("2001:db8::17", 8443);
    struct address address;
    assert_true(address_from_sockaddr(&address, &storage));
    assert_int_equal(address.family, AF_INET6);
    assert_text(&address, "[2001:db8::17]:8443");
}

/* A dual-stack listener tells of IPv4 peers this way; patterns must see them as IPv4. */
static void a_mapped_ipv6_socket_address_becomes_ipv4(void **state)
{
    (void)state;
    struct sockaddr_storage storage = ipv6_socket_address("::ffff:192.0.2.7", 50012);
    struct address address, plain = parsed("192.0.2.7:50012");
    assert_true(address_from_sockaddr(&address, &storage));
    assert_int_equal(address.family, AF_INET);
    assert_text(&address, "192.0.2.7:50012");
    assert_true(address_same_ip(&address, &plain));
}

static void a_socket_address_of_another_family_is_refused(void **state)
{
    (void)state;
    struct sockaddr_storage storage = {0};
    struct address address;
    assert_false(address_from_sockaddr(&address, &storage));
    storage.ss_family = AF_UNIX;
    assert_false(address_from_sockaddr(&address, &storage));
}

static void an_address_survives_the_way_through_a_sockaddr(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        socklen_t length;
    } cases[] = {
        {"198.51.100.255:65535", sizeof(struct sockaddr_in)},
        {"[2001:db8:1:2:3:4:5:6]:1", sizeof(struct sockaddr_in6)},
        {"0.0.0.0:0", sizeof(struct sockaddr_in)},
        {"[::]:0", sizeof(struct sockaddr_in6)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct address there = parsed(cases[i].text), back;
        struct sockaddr_storage storage;
        assert_int_equal(address_to_sockaddr(&there, &storage), cases[i].length);
        assert_true(address_from_sockaddr(&back, &storage));
        assert_text(&back, cases[i].text);
    }
}

/* Left-over bytes would be a scope or a flow label: connect(2) then fails with EINVAL. */
static void a_sockaddr_holds_nothing_but_the_address(void **state)
{
    (void)state;
    struct address address = parsed("[2001:db8::1]:443");
    struct sockaddr_storage expected = ipv6_socket_address("2001:db8::1", 443), storage;
    memset(&storage, 0xff, sizeof(storage));
    address_to_sockaddr(&address, &storage);
    assert_memory_equal(&storage, &expected, sizeof(storage));
}

/* ---- text ---- */

static void ipv6_text_is_as_rfc_5952_says(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[2001:DB8:0:0:0:0:0:1]:1", "2001:db8::1"},          /* 4.1, 4.2.1, 4.3 */
        {"[2001:db8:0:1:1:1:1:1]:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2 */
        {"[2001:0:0:1:0:0:0:1]:1", "2001:0:0:1::1"},          /* 4.2.3, the longest run */
        {"[2001:db8:0:0:1:0:0:1]:1", "2001:db8::1:0:0:1"},    /* 4.2.3, the first of two */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[INET6_ADDRSTRLEN];
        struct address address = parsed(cases[i][0]);
        assert_string_equal(address_ip_text(&address, text), cases[i][1]);
        assert_ptr_equal(address_ip_text(&address, text), text);
    }
}

static void the_longest_text_fits(void **state)
{
    (void)state;
    const char *longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    struct address address = parsed(longest);
    assert_text(&address, longest);
}

static void no_address_reads_as_a_dash(void **state)
{
    (void)state;
    struct address none = {0};
    char text[INET6_ADDRSTRLEN];
    assert_string_equal(address_ip_text(&none, text), "-");
    assert_text(&none, "-:0");
}

/* ---- parsing ---- */

static void every_form_of_an_address_is_parsed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"192.0.2.1:443", "192.0.2.1:443"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"[2001:db8::1]:443", "[2001:db8::1]:443"},
        {"2001:db8::1:443", "[2001:db8::1]:443"}, /* mitmproxy's form: the last colon counts */
        {"::1:443", "[::1]:443"},
        {":::443", "[::]:443"},
        {"1:2:3:4:5:6:7:8:443", "[1:2:3:4:5:6:7:8]:443"},
        {"[::]:0", "[::]:0"},
        {"192.0.2.1:00443", "192.0.2.1:443"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct address address = parsed(cases[i][0]);
        assert_text(&address, cases[i][1]);
    }
}

static void what_is_no_address_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        ":",
        ":443",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+1",
        "192.0.2.1: 443",
        "192.0.2.1:443 ",
        "192.0.2.1:https",
        " 192.0.2.1:443",
        "192.0.2:443",
        "192.0.2.256:443",
        "192.0.2.1.2:443",
        "example.com:443",
        "[]:443",
        "[:443",
        "]:443",
        "[192.0.2.1]:443",
        "[2001:db8::1:443",
        "2001:db8::1]:443",
        "[2001:db8::1]443",
        "[[2001:db8::1]]:443",
        "[2001:db8::1%lo]:443",
        "1:2:3:4:5:6:7:443",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:443"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct address address = parsed("192.0.2.99:99");
        if (address_parse(&address, cases[i]))
            fail_msg("\"%s\" was taken", cases[i]);
        assert_text(&address, "192.0.2.99:99");
    }
}

static void a_port_is_digits_up_to_65535(void **state)
{
    (void)state;
    uint16_t port = 7;
    assert_true(port_parse(&port, "0"));
    assert_int_equal(port, 0);
    assert_true(port_parse(&port, "65535"));
    assert_int_equal(port, 65535);
}

/* The last but one would be 443 in 32 bits. */
static void what_is_no_port_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    static const char *const cases[] = {"",   "65536", "70000", "-1", "+1",         "0x50",
                                        " 1", "1 ",    "1.0",   "a",  "4294967739", "443\n"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint16_t port = 7;
        if (port_parse(&port, cases[i]))
            fail_msg("\"%s\" was taken", cases[i]);
        assert_int_equal(port, 7);
    }
}

/* ---- comparing ---- */

static void ports_do_not_matter_to_the_same_ip(void **state)
{
    (void)state;
    struct address a = parsed("192.0.2.1:443"), b = parsed("192.0.2.1:80");
    struct address c = parsed("[2001:db8::1]:443"), d = parsed("[2001:db8::1]:80");
    assert_true(address_same_ip(&a, &b));
    assert_true(address_same_ip(&c, &d));
}

static void one_bit_makes_another_ip(void **state)
{
    (void)state;
    struct address a = parsed("192.0.2.1:443"), b = parsed("192.0.2.0:443");
    struct address c = parsed("[2001:db8::1]:443"), d = parsed("[2001:db8::]:443");
    assert_false(address_same_ip(&a, &b));
    assert_false(address_same_ip(&c, &d));
}

/* 192.0.2.1 and c000:201:: start with the same four bytes. */
static void an_ipv4_and_an_ipv6_address_are_never_the_same(void **state)
{
    (void)state;
    struct address a = parsed("192.0.2.1:443"), b = parsed("[c000:201::]:443");
    assert_memory_equal(&a.ip, &b.ip, 4);
    assert_false(address_same_ip(&a, &b));
    assert_false(address_same_ip(&b, &a));
}

static void behind_an_ipv4_address_nothing_is_compared(void **state)
{
    (void)state;
    struct address a, b;
    memset(&a, 0x55, sizeof(a));
    memset(&b, 0xaa, sizeof(b));
    a.family = b.family = AF_INET;
    a.ip.v4.s_addr = b.ip.v4.s_addr = htonl(0xc0000201);
    assert_true(address_same_ip(&a, &b));
}

static void the_size_is_that_of_the_address_proper(void **state)
{
    (void)state;
    struct address v4 = parsed("192.0.2.1:443"), v6 = parsed("[2001:db8::1]:443");
    assert_int_equal(address_ip_size(&v4), 4);
    assert_int_equal(address_ip_size(&v6), 16);
    assert_memory_equal(&v4.ip, "\xc0\0\2\1", 4);
    assert_memory_equal(&v6.ip, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
}

static void an_address_alone_is_parsed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "192.0.2",        "192.0.2.1:443", "[2001:db8::1]",
        "192.0.2.1 ", "2001:db8::1%lo", "2001:db8::1/64"};
    struct address address, v4 = parsed("192.0.2.1:0"), v6 = parsed("[2001:db8::1]:0");
    assert_true(address_ip_parse(&address, "192.0.2.1"));
    assert_true(address_same_ip(&address, &v4));
    assert_true(address_ip_parse(&address, "::ffff:192.0.2.1"));
    assert_true(address_same_ip(&address, &v4));
    assert_true(address_ip_parse(&address, "2001:DB8::1"));
    assert_true(address_same_ip(&address, &v6));
    assert_int_equal(address.port, 0);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_false(address_ip_parse(&address, wrong[i]));
        assert_true(address_same_ip(&address, &v6));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipv4_socket_address_is_read),
        cmocka_unit_test(an_ipv6_socket_address_is_read),
        cmocka_unit_test(a_mapped_ipv6_socket_address_becomes_ipv4),
        cmocka_unit_test(a_socket_address_of_another_family_is_refused),
        cmocka_unit_test(an_address_survives_the_way_through_a_sockaddr),
        cmocka_unit_test(a_sockaddr_holds_nothing_but_the_address),
        cmocka_unit_test(ipv6_text_is_as_rfc_5952_says),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(no_address_reads_as_a_dash),
        cmocka_unit_test(every_form_of_an_address_is_parsed),
        cmocka_unit_test(what_is_no_address_is_refused_and_nothing_is_written),
        cmocka_unit_test(a_port_is_digits_up_to_65535),
        cmocka_unit_test(what_is_no_port_is_refused_and_nothing_is_written),
        cmocka_unit_test(ports_do_not_matter_to_the_same_ip),
        cmocka_unit_test(one_bit_makes_another_ip),
        cmocka_unit_test(an_ipv4_and_an_ipv6_address_are_never_the_same),
        cmocka_unit_test(behind_an_ipv4_address_nothing_is_compared),
        cmocka_unit_test(the_size_is_that_of_the_address_proper),
        cmocka_unit_test(an_address_alone_is_parsed),
    };
    return cmocka_run_group_tests_name("core/address", tests, NULL, NULL);
}
