/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/leases.h"

static const uint8_t mac1[] = {2, 0, 0x5e, 0x10, 0, 1}, mac2[] = {2, 0, 0x5e, 0x10, 0, 2};

static struct address ip(const char *text)
{
    struct address address;
    assert_true(address_ip_parse(&address, text));
    return address;
}

static void add(struct leases *leases, const char *address, const uint8_t *mac, const char *name)
{
    struct lease lease = {.address = ip(address), .has_mac = mac != NULL, .name = name};
    if (mac != NULL)
        memcpy(lease.mac, mac, MAC_SIZE);
    lease.name_length = name != NULL ? strlen(name) : 0;
    leases_add(leases, &lease);
}

static const char *at(const struct leases *leases, const char *address, const uint8_t *mac)
{
    const struct address wanted = ip(address);
    return leases_name_of_address(leases, &wanted, mac);
}

static void a_name_is_found_by_mac_and_by_address(void **state)
{
    (void)state;
    struct leases *leases = leases_new();
    add(leases, "10.0.0.7", mac1, "cam");
    add(leases, "2001:db8::7", NULL, "cam6");
    assert_string_equal(leases_name_of_mac(leases, mac1), "cam");
    assert_null(leases_name_of_mac(leases, mac2));
    assert_string_equal(at(leases, "10.0.0.7", NULL), "cam");
    assert_string_equal(at(leases, "10.0.0.7", mac1), "cam");
    assert_string_equal(at(leases, "2001:db8::7", mac2), "cam6");
    assert_null(at(leases, "10.0.0.8", NULL));
    leases_free(leases);
}

/* It has taken the address by itself, while the lease was still in the file. */
static void an_address_that_another_device_has_leased_names_nobody_else(void **state)
{
    (void)state;
    struct leases *leases = leases_new();
    add(leases, "10.0.0.7", mac1, "cam");
    assert_null(at(leases, "10.0.0.7", mac2));
    leases_free(leases);
}

static void the_last_lease_of_an_address_and_of_a_device_counts(void **state)
{
    (void)state;
    struct leases *leases = leases_new();
    add(leases, "10.0.0.7", mac1, "old");
    add(leases, "10.0.0.7", mac2, "new");
    assert_null(leases_name_of_mac(leases, mac1));
    assert_string_equal(leases_name_of_mac(leases, mac2), "new");
    add(leases, "10.0.0.8", mac2, "newer");
    assert_string_equal(leases_name_of_mac(leases, mac2), "newer");
    assert_string_equal(at(leases, "10.0.0.7", mac2), "new");
    assert_int_equal(leases_count(leases), 2);
    leases_free(leases);
}

static void a_lease_that_is_over_takes_the_name_away(void **state)
{
    (void)state;
    struct leases *leases = leases_new();
    add(leases, "10.0.0.7", mac1, "cam");
    add(leases, "10.0.0.7", mac1, NULL);
    assert_null(leases_name_of_mac(leases, mac1));
    assert_null(at(leases, "10.0.0.7", NULL));
    add(leases, "10.0.0.8", mac1, "\x1b\n");
    assert_int_equal(leases_count(leases), 0);
    leases_free(leases);
}

static void there_is_a_limit(void **state)
{
    (void)state;
    struct leases *leases = leases_new();
    char address[INET6_ADDRSTRLEN];
    for (unsigned i = 0; i < LEASES_LIMIT + 10; i++) {
        snprintf(address, sizeof(address), "10.0.%u.%u", i >> 8, i & 255);
        add(leases, address, NULL, "x");
    }
    assert_int_equal(leases_count(leases), LEASES_LIMIT);
    add(leases, "10.0.0.1", NULL, "y"); /* in the place of what was there */
    assert_string_equal(at(leases, "10.0.0.1", NULL), "y");
    leases_free(leases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_found_by_mac_and_by_address),
        cmocka_unit_test(an_address_that_another_device_has_leased_names_nobody_else),
        cmocka_unit_test(the_last_lease_of_an_address_and_of_a_device_counts),
        cmocka_unit_test(a_lease_that_is_over_takes_the_name_away),
        cmocka_unit_test(there_is_a_limit),
    };
    return cmocka_run_group_tests_name("policy/leases", tests, NULL, NULL);
}
