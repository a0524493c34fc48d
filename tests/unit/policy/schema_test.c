/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/schema.h"
#include "setup.h"

#include <ctype.h>
#include <openssl/ssl.h>

/* A value of one key, stored in a configuration, a device or a destination of its own. */
struct stored {
    struct config config;
    struct device_config device;
    struct destination_config destination;
    struct report report;
    const char *complaint;
};

static void store(struct stored *stored, const char *section, const char *name, const char *text)
{
    const struct schema_key *key = schema_find(section, name);
    assert_non_null(key);
    const struct value value = {.text = text,
                                .place = {.file = "/etc/test.conf", .line = 7},
                                .column = 5,
                                .config = &stored->config,
                                .report = &stored->report};
    void *base = &stored->config;
    if (strcmp(section, "device") == 0)
        base = &stored->device;
    if (strcmp(section, "destination") == 0)
        base = &stored->destination;
    stored->config.path = "/etc/test.conf";
    stored->complaint = key->parse(&value, (char *)base + key->offset);
}

static void discard(struct stored *stored)
{
    arena_fini(&stored->config.arena);
    report_fini(&stored->report);
    *stored = (struct stored){0};
}

static void store_good(struct stored *stored, const char *section, const char *name,
                       const char *text)
{
    store(stored, section, name, text);
    if (stored->complaint != NULL)
        fail_msg("[%s] %s = %s: %s", section, name, text, stored->complaint);
    assert_int_equal(stored->report.errors, 0);
}

/* Each of the texts is refused in these words. */
static void assert_refused(const char *section, const char *name, const char *complaint,
                           const char *const texts[])
{
    struct stored stored = {0};
    for (; *texts != NULL; texts++) {
        store(&stored, section, name, *texts);
        if (stored.complaint == NULL)
            fail_msg("[%s] %s = %s was taken", section, name, *texts);
        assert_string_equal(stored.complaint, complaint);
        discard(&stored);
    }
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- the table ---- */

static void every_key_is_found_by_its_section_and_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < schema_size; i++) {
        assert_ptr_equal(schema_find(schema[i].section, schema[i].name), &schema[i]);
        assert_true(schema_has_section(schema[i].section));
    }
    assert_null(schema_find("network", "pattern"));
    assert_null(schema_find("ignore", "port"));
    assert_null(schema_find("network", ""));
    assert_null(schema_find("", "port"));
    assert_false(schema_has_section("net"));
    assert_false(schema_has_section("network "));
    assert_false(schema_has_section(""));
}

static void every_fallback_is_a_good_value(void **state)
{
    (void)state;
    struct stored stored = {0};
    for (size_t i = 0; i < schema_size; i++) {
        if (schema[i].fallback != NULL)
            store_good(&stored, schema[i].section, schema[i].name, schema[i].fallback);
        discard(&stored);
    }
}

static void an_empty_value_is_good_for_no_key(void **state)
{
    (void)state;
    struct stored stored = {0};
    for (size_t i = 0; i < schema_size; i++) {
        if (strcmp(schema[i].name, "pattern") == 0)
            continue; /* config.c lets none through; as a regular expression it is one */
        store(&stored, schema[i].section, schema[i].name, "");
        assert_non_null(stored.complaint);
        discard(&stored);
    }
}

/* ---- numbers ---- */

static void ports_to_listen_on(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "network", "listen-port", "1");
    assert_int_equal(stored.config.network.listen_port, 1);
    store_good(&stored, "network", "listen-port", "65535");
    assert_int_equal(stored.config.network.listen_port, 65535);
    store_good(&stored, "network", "listen-port", "0x1F90");
    assert_int_equal(stored.config.network.listen_port, 8080);
    assert_refused("network", "listen-port", "expected a port from 1 to 65535",
                   TEXTS("0", "65536", "-1", "+1", "1 ", "80a", "0x", "0xg", "http", "1,2",
                         "18446744073709551617"));
}

static void routing_tables_are_not_the_kernels_own(void **state)
{
    (void)state;
    struct stored stored = {0};
    static const struct {
        const char *text;
        uint32_t table;
    } good[] = {{"1", 1}, {"252", 252}, {"256", 256}, {"32765", 32765}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        store_good(&stored, "network", "route-table", good[i].text);
        assert_int_equal(stored.config.network.route_table, good[i].table);
    }
    assert_refused("network", "route-table",
                   "expected a number from 1 to 32765 that is not the kernel's (253 to 255)",
                   TEXTS("0", "253", "254", "255", "32766", "main"));
}

static void workers_are_counted_or_automatic(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "network", "workers", "256");
    assert_int_equal(stored.config.network.workers, 256);
    store_good(&stored, "network", "workers", "auto");
    assert_int_equal(stored.config.network.workers, 0);
    assert_refused("network", "workers", "expected auto, or a number from 1 to 256",
                   TEXTS("0", "257", "Auto", "auto 2"));
}

static void a_queue_has_a_number_or_is_none(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "network", "queue", "0");
    assert_true(stored.config.network.use_queue);
    assert_int_equal(stored.config.network.queue, 0);
    store_good(&stored, "network", "queue", "65535");
    assert_int_equal(stored.config.network.queue, 65535);
    store_good(&stored, "network", "queue", "none");
    assert_false(stored.config.network.use_queue);
    assert_refused("network", "queue", "expected a queue number from 0 to 65535, or none",
                   TEXTS("65536", "None", "1-4"));
}

static void durations_have_a_unit(void **state)
{
    (void)state;
    struct stored stored = {0};
    static const struct {
        const char *text;
        uint32_t seconds;
    } good[] = {{"1s", 1},      {"90s", 90},        {"10m", 600},       {"1h", 3600},
                {"7d", 604800}, {"365d", 31536000}, {"8760h", 31536000}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        store_good(&stored, "network", "pass-timeout", good[i].text);
        assert_int_equal(stored.config.network.pass_timeout, good[i].seconds);
        store_good(&stored, "network", "drain-timeout", good[i].text);
        assert_int_equal(stored.config.network.drain_timeout, good[i].seconds);
    }
    assert_refused("network", "pass-timeout",
                   "expected a time from 1s to 365d, such as 30s, 10m, 1h, 7d",
                   TEXTS("0s", "1", "s", "366d", "8761h", "31536001s", "1 h", "1h ", "1w", "1H",
                         "1h30m", "99999999999999999999s"));
}

static void the_mark_lies_in_its_mask_and_leaves_room_in_it(void **state)
{
    (void)state;
    struct stored stored = {0};
    static const struct {
        const char *text;
        uint32_t mark, mask;
    } good[] = {{"0x0c00/0x0f00", 0x0c00, 0x0f00},
                {"1/3", 1, 3},
                {"0x80000001/0xffffffff", 0x80000001, 0xffffffff},
                {"0x80000000/0x80000001", 0x80000000, 0x80000001}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        store_good(&stored, "network", "mark", good[i].text);
        assert_int_equal(stored.config.network.mark, good[i].mark);
        assert_int_equal(stored.config.network.mark_mask, good[i].mask);
    }
    assert_refused("network", "mark", "expected VALUE/MASK, such as 0x0c00/0x0f00",
                   TEXTS("1", "1/", "/3", "1/3/7", "1 / 3", "0x100000000/0x1ffffffff", "a/f"));
    assert_refused("network", "mark", "the value has bits outside the mask",
                   TEXTS("4/3", "0x0c01/0x0f00"));
    assert_refused("network", "mark",
                   "expected a value other than 0 in a mask of at least two bits",
                   TEXTS("0/3", "1/1", "0/0", "0x80000000/0x80000000"));
}

static void tls_versions_are_the_four_that_there_are(void **state)
{
    (void)state;
    struct stored stored = {0};
    static const struct {
        const char *text;
        int version;
    } good[] = {{"1.0", TLS1_VERSION},
                {"1.1", TLS1_1_VERSION},
                {"1.2", TLS1_2_VERSION},
                {"1.3", TLS1_3_VERSION}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        store_good(&stored, "tls", "min-version", good[i].text);
        assert_int_equal(stored.config.tls.scope.min_version, good[i].version);
    }
    assert_refused("tls", "min-version", "expected 1.0, 1.1, 1.2 or 1.3",
                   TEXTS("1", "1.4", "TLSv1.2", "1.2 ", "ssl3"));
}

/* ---- words ---- */

static void choices_are_what_they_say(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "network", "on-failure", "closed");
    assert_true(stored.config.network.fail_closed);
    store_good(&stored, "network", "on-failure", "open");
    assert_false(stored.config.network.fail_closed);
    store_good(&stored, "network", "source-address", "device");
    assert_true(stored.config.network.source_device);
    store_good(&stored, "network", "source-address", "router");
    assert_false(stored.config.network.source_device);
    store_good(&stored, "network", "ruleset", "external");
    assert_true(stored.config.network.external_ruleset);
    store_good(&stored, "network", "ruleset", "managed");
    assert_false(stored.config.network.external_ruleset);
    store_good(&stored, "device", "intercept", "yes");
    assert_true(stored.device.intercept);
    store_good(&stored, "device", "intercept", "no");
    assert_false(stored.device.intercept);
    store_good(&stored, "tls", "upstream", "verify");
    assert_int_equal(stored.config.tls.scope.upstream, UPSTREAM_VERIFY);
    store_good(&stored, "tls", "upstream", "ignore");
    assert_int_equal(stored.config.tls.scope.upstream, UPSTREAM_IGNORE);
    store_good(&stored, "tls", "upstream", "mirror");
    assert_int_equal(stored.config.tls.scope.upstream, UPSTREAM_MIRROR);
}

static void other_words_are_no_choice(void **state)
{
    (void)state;
    assert_refused("network", "on-failure", "expected open or closed", TEXTS("Open", "close"));
    assert_refused("network", "source-address", "expected router or device", TEXTS("devices"));
    assert_refused("network", "ruleset", "expected managed or external", TEXTS("none"));
    assert_refused("device", "intercept", "expected yes or no", TEXTS("true", "1", "YES"));
    assert_refused("tls", "upstream", "expected mirror, verify or ignore", TEXTS("mirror verify"));
}

static void matches_add_up(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "ignore", "match", "sni");
    assert_int_equal(stored.config.ignore.match, MATCH_SNI);
    store_good(&stored, "ignore", "match", "address");
    assert_int_equal(stored.config.ignore.match, MATCH_ADDRESS | MATCH_SNI);
    store_good(&stored, "allow", "match", " address,\tsni address");
    assert_int_equal(stored.config.allow.match, MATCH_ADDRESS | MATCH_SNI);
    discard(&stored);
    assert_refused("ignore", "match", "expected some of address, dns, sni, host",
                   TEXTS("name", "address hosts", "Address"));
    assert_refused("ignore", "match", "expected a value", TEXTS(" ", ",,"));
}

static void interfaces_are_names_or_automatic(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "network", "lan", "auto");
    assert_int_equal(stored.config.network.lan.count, 0);
    stored = (struct stored){0};
    store_good(&stored, "network", "lan", "br-lan, wlan0 eth0.2,fifteen-letters");
    const char *const names[] = {"br-lan", "wlan0", "eth0.2", "fifteen-letters"};
    assert_int_equal(stored.config.network.lan.count, ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_string_equal(stored.config.network.lan.items[i], names[i]);
    store(&stored, "network", "lan", "auto");
    assert_string_equal(stored.complaint, "auto cannot stand beside names");
    discard(&stored);
    stored = (struct stored){0};
    store_good(&stored, "network", "lan", "auto");
    store(&stored, "network", "lan", "eth0");
    assert_string_equal(stored.complaint, "auto cannot stand beside names");
    discard(&stored);
    assert_refused("network", "lan", "auto cannot stand beside names", TEXTS("auto eth0"));
    assert_refused("network", "lan", "expected auto, or names of network interfaces",
                   TEXTS("sixteen-letters!", "eth0 a/b"));
}

static void ports_taken_are_single_or_ranges(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "network", "port", "1 65535,443-443\t8000-8100");
    store_good(&stored, "network", "port", "all");
    static const struct port_range expected[] = {
        {1, 1}, {65535, 65535}, {443, 443}, {8000, 8100}, {1, 65535}};
    assert_int_equal(stored.config.network.port_count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_int_equal(stored.config.network.ports[i].first, expected[i].first);
        assert_int_equal(stored.config.network.ports[i].last, expected[i].last);
    }
    discard(&stored);
    assert_refused("network", "port", "expected ports or ranges from 1 to 65535, or all",
                   TEXTS("0", "0-5", "5-4", "65536", "1-65536", "443-", "-443", "1-2-3", "443 x",
                         "https", "ALL"));
    assert_refused("network", "port", "expected a value", TEXTS(" , "));
}

static void more_ports_than_a_transaction_takes_are_refused(void **state)
{
    (void)state;
    struct stored stored = {0};
    char text[8192] = "";
    size_t length = 0;
    for (int i = 0; i < 512; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%d ", 2 * i + 1);
    store_good(&stored, "network", "port", text);
    assert_int_equal(stored.config.network.port_count, 512);
    store(&stored, "network", "port", "9999");
    assert_string_equal(stored.complaint, "more than 512 ports and ranges");
    discard(&stored);
}

static void where_names_and_vendors_of_devices_come_from(void **state)
{
    (void)state;
    struct stored stored = {0};
    struct network_config *network = &stored.config.network;
    store_good(&stored, "network", "leases", "/a /b");
    store_good(&stored, "network", "leases", "/c");
    assert_int_equal(network->leases.count, 3);
    assert_string_equal(network->leases.items[2], "/c");
    assert_false(network->leases_auto);
    discard(&stored);
    store_good(&stored, "network", "leases", "auto");
    assert_true(network->leases_auto);
    discard(&stored);
    store_good(&stored, "network", "leases", "none");
    assert_true(network->leases.count == 0 && !network->leases_auto);
    assert_refused("network", "leases", "expected auto, or paths that start with /",
                   TEXTS("a", "/a b", "Auto"));
    store_good(&stored, "network", "vendors", "/a");
    assert_string_equal(network->vendor_file, "/a");
    store_good(&stored, "network", "vendors", "none");
    assert_null(network->vendor_file);
    assert_refused("network", "vendors", "expected none, or a path that starts with /",
                   TEXTS("a", "None", "./a"));
    discard(&stored);
}

static void a_sockets_path_is_short(void **state)
{
    (void)state;
    struct stored stored = {0};
    char path[109] = "/";
    memset(path + 1, 'x', 107);
    assert_refused("control", "socket", "expected a path of at most 107 characters", TEXTS(path));
    path[107] = '\0';
    store_good(&stored, "control", "socket", path);
    discard(&stored);
}

static void a_servers_request_for_a_certificate_has_three_answers(void **state)
{
    (void)state;
    struct stored stored = {0};
    static const char *const sections[] = {"tls", "device", "destination"};
    store_good(&stored, "tls", "client-certificate", "splice");
    assert_int_equal(stored.config.tls.scope.client.mode, CLIENT_SPLICE);
    store_good(&stored, "device", "client-certificate", "without");
    assert_int_equal(stored.device.scope.client.mode, CLIENT_WITHOUT);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        assert_refused(sections[i], "client-certificate",
                       "expected splice, without, or a path that starts with /",
                       TEXTS("no", "client.pem", "Splice"));
    assert_refused("tls", "client-certificate", "No such file or directory", TEXTS("/none/such"));
    assert_refused("destination", "certificate", "expected a path that starts with /",
                   TEXTS("own.pem", "splice"));
    assert_refused("destination", "certificate", "there is no certificate in it",
                   TEXTS("/dev/null"));
}

/* ---- paths, devices, patterns ---- */

static void paths_are_absolute_and_copied(void **state)
{
    (void)state;
    struct stored stored = {0};
    char text[] = "/a b";
    store_good(&stored, "tls", "ca", text);
    memset(text, 'x', sizeof(text) - 1);
    assert_string_equal(stored.config.tls.ca, "/a b");
    discard(&stored);
    const char *const keys[][2] = {{"tls", "ca"},
                                   {"tls", "trust"},
                                   {"tls", "keylog"},
                                   {"tls", "intermediates"},
                                   {"tls", "crl-directory"},
                                   {"control", "socket"},
                                   {"control", "state"},
                                   {"events", "file"}};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        assert_refused(keys[i][0], keys[i][1], "expected a path that starts with /",
                       TEXTS("ca.pem", "./ca.pem", " /ca.pem"));
}

static void revocation_is_off_or_one_of_two_ways(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "tls", "revocation", "staple");
    assert_int_equal(stored.config.tls.revocation, REVOCATION_STAPLE);
    store_good(&stored, "tls", "revocation", "crl");
    assert_int_equal(stored.config.tls.revocation, REVOCATION_CRL);
    store_good(&stored, "tls", "revocation", "off");
    assert_int_equal(stored.config.tls.revocation, REVOCATION_OFF);
    assert_refused("tls", "revocation", "expected off, staple or crl", TEXTS("ocsp", "on", "crl "));
}

static void a_store_has_a_file_an_age_and_a_size(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "store", "file", "/var/lib/x.db");
    assert_string_equal(stored.config.store.file, "/var/lib/x.db");
    store_good(&stored, "store", "keep", "7d");
    assert_int_equal(stored.config.store.keep, 7 * 86400);
    store_good(&stored, "store", "size", "1m");
    assert_int_equal(stored.config.store.size, 1 << 20);
    store_good(&stored, "store", "size", "1024g");
    assert_int_equal(stored.config.store.size, UINT64_C(1) << 40);
    assert_refused("store", "size", "expected a size from 1m on, such as 100m, 1g",
                   (const char *const[]){"", "none", "1023k", "1025g", "1mb", "m", "-1m", NULL});
    discard(&stored);
}

static void bodies_are_recorded_up_to_a_size_and_credentials_if_that_is_said(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "events", "bodies", "1000");
    assert_int_equal(stored.config.bodies, 1000);
    store_good(&stored, "events", "bodies", "64k");
    assert_int_equal(stored.config.bodies, 65536);
    store_good(&stored, "events", "bodies", "none");
    assert_int_equal(stored.config.bodies, 0);
    assert_refused("events", "bodies", "expected none, or a size from 1 to 64k, such as 1000, 4k",
                   TEXTS("0", "0k", "65k", "65537", "-1", "4K", "4 k", "1m", "all"));
    store_good(&stored, "events", "credentials", "keep");
    assert_true(stored.config.keep_credentials);
    store_good(&stored, "events", "credentials", "redact");
    assert_false(stored.config.keep_credentials);
    assert_refused("events", "credentials", "expected redact or keep", TEXTS("yes", "no"));
}

static void captures_have_a_limit_a_directory_and_places_to_go(void **state)
{
    (void)state;
    struct stored stored = {0};
    char text[ADDRESS_TEXT_SIZE];
    store_good(&stored, "capture", "limit", "1m");
    assert_int_equal(stored.config.capture.limit, 1 << 20);
    store_good(&stored, "capture", "limit", "1024g");
    assert_int_equal(stored.config.capture.limit, UINT64_C(1) << 40);
    assert_refused("capture", "limit", "expected a size from 1m on, such as 100m, 4g",
                   TEXTS("0", "1023k", "1025g", "1 m", "1M", "none", "18446744073709551616"));
    store_good(&stored, "capture", "live", "127.0.0.1");
    assert_string_equal(address_text(&stored.config.capture.live, text), "127.0.0.1:57012");
    store_good(&stored, "capture", "live", "[::1]:5000");
    assert_string_equal(address_text(&stored.config.capture.live, text), "[::1]:5000");
    store_good(&stored, "capture", "live", "none");
    assert_int_equal(stored.config.capture.live.family, 0);
    assert_refused(
        "capture", "live",
        "expected none, or an IP address, also with a port, such as 127.0.0.1:57012",
        TEXTS("57012", "localhost", "127.0.0.1:0", "127.0.0.1:65536", "no", "127.0.0.1 :57012"));
    store_good(&stored, "capture", "mirror", "ids0");
    assert_string_equal(stored.config.capture.mirror, "ids0");
    assert_refused("capture", "mirror", "expected the name of a network interface",
                   TEXTS("an-interface-too-long", "a b", "a/b"));
    store_good(&stored, "capture", "directory", "/srv/captures");
    assert_string_equal(stored.config.capture.directory, "/srv/captures");
    discard(&stored);
}

static void records_are_rotated_by_size(void **state)
{
    (void)state;
    struct stored stored = {0};
    static const char expected[] = "expected none, or a size from 64k on, such as 100m, 1g";
    store_good(&stored, "events", "rotate-size", "65536");
    assert_int_equal(stored.config.rotate_size, 65536);
    store_good(&stored, "events", "rotate-size", "3m");
    assert_int_equal(stored.config.rotate_size, 3 << 20);
    store_good(&stored, "events", "rotate-size", "1024g");
    assert_int_equal(stored.config.rotate_size, UINT64_C(1) << 40);
    store_good(&stored, "events", "rotate-size", "none");
    assert_int_equal(stored.config.rotate_size, 0);
    assert_refused("events", "rotate-size", expected,
                   TEXTS("0", "63k", "65535", "1025g", "1099511627777", "4 m", "4M", "1mb", "-1m",
                         "18014398509481984k"));
    store_good(&stored, "events", "rotate-keep", "7");
    assert_int_equal(stored.config.rotate_keep, 7);
    assert_refused("events", "rotate-keep", "expected a number from 1 to 1000",
                   TEXTS("0", "1001", "all", "5 "));
}

static void statistics_come_at_an_interval(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "events", "stats-interval", "8s");
    assert_int_equal(stored.config.stats_interval, 8);
    store_good(&stored, "events", "stats-interval", "none");
    assert_int_equal(stored.config.stats_interval, 0);
    assert_refused("events", "stats-interval",
                   "expected a time from 1s to 365d, such as 30s, 10m, 1h, 7d",
                   TEXTS("0s", "8", "never"));
}

static void refusals_are_learned_from_as_configured(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "ignore", "learn", "auto");
    assert_int_equal(stored.config.learn.mode, LEARN_AUTO);
    store_good(&stored, "ignore", "learn", "suggest");
    assert_int_equal(stored.config.learn.mode, LEARN_SUGGEST);
    assert_refused("ignore", "learn", "expected off, suggest or auto", TEXTS("on", "yes"));
    store_good(&stored, "ignore", "after-rejections", "3");
    assert_int_equal(stored.config.learn.after, 3);
    assert_refused("ignore", "after-rejections", "expected a number from 1 to 1000",
                   TEXTS("0", "1001", "-1", "three"));
}

static void mac_addresses_have_six_bytes(void **state)
{
    (void)state;
    struct stored stored = {0};
    const uint8_t mac[] = {2, 0, 0x5e, 0xab, 0xcd, 0xff};
    store_good(&stored, "device", "mac", "02:00:5e:ab:CD:ff");
    assert_true(stored.device.has_mac);
    assert_memory_equal(stored.device.mac, mac, sizeof(mac));
    assert_refused("device", "mac", "expected a MAC address such as 02:00:5e:10:00:01",
                   TEXTS("02:00:5e:10:00", "02:00:5e:10:00:01:02", "02:00:5e:10:00:01 ",
                         "02-00-5e-10-00-01", "02005e100001", "02:00:5e:10:00:0g",
                         "002:00:5e:10:00:01", "2:00:5e:10:00:01", "-1: 2:+3:00:00:01"));
}

static void device_addresses_are_of_either_family(void **state)
{
    (void)state;
    struct stored stored = {0};
    struct address expected;
    store_good(&stored, "device", "address", "192.0.2.7");
    assert_true(address_parse(&expected, "192.0.2.7:0"));
    assert_true(stored.device.has_address);
    assert_true(address_same_ip(&stored.device.address, &expected));
    store_good(&stored, "device", "address", "2001:db8::7");
    assert_true(address_parse(&expected, "[2001:db8::7]:0"));
    assert_true(address_same_ip(&stored.device.address, &expected));
    store_good(&stored, "device", "address", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
    assert_int_equal(stored.device.prefix, 128);
    store_good(&stored, "device", "address", "192.0.2.0/24");
    assert_int_equal(stored.device.prefix, 24);
    assert_refused("device", "address",
                   "expected an IPv4 or IPv6 address, or a network such as 192.0.2.0/24",
                   TEXTS("192.0.2.7:443", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x", "192.0.2",
                         "cam.lan", "2001:db8::g", "[2001:db8::7]:443", "1:2:3:4:5:6:7",
                         "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"));
}

static void a_pattern_keeps_its_text_and_place(void **state)
{
    (void)state;
    struct stored stored = {0};
    store_good(&stored, "allow", "pattern", "^a(");
    assert_int_equal(stored.config.allow.patterns.count, 1);
    const struct pattern_source *source = &stored.config.allow.patterns.items[0];
    assert_string_equal(source->text, "^a(");
    assert_string_equal(source->place.file, "/etc/test.conf");
    assert_int_equal(source->place.line, 7);
    assert_int_equal(source->column, 5);
    assert_int_equal(stored.config.ignore.patterns.count, 0);
    discard(&stored);
}

static void a_pattern_file_says_why_it_cannot_be_read(void **state)
{
    (void)state;
    char long_path[5000];
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_refused("ignore", "file", "the path is too long", TEXTS(long_path));
    assert_refused("ignore", "file", "No such file or directory",
                   TEXTS("/nowhere/ignore.list", "nowhere.list"));
    assert_refused("allow", "file", "Is a directory", TEXTS("/"));
}

/* ---- the documentation ---- */

/* From the top of the source tree, where `make check` runs. */
static char *documentation(const char *path)
{
    size_t length;
    char *text = file_read(path, &length);
    if (text == NULL)
        fail_msg("%s is not there", path);
    return text;
}

/* What stands behind "KEY =", commented out or not, under this section; NULL if it is not there. */
static const char *find_in_sample(const char *sample, const struct schema_key *key)
{
    const size_t section_length = strlen(key->section), name_length = strlen(key->name);
    bool in_section = false;
    for (const char *line = sample; *line != '\0';
         line += strcspn(line, "\n"), line += *line != 0) {
        const char *text = line + strspn(line, "#; \t");
        if (*text == '[')
            in_section = strncmp(text + 1, key->section, section_length) == 0 &&
                         strchr("] ", text[1 + section_length]) != NULL;
        if (!in_section || strncmp(text, key->name, name_length) != 0)
            continue;
        text += name_length + strspn(text + name_length, " \t");
        if (*text == '=')
            return text + 1 + strspn(text + 1, " \t");
    }
    return NULL;
}

static void the_sample_configuration_has_every_key_with_its_default(void **state)
{
    (void)state;
    char *sample = documentation("scripts/install/interceptd.conf");
    for (size_t i = 0; i < schema_size; i++) {
        const struct schema_key *key = &schema[i];
        const char *value = find_in_sample(sample, key);
        if (value == NULL)
            fail_msg("[%s] %s is not in it", key->section, key->name);
        if (key->fallback == NULL || strcmp(key->section, "device") == 0)
            continue;
        size_t length = strcspn(value, "\n");
        if (length != strlen(key->fallback) || strncmp(value, key->fallback, length) != 0)
            fail_msg("[%s] %s = %.*s, but the default is %s", key->section, key->name, (int)length,
                     value, key->fallback);
    }
    free(sample);
}

static void the_sample_configuration_is_a_good_one(void **state)
{
    (void)state;
    char *sample = documentation("scripts/install/interceptd.conf");
    config_free(good_config(sample));
    free(sample);
}

/* roff writes hyphens as \- and changes fonts with \fB and the like. */
static void strip_roff(char *page)
{
    char *out = page;
    for (const char *in = page; *in != '\0'; in++) {
        if (in[0] == '\\' && in[1] == 'f' && in[2] != '\0')
            in += 2;
        else if (in[0] != '\\' || in[1] != '-')
            *out++ = *in;
    }
    *out = '\0';
}

static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        bool starts = at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '-');
        if (starts && !isalnum((unsigned char)at[length]) && at[length] != '-')
            return true;
    }
    return false;
}

static void every_key_stands_in_the_manual_page(void **state)
{
    (void)state;
    char *page = documentation("scripts/install/man/interceptd.conf.5");
    strip_roff(page);
    for (size_t i = 0; i < schema_size; i++)
        if (!has_word(page, schema[i].section) || !has_word(page, schema[i].name))
            fail_msg("[%s] %s is not in it", schema[i].section, schema[i].name);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_found_by_its_section_and_name),
        cmocka_unit_test(every_fallback_is_a_good_value),
        cmocka_unit_test(an_empty_value_is_good_for_no_key),
        cmocka_unit_test(ports_to_listen_on),
        cmocka_unit_test(routing_tables_are_not_the_kernels_own),
        cmocka_unit_test(workers_are_counted_or_automatic),
        cmocka_unit_test(a_queue_has_a_number_or_is_none),
        cmocka_unit_test(durations_have_a_unit),
        cmocka_unit_test(a_store_has_a_file_an_age_and_a_size),
        cmocka_unit_test(records_are_rotated_by_size),
        cmocka_unit_test(statistics_come_at_an_interval),
        cmocka_unit_test(bodies_are_recorded_up_to_a_size_and_credentials_if_that_is_said),
        cmocka_unit_test(the_mark_lies_in_its_mask_and_leaves_room_in_it),
        cmocka_unit_test(tls_versions_are_the_four_that_there_are),
        cmocka_unit_test(choices_are_what_they_say),
        cmocka_unit_test(other_words_are_no_choice),
        cmocka_unit_test(matches_add_up),
        cmocka_unit_test(interfaces_are_names_or_automatic),
        cmocka_unit_test(ports_taken_are_single_or_ranges),
        cmocka_unit_test(more_ports_than_a_transaction_takes_are_refused),
        cmocka_unit_test(where_names_and_vendors_of_devices_come_from),
        cmocka_unit_test(a_sockets_path_is_short),
        cmocka_unit_test(a_servers_request_for_a_certificate_has_three_answers),
        cmocka_unit_test(paths_are_absolute_and_copied),
        cmocka_unit_test(revocation_is_off_or_one_of_two_ways),
        cmocka_unit_test(captures_have_a_limit_a_directory_and_places_to_go),
        cmocka_unit_test(refusals_are_learned_from_as_configured),
        cmocka_unit_test(mac_addresses_have_six_bytes),
        cmocka_unit_test(device_addresses_are_of_either_family),
        cmocka_unit_test(a_pattern_keeps_its_text_and_place),
        cmocka_unit_test(a_pattern_file_says_why_it_cannot_be_read),
        cmocka_unit_test(the_sample_configuration_has_every_key_with_its_default),
        cmocka_unit_test(the_sample_configuration_is_a_good_one),
        cmocka_unit_test(every_key_stands_in_the_manual_page),
    };
    return cmocka_run_group_tests_name("policy/schema", tests, NULL, NULL);
}
