/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/lease_file.h"

/* Each lease as "ADDRESS MAC|- NAME;". */
static void write_lease(void *context, const struct lease *lease)
{
    char *text = context, ip[INET6_ADDRSTRLEN], mac[MAC_TEXT_SIZE] = "-";
    size_t length = strlen(text);
    if (lease->has_mac)
        mac_text(lease->mac, mac);
    snprintf(text + length, 4096 - length, "%s %s %.*s;", address_ip_text(&lease->address, ip), mac,
             (int)lease->name_length, lease->name != NULL ? lease->name : "");
}

static void assert_read(const char *file, enum lease_format format, const char *expected)
{
    char text[4096] = "";
    assert_int_equal(lease_file_read(file, strlen(file), write_lease, text), format);
    assert_string_equal(text, expected);
}

static void dnsmasq_has_a_lease_a_line(void **state)
{
    (void)state;
    assert_read("1700003600 02:00:5e:10:00:01 10.0.0.7 cam 01:02:00:5e:10:00:01\n"
                "0 28:CD:C1:00:00:02 10.0.0.8 * *\n"
                "1700003600 06-02:00:5e:10:00:03 10.0.0.9 token-ring *\n"
                "duid 00:01:00:01:2c:f3:63:11:02:00:5e:10:00:00\n"
                "1700003600 12345 2001:db8::7 cam 00:03:00:01:02:00:5e:10:00:01\n"
                "1700003600 T99 2001:db8::8 tv *",
                LEASES_DNSMASQ,
                "10.0.0.7 02:00:5e:10:00:01 cam;10.0.0.8 28:cd:c1:00:00:02 ;"
                "10.0.0.9 - token-ring;2001:db8::7 - cam;2001:db8::8 - tv;");
}

static void lines_that_are_half_written_are_left_out(void **state)
{
    (void)state;
    assert_read("1700003600 02:00:5e:10:00:01 10.0.0.7 cam *\r\n"
                "1700003600 02:00:5e:10:00:01 10.0.0.8\n"
                "1700003600 02:00:5e:10:00:01 10.0.0 x *\n"
                "1700003600\n\n \n"
                "x 02:00:5e:10:00:01 10.0.0.9 x *\n"
                "1700003600 02:00:5e:10:00 10.0.0.10 y *\n",
                LEASES_DNSMASQ, "10.0.0.7 02:00:5e:10:00:01 cam;10.0.0.10 - y;");
}

static const char isc_head[] =
    "# The format of this file is documented in the dhcpd.leases(5) manual page.\n"
    "# This lease file was written by isc-dhcp-4.4.3-P1\n"
    "\n"
    "# authoring-byte-order entry is generated, DO NOT DELETE\n"
    "authoring-byte-order little-endian;\n"
    "\n"
    "server-duid \"\\000\\001\\000\\001,\\363c\\021\\002\\000^\\020\\000\\000\";\n";

static void assert_isc(const char *body, const char *expected)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s%s", isc_head, body);
    assert_read(file, LEASES_ISC, expected);
}

static void isc_has_statements_in_braces(void **state)
{
    (void)state;
    assert_isc("lease 10.0.0.7 {\n"
               "  starts 3 2026/11/18 12:00:00;\n"
               "  ends 3 2026/11/18 13:00:00;\n"
               "  cltt 3 2026/11/18 12:00:00;\n"
               "  binding state active;\n"
               "  next binding state free;\n"
               "  rewind binding state free;\n"
               "  hardware ethernet 02:00:5e:10:00:01;\n"
               "  uid \"\\001\\002\\000^\\020\\000\\001\";\n"
               "  set vendor-class-identifier = \"udhcp } 1.35\";\n"
               "  client-hostname \"cam\";\n"
               "}\n",
               "10.0.0.7 02:00:5e:10:00:01 cam;");
}

static void isc_tells_the_story_of_an_address(void **state)
{
    (void)state;
    assert_isc("lease 10.0.0.7 { binding state active; hardware ethernet 02:00:5e:10:00:01;"
               " client-hostname \"old\"; }"
               "lease 10.0.0.7 { binding state free; hardware ethernet 02:00:5e:10:00:01;"
               " client-hostname \"old\"; }\n"
               "lease 10.0.0.7 { binding state active; hardware ethernet 02:00:5e:10:00:02;"
               " client-hostname \"new\"; }"
               "lease 10.0.0.8 { hardware ethernet 02:00:5e:10:00:03; client-hostname \"v2\"; }"
               "lease 10.0.0.9 { binding state expired; client-hostname \"gone\"; }",
               "10.0.0.7 02:00:5e:10:00:01 old;10.0.0.7 02:00:5e:10:00:01 ;"
               "10.0.0.7 02:00:5e:10:00:02 new;10.0.0.8 02:00:5e:10:00:03 v2;10.0.0.9 - ;");
}

static void isc_has_other_blocks_and_blocks_in_blocks(void **state)
{
    (void)state;
    assert_isc(
        "host reserved { dynamic; hardware ethernet 02:00:5e:10:00:09;"
        " fixed-address 10.0.0.99; lease 10.0.0.98 { client-hostname \"no\"; } }\n"
        "failover peer \"p\" state { my state normal at 3 2026/11/18 12:00:00; }\n"
        "lease 10.0.0.7 { on expiry { set ddns-fwd-name = \"}\"; { client-hostname \"no\";} }"
        " client-hostname \"ca\\\"m\"; # client-hostname \"no\";\n"
        "}\n"
        "ia-na \"\\001\" { iaaddr 2001:db8::7 { binding state active; } }\n"
        "lease six { client-hostname \"no\"; }\n"
        "lease 10.0.0.8 { client-hostname \"last\"; }",
        "10.0.0.7 - ca\\\"m;10.0.0.8 - last;");
}

static void an_isc_lease_that_is_being_written_is_left_out(void **state)
{
    (void)state;
    const char *const body = "lease 10.0.0.7 { client-hostname \"cam\"; }"
                             "lease 10.0.0.8 { client-hostname \"tv\"; hardware ethernet";
    assert_isc(body, "10.0.0.7 - cam;");
    assert_isc("lease 10.0.0.7 { client-hostname \"cam\"; } lease 10.0.0.8 { uid \"\\",
               "10.0.0.7 - cam;");
}

static void odhcpd_has_remarks_and_hosts(void **state)
{
    (void)state;
    assert_read("# br-lan 02005e100001 ipv4 cam 1700003600 a000007 32 10.0.0.7/32\n"
                "10.0.0.7\tcam.lan\tcam\n"
                "# br-lan 000100012cf3631102005e100001 7a tv -1 7 128 2001:db8::7/128"
                " fd00::7/128\n"
                "# br-lan 00030001 7b - 1700003600 8 128 2001:db8::8/128\n"
                "# br-lan 00030001 7c broken\\x20x 1700003600 8 128 2001:db8::9/128\n"
                "# br-lan 00030001 7d router 1700003600 10 62 2001:db8:10::/62\n",
                LEASES_ODHCPD,
                "10.0.0.7 02:00:5e:10:00:01 cam;10.0.0.7 - cam;2001:db8::7 - tv;fd00::7 - tv;"
                "2001:db8::8 - ;2001:db8::9 - ;");
}

static void odhcpd_makes_files_of_hosts_alone(void **state)
{
    (void)state;
    assert_read("2001:db8::7\tcam.lan\tcam\n10.0.0.8\ttv\n10.0.0.9\n", LEASES_ODHCPD,
                "2001:db8::7 - cam;10.0.0.8 - tv;");
}

static void kea_has_columns_with_names(void **state)
{
    (void)state;
    assert_read(
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,"
        "state,user_context,pool_id\r\n"
        "10.0.0.7,02:00:5e:10:00:01,,3600,1700003600,1,0,0,cam,0,,0\r\n"
        "10.0.0.8,02:00:5e:10:00:02,,3600,1700003600,1,0,0,tv,0,,0\r\n"
        "10.0.0.8,02:00:5e:10:00:02,,0,1700000000,1,0,0,tv,0,,0\r\n"
        "10.0.0.9,,01:02,3600,1700003600,1,0,0,declined,1,,0\r\n"
        "10.0.0.10,02:00:5e:10:00:03,,3600,1700003600,1,0,0\r\n",
        LEASES_KEA,
        "10.0.0.7 02:00:5e:10:00:01 cam;10.0.0.8 02:00:5e:10:00:02 tv;"
        "10.0.0.8 02:00:5e:10:00:02 ;10.0.0.9 - ;10.0.0.10 02:00:5e:10:00:03 ;");
    assert_read("address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,"
                "prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state\n"
                "2001:db8::7,00:03,3600,1700003600,1,1800,0,7,128,0,0,cam,02:00:5e:10:00:01,0\n"
                "2001:db8:10::,00:03,3600,1700003600,1,1800,2,7,62,0,0,router,,0\n",
                LEASES_KEA, "2001:db8::7 02:00:5e:10:00:01 cam;");
}

static void what_is_none_of_them_is_unknown(void **state)
{
    (void)state;
    static const char *const files[] = {
        "",
        "\n\n",
        "# The format of this file is documented in the dhcpd.leases(5) manual page.\n",
        "<html>404</html>\n",
        "[network]\nlan = auto\n",
        "1 2 3 4 5\n",
        "\177ELF\x02\x01\x01",
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        assert_read(files[i], LEASES_UNKNOWN, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dnsmasq_has_a_lease_a_line),
        cmocka_unit_test(lines_that_are_half_written_are_left_out),
        cmocka_unit_test(isc_has_statements_in_braces),
        cmocka_unit_test(isc_tells_the_story_of_an_address),
        cmocka_unit_test(isc_has_other_blocks_and_blocks_in_blocks),
        cmocka_unit_test(an_isc_lease_that_is_being_written_is_left_out),
        cmocka_unit_test(odhcpd_has_remarks_and_hosts),
        cmocka_unit_test(odhcpd_makes_files_of_hosts_alone),
        cmocka_unit_test(kea_has_columns_with_names),
        cmocka_unit_test(what_is_none_of_them_is_unknown),
    };
    return cmocka_run_group_tests_name("policy/lease_file", tests, NULL, NULL);
}
