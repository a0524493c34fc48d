/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Expected values are the specification's own, or were computed from it with sha1sum and base64. */
#include "event/community_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_id(uint8_t protocol, const char *from_text, const char *to_text,
                      const char *expected)
{
    struct address from, to;
    char id[COMMUNITY_ID_SIZE];
    assert_true(address_parse(&from, from_text) && address_parse(&to, to_text));
    assert_string_equal(community_id(protocol, &from, &to, id), expected);
    assert_string_equal(community_id(protocol, &to, &from, id), expected);
}

static void tcp_and_udp_are_as_specified(void **state)
{
    (void)state;
    assert_id(IPPROTO_TCP, "128.232.110.120:34855", "66.35.250.204:80",
              "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    assert_id(IPPROTO_UDP, "192.168.1.52:54585", "8.8.8.8:53", "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
}

static void ipv6_is_as_specified(void **state)
{
    (void)state;
    assert_id(IPPROTO_TCP, "[2001:db8:77::2]:40000", "[2001:db8:113::1]:443",
              "1:xq/z/5Oeg0319cnWNeqQEPHhvIE=");
}

static void equal_addresses_are_told_apart_by_their_ports(void **state)
{
    (void)state;
    assert_id(IPPROTO_TCP, "10.0.0.1:40000", "10.0.0.1:443", "1:gIyhpNOMnzpVuu+jN7qkN5atzK8=");
}

static void addresses_of_two_families_have_none(void **state)
{
    (void)state;
    assert_id(IPPROTO_TCP, "10.0.0.1:40000", "[2001:db8::1]:443", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_and_udp_are_as_specified),
        cmocka_unit_test(ipv6_is_as_specified),
        cmocka_unit_test(equal_addresses_are_told_apart_by_their_ports),
        cmocka_unit_test(addresses_of_two_families_have_none),
    };
    return cmocka_run_group_tests_name("event/community_id", tests, NULL, NULL);
}
