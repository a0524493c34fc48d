/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/file.h"
#include "policy/vendors.h"

static struct vendors *parse(const char *text)
{
    struct vendors *vendors = vendors_parse(text, strlen(text));
    assert_non_null(vendors);
    return vendors;
}

static const char *of(const struct vendors *vendors, const char *mac)
{
    unsigned bytes[MAC_SIZE];
    uint8_t address[MAC_SIZE];
    assert_int_equal(sscanf(mac, "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
                            &bytes[4], &bytes[5]),
                     MAC_SIZE);
    for (size_t i = 0; i < MAC_SIZE; i++)
        address[i] = (uint8_t)bytes[i];
    return vendors_find(vendors, address);
}

static void a_vendor_is_found_by_the_first_half_of_the_mac(void **state)
{
    (void)state;
    struct vendors *vendors = parse("OUI/MA-L                Organization  \r\n"
                                    "company_id              Organization  \r\n"
                                    "                        Address       \r\n"
                                    "\r\n"
                                    "D8-3A-DD   (hex)\t\tRaspberry Pi Trading Ltd\r\n"
                                    "D83ADD     (base 16)\t\tRaspberry Pi Trading Ltd\r\n"
                                    "\t\t\t\tMaurice Wilkes Building\r\n"
                                    "\r\n"
                                    "28-CD-C1   (hex)\t\tRaspberry Pi Trading Ltd\r\n"
                                    "00-00-0C   (hex)\t\tCisco Systems, Inc");
    assert_int_equal(vendors_count(vendors), 3);
    assert_string_equal(of(vendors, "28:cd:c1:00:00:00"), "Raspberry Pi Trading Ltd");
    assert_ptr_equal(of(vendors, "28:cd:c1:ff:ff:ff"), of(vendors, "d8:3a:dd:00:00:00"));
    assert_string_equal(of(vendors, "00:00:0c:01:02:03"), "Cisco Systems, Inc");
    assert_null(of(vendors, "00:00:0d:01:02:03"));
    assert_null(of(vendors, "00:00:0b:ff:ff:ff"));
    vendors_free(vendors);
}

static void a_randomized_mac_has_no_vendor(void **state)
{
    (void)state;
    struct vendors *vendors = parse("02-00-0C   (hex)\t\tOld Inc\n00-00-0C   (hex)\t\tCisco\n");
    assert_null(of(vendors, "02:00:0c:00:00:00"));
    assert_string_equal(of(vendors, "00:00:0c:00:00:00"), "Cisco");
    vendors_free(vendors);
}

static void names_are_cleaned_and_cut(void **state)
{
    (void)state;
    char text[300] = "00-00-0C   (hex) ";
    memset(text + strlen(text), 'x', 200);
    struct vendors *vendors = parse(text);
    assert_int_equal(strlen(of(vendors, "00:00:0c:00:00:00")), VENDOR_NAME_SIZE - 1);
    vendors_free(vendors);
    vendors = parse("00-00-0C   (hex)\t a\t \x1b b \r\n");
    assert_string_equal(of(vendors, "00:00:0c:00:00:00"), "a b");
    vendors_free(vendors);
}

static void what_is_no_list_has_no_vendors(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "(hex)",
                                        "00-00-0C   (hex)",
                                        "00-00-0C   (hex)\t\r\n",
                                        "00:00:0C   (hex) x\n",
                                        "00-00-0c   (hex) x\n",
                                        "0-00-00C   (hex) x\n",
                                        "28-CD-C1/28 (base 16) x"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct vendors *vendors = parse(texts[i]);
        assert_int_equal(vendors_count(vendors), 0);
        assert_null(of(vendors, "00:00:0c:00:00:00"));
        vendors_free(vendors);
    }
}

/* The packaged list, which scripts/deps installs. */
static void the_packaged_list_takes_less_than_a_megabyte(void **state)
{
    (void)state;
    size_t length;
    char *text = file_read("/usr/share/ieee-data/oui.txt", &length);
    assert_non_null(text);
    struct vendors *vendors = vendors_parse(text, length);
    assert_true(vendors_count(vendors) > 30000);
    assert_true(vendors_memory(vendors) < 1 << 20);
    assert_string_equal(of(vendors, "28:cd:c1:00:00:01"), "Raspberry Pi Trading Ltd");
    vendors_free(vendors);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vendor_is_found_by_the_first_half_of_the_mac),
        cmocka_unit_test(a_randomized_mac_has_no_vendor),
        cmocka_unit_test(names_are_cleaned_and_cut),
        cmocka_unit_test(what_is_no_list_has_no_vendors),
        cmocka_unit_test(the_packaged_list_takes_less_than_a_megabyte),
    };
    return cmocka_run_group_tests_name("policy/vendors", tests, NULL, NULL);
}
