/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/config.h"
#include "setup.h"

#include <openssl/ssl.h>
#include <sys/stat.h>

static void assert_port_range(const struct network_config *network, size_t index, uint16_t first,
                              uint16_t last)
{
    assert_true(index < network->port_count);
    assert_int_equal(network->ports[index].first, first);
    assert_int_equal(network->ports[index].last, last);
}

/* ---- what an operator gets ---- */

static void an_empty_file_gives_the_defaults(void **state)
{
    (void)state;
    struct config *config = good_config("");
    assert_string_equal(config->path, "/etc/test.conf");
    assert_int_equal(config->network.lan.count, 0);
    assert_int_equal(config->network.port_count, 1);
    assert_port_range(&config->network, 0, 443, 443);
    assert_int_equal(config->network.listen_port, 8443);
    assert_true(config->network.use_queue);
    assert_int_equal(config->network.queue, 77);
    assert_int_equal(config->network.mark, 0x0c00);
    assert_int_equal(config->network.mark_mask, 0x0f00);
    assert_false(config->network.fail_closed);
    assert_false(config->network.source_device);
    assert_false(config->network.external_ruleset);
    assert_int_equal(config->network.pass_timeout, 3600);
    assert_int_equal(config->network.drain_timeout, 10);
    assert_int_equal(config->network.route_table, 77);
    assert_int_equal(config->network.workers, 0);
    assert_int_equal(config->ignore.patterns.count, 0);
    assert_int_equal(config->ignore.match, MATCH_ADDRESS);
    assert_int_equal(config->allow.patterns.count, 0);
    assert_int_equal(config->allow.match, MATCH_ADDRESS);
    assert_string_equal(config->tls.ca, "/var/lib/interceptd/ca.pem");
    assert_string_equal(config->tls.trust, "/etc/ssl/certs/ca-certificates.crt");
    assert_null(config->tls.keylog);
    assert_int_equal(config->tls.scope.upstream, UPSTREAM_MIRROR);
    assert_int_equal(config->tls.scope.min_version, TLS1_2_VERSION);
    assert_null(config->devices);
    assert_null(config->events_file);
    assert_string_equal(config->control_socket, "/run/interceptd/control.sock");
    assert_string_equal(config->state_directory, "/var/lib/interceptd");
    config_free(config);
}

static void every_section_and_key_is_stored(void **state)
{
    (void)state;
    struct config *config = good_config("[network]\n"
                                        "lan = br0 wlan0\n"
                                        "port = 443, 8000-8100\n"
                                        "listen-port = 9443\n"
                                        "queue = 5\n"
                                        "mark = 0x1/0x3\n"
                                        "on-failure = closed\n"
                                        "source-address = device\n"
                                        "ruleset = external\n"
                                        "pass-timeout = 10m\n"
                                        "drain-timeout = 3s\n"
                                        "route-table = 100\n"
                                        "workers = 4\n"
                                        "[ignore]\n"
                                        "pattern = ^one:\n"
                                        "match = sni\n"
                                        "[allow]\n"
                                        "pattern = ^two:\n"
                                        "match = address sni\n"
                                        "[tls]\n"
                                        "ca = /ca\n"
                                        "upstream = ignore\n"
                                        "trust = /trust\n"
                                        "keylog = /keylog\n"
                                        "min-version = 1.0\n"
                                        "[device cam]\n"
                                        "mac = 02:00:5e:10:00:01\n"
                                        "address = 192.0.2.7\n"
                                        "intercept = no\n"
                                        "[events]\n"
                                        "file = /events\n"
                                        "[control]\n"
                                        "socket = /socket\n"
                                        "state = /state\n");
    assert_int_equal(config->network.lan.count, 2);
    assert_string_equal(config->network.lan.items[0], "br0");
    assert_string_equal(config->network.lan.items[1], "wlan0");
    assert_int_equal(config->network.port_count, 2);
    assert_port_range(&config->network, 0, 443, 443);
    assert_port_range(&config->network, 1, 8000, 8100);
    assert_int_equal(config->network.listen_port, 9443);
    assert_int_equal(config->network.queue, 5);
    assert_int_equal(config->network.mark, 1);
    assert_int_equal(config->network.mark_mask, 3);
    assert_true(config->network.fail_closed);
    assert_true(config->network.source_device);
    assert_true(config->network.external_ruleset);
    assert_int_equal(config->network.pass_timeout, 600);
    assert_int_equal(config->network.drain_timeout, 3);
    assert_int_equal(config->network.route_table, 100);
    assert_int_equal(config->network.workers, 4);
    assert_string_equal(config->ignore.patterns.items[0].text, "^one:");
    assert_int_equal(config->ignore.match, MATCH_SNI);
    assert_string_equal(config->allow.patterns.items[0].text, "^two:");
    assert_int_equal(config->allow.match, MATCH_ADDRESS | MATCH_SNI);
    assert_string_equal(config->tls.ca, "/ca");
    assert_int_equal(config->tls.scope.upstream, UPSTREAM_IGNORE);
    assert_string_equal(config->tls.trust, "/trust");
    assert_string_equal(config->tls.keylog, "/keylog");
    assert_int_equal(config->tls.scope.min_version, TLS1_VERSION);
    const struct device_config *device = config->devices;
    assert_string_equal(device->scope.section, "[device cam]");
    assert_true(device->has_mac && device->has_address && !device->intercept);
    assert_null(device->next);
    assert_string_equal(config->events_file, "/events");
    assert_string_equal(config->control_socket, "/socket");
    assert_string_equal(config->state_directory, "/state");
    config_free(config);
}

static void keys_that_add_may_be_repeated_and_keep_their_order(void **state)
{
    (void)state;
    struct config *config = good_config("[network]\nport = 443\nport = 853 993-995\n"
                                        "lan = eth1\nlan = eth2\n"
                                        "[ignore]\npattern = b\npattern = a\n"
                                        "match = address\nmatch = sni\n"
                                        "[tls]\nca = /ca\n"
                                        "[ignore]\npattern = c\n");
    assert_int_equal(config->network.port_count, 3);
    assert_port_range(&config->network, 0, 443, 443);
    assert_port_range(&config->network, 1, 853, 853);
    assert_port_range(&config->network, 2, 993, 995);
    assert_int_equal(config->network.lan.count, 2);
    assert_string_equal(config->network.lan.items[1], "eth2");
    assert_int_equal(config->ignore.patterns.count, 3);
    assert_string_equal(config->ignore.patterns.items[0].text, "b");
    assert_string_equal(config->ignore.patterns.items[1].text, "a");
    assert_string_equal(config->ignore.patterns.items[2].text, "c");
    assert_int_equal(config->ignore.match, MATCH_ADDRESS | MATCH_SNI);
    config_free(config);
}

static void a_value_is_raw_to_the_end_of_its_line(void **state)
{
    (void)state;
    struct config *config = good_config("[ignore]\n"
                                        "pattern =  ^a # b ; \"c\" = [d]:443$ \t\n"
                                        "  pattern=^e\n");
    assert_int_equal(config->ignore.patterns.count, 2);
    assert_string_equal(config->ignore.patterns.items[0].text, "^a # b ; \"c\" = [d]:443$");
    assert_string_equal(config->ignore.patterns.items[1].text, "^e");
    config_free(config);
}

static void comments_and_blank_lines_say_nothing(void **state)
{
    (void)state;
    struct config *config = good_config("# [network]\n; queue = 1\n\n \t\n"
                                        "  # queue = 2\n[network]\n;queue = 3\nqueue = 4\n");
    assert_int_equal(config->network.queue, 4);
    config_free(config);
}

static void windows_line_ends_a_byte_order_mark_and_a_missing_newline_do_no_harm(void **state)
{
    (void)state;
    struct config *config =
        good_config("\xef\xbb\xbf[ignore]\r\npattern = ^a$\r\n\r\n[tls]\r\nca = /x y");
    assert_int_equal(config->ignore.patterns.count, 1);
    assert_string_equal(config->ignore.patterns.items[0].text, "^a$");
    assert_string_equal(config->tls.ca, "/x y");
    config_free(config);
}

static void a_pattern_remembers_where_it_was_written(void **state)
{
    (void)state;
    struct config *config = good_config("# one\n[ignore]\n\n  pattern =   ^x:443$\n");
    const struct pattern_source *source = &config->ignore.patterns.items[0];
    assert_string_equal(source->place.file, "/etc/test.conf");
    assert_int_equal(source->place.line, 4);
    assert_int_equal(source->column, 15);
    config_free(config);

    config = good_config("[ignore]\npattern = pattern\npattern = =a\npattern = b\n");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(config->ignore.patterns.items[i].column, 11);
    config_free(config);
}

static void patterns_of_the_command_line_come_last_and_keep_their_number(void **state)
{
    (void)state;
    const char *const ignore[] = {"first", "second"};
    const char text[] = "[ignore]\npattern = of the file\n";
    struct report report = {0};
    struct config *config = config_parse(text, strlen(text), "c", ignore, 2, &report);
    assert_nothing_reported(&report);
    const struct pattern_list *list = &config->ignore.patterns;
    assert_int_equal(list->count, 3);
    assert_string_equal(list->items[0].text, "of the file");
    assert_string_equal(list->items[1].text, "first");
    assert_string_equal(list->items[1].place.file, "--ignore");
    assert_int_equal(list->items[1].place.line, 1);
    assert_int_equal(list->items[1].column, 1);
    assert_string_equal(list->items[2].text, "second");
    assert_int_equal(list->items[2].place.line, 2);
    config_free(config);
}

static void the_configuration_keeps_nothing_of_its_input(void **state)
{
    (void)state;
    char text[] = "[ignore]\npattern = ^one$\n[device tv]\naddress = 192.0.2.1\n[tls]\nca = /ca\n";
    char path[] = "/etc/a.conf", pattern[] = "^two$";
    const char *ignore[] = {pattern};
    struct report report = {0};
    struct config *config = config_parse(text, strlen(text), path, ignore, 1, &report);
    memset(text, 'x', sizeof(text));
    memset(path, 'x', sizeof(path));
    memset(pattern, 'x', sizeof(pattern));
    assert_nothing_reported(&report);
    assert_string_equal(config->path, "/etc/a.conf");
    assert_string_equal(config->ignore.patterns.items[0].text, "^one$");
    assert_string_equal(config->ignore.patterns.items[0].place.file, "/etc/a.conf");
    assert_string_equal(config->ignore.patterns.items[1].text, "^two$");
    assert_string_equal(config->devices->scope.section, "[device tv]");
    assert_string_equal(config->tls.ca, "/ca");
    config_free(config);
}

static void a_long_pattern_survives_whole(void **state)
{
    (void)state;
    const size_t length = 60000;
    char *text = malloc(length + 64);
    assert_non_null(text);
    int start = sprintf(text, "[ignore]\npattern = ");
    memset(text + start, 'a', length);
    strcpy(text + start + length, "\npattern = b\n");
    struct config *config = good_config(text);
    assert_int_equal(config->ignore.patterns.count, 2);
    assert_int_equal(strlen(config->ignore.patterns.items[0].text), length);
    assert_int_equal(config->ignore.patterns.items[1].place.line, 3);
    free(text);
    config_free(config);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    config_free(NULL);
}

/* ---- devices ---- */

static void devices_keep_the_order_of_the_file_and_their_own_defaults(void **state)
{
    (void)state;
    struct config *config = good_config("[device b]\nmac = 02:00:5e:10:00:01\nintercept = no\n"
                                        "[device a]\naddress = 2001:db8::7\n"
                                        "[device   a b]\nmac = 02:00:5e:10:00:02\n");
    const struct device_config *device = config->devices;
    const uint8_t mac[] = {2, 0, 0x5e, 0x10, 0, 1};
    assert_string_equal(device->scope.section, "[device b]");
    assert_int_equal(device->scope.place.line, 1);
    assert_true(device->has_mac);
    assert_false(device->has_address);
    assert_memory_equal(device->mac, mac, sizeof(mac));
    assert_false(device->intercept);
    device = device->next;
    assert_string_equal(device->scope.section, "[device a]");
    assert_true(device->has_address);
    assert_false(device->has_mac);
    assert_int_equal(device->address.family, AF_INET6);
    assert_true(device->intercept);
    device = device->next;
    assert_string_equal(device->scope.section, "[device a b]");
    assert_true(device->intercept);
    assert_null(device->next);
    config_free(config);
}

/* ---- destinations ---- */

static void destinations_keep_the_order_of_the_file_and_set_what_they_say(void **state)
{
    (void)state;
    struct config *config =
        good_config("[destination b]\npattern = b1\npattern = b2\nupstream = verify\n"
                    "[tls]\nupstream = ignore\n"
                    "[destination a]\nmatch = sni\nmin-version = 1.0\npattern = a\n");
    const struct destination_config *destination = config->destinations;
    assert_string_equal(destination->scope.section, "[destination b]");
    assert_int_equal(destination->scope.place.line, 1);
    assert_int_equal(destination->rules.patterns.count, 2);
    assert_int_equal(destination->rules.match, MATCH_ADDRESS | MATCH_SNI);
    assert_int_equal(destination->scope.upstream, UPSTREAM_VERIFY);
    assert_int_equal(destination->scope.min_version, 0);
    destination = destination->next;
    assert_string_equal(destination->scope.section, "[destination a]");
    assert_int_equal(destination->rules.match, MATCH_SNI);
    assert_int_equal(destination->scope.upstream, UPSTREAM_UNSET);
    assert_int_equal(destination->scope.min_version, TLS1_VERSION);
    assert_null(destination->next);
    assert_string_equal(config->tls.scope.section, "[tls]");
    config_free(config);
}

/* ---- what is told when something is wrong ---- */

static void each_mistake_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"queue = 1\n", "/etc/test.conf:1: a key before the first [section]"},
        {"[nothing]\na = b\n", "/etc/test.conf:1: unknown section [nothing]"},
        {"[nothing]\n", "/etc/test.conf:1: unknown section [nothing]"},
        {"[tls]\n[ignore] pattern = a\n", "/etc/test.conf:2:10: unexpected text behind [ignore]"},
        {"[device a]\n",
         "/etc/test.conf:1: [device a] needs mac, address or interface, to know it by"},
        {"[allow]\nfile = /dev/null\n",
         "/etc/test.conf:2: [allow] has no pattern: everything would be intercepted"},
        {"[device]\nmac = 02:00:5e:10:00:01\n", "/etc/test.conf:1: expected [device NAME]"},
        {"[device a]\nintercept = no\n",
         "/etc/test.conf:1: [device a] needs mac, address or interface, to know it by"},
        {"[device a]\nmac = 02:00:5e:10:00:01\n[tls]\nca = /ca\n[device a]\naddress = ::1\n",
         "/etc/test.conf:5: [device a] stands at line 1 already"},
        {"[device ]\nmac = 02:00:5e:10:00:01\n", "/etc/test.conf:1: expected [device NAME]"},
        {"[destination  ]\npattern = a\n", "/etc/test.conf:1: expected [destination NAME]"},
        {"[destination]\npattern = a\n", "/etc/test.conf:1: expected [destination NAME]"},
        {"[destination a]\nupstream = verify\n",
         "/etc/test.conf:1: [destination a] has no pattern: it would be found in nothing"},
        {"[destination a]\npattern = a\n[device a]\naddress = ::1\n[destination a]\n",
         "/etc/test.conf:5: [destination a] stands at line 1 already"},
        {"[destination a]\npattern = a\n\nupstream = mirrored\n",
         "/etc/test.conf:4: [destination a] upstream = mirrored: expected mirror, verify or "
         "ignore"},
        {"[destination a]\npattern = a\n[device b]\naddress = ::1\nmin-version = 2\n",
         "/etc/test.conf:5: [device b] min-version = 2: expected 1.0, 1.1, 1.2 or 1.3"},
        {"[tls]\n\n[network\n", "/etc/test.conf:3: expected [section]"},
        {"[network]\nqueue\n", "/etc/test.conf:2: expected key = value"},
        {"[network]\nqueue =\n", "/etc/test.conf:2: [network] queue = : expected a value"},
        {"[network]\nqueue = 1\nqueue = 2\n",
         "/etc/test.conf:3: [network] queue was given at line 2 already"},
        {"[tls]\nca = /a\n[network]\nqueue = 1\n[tls]\nca = /b\n",
         "/etc/test.conf:6: [tls] ca was given at line 2 already"},
        {"[network]\nqueue = x\n", "/etc/test.conf:2: [network] queue = x: expected a queue number "
                                   "from 0 to 65535, or none"},
        {"[device a]\naddress = ::1\nintercept = maybe\n",
         "/etc/test.conf:3: [device a] intercept = maybe: expected yes or no"},
        {"[events]\nfiles = /x\n",
         "/etc/test.conf:2: unknown key files in [events]; known are: file, ignored, "
         "credentials, bodies, rotate-size, rotate-keep, stats-interval"},
        {"[device a]\naddress = ::1\nmca = 1\n",
         "/etc/test.conf:3: unknown key mca in [device]; known are: mac, address, interface, "
         "intercept, quic, pattern, file, match, upstream, min-version, legacy-server, "
         "client-certificate"},
        {"[ignore]\nfile = none/such.list\n", "/etc/test.conf:2: [ignore] file = none/such.list: "
                                              "No such file or directory"},
        {"[1234567890123456789012345678901234567890123456789]\na = b\n",
         "/etc/test.conf:1: the name of the section is too long"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct report report = {0};
        struct config *config = parse_config(cases[i].text, &report);
        assert_non_null(config);
        assert_only_error(&report, cases[i].error);
        config_free(config);
    }
}

static void a_nul_byte_is_told_and_the_next_line_is_read(void **state)
{
    (void)state;
    static const char text[] = "[network]\nqueue = 1\0002\nlisten-port = 5\n";
    struct report report = {0};
    struct config *config = config_parse(text, sizeof(text) - 1, "f", NULL, 0, &report);
    assert_only_error(&report, "f:2: a NUL byte in the line");
    assert_int_equal(config->network.listen_port, 5);
    config_free(config);
}

static void a_line_without_end_is_told_and_the_next_line_is_read(void **state)
{
    (void)state;
    const size_t length = 70000;
    char *text = malloc(length + 64);
    assert_non_null(text);
    int start = sprintf(text, "[ignore]\npattern = ");
    memset(text + start, 'a', length);
    strcpy(text + start + length, "\npattern = b\n");
    struct report report = {0};
    struct config *config = parse_config(text, &report);
    assert_only_error(&report, "/etc/test.conf:2: the line is too long");
    assert_int_equal(config->ignore.patterns.count, 1);
    assert_int_equal(config->ignore.patterns.items[0].place.line, 3);
    free(text);
    config_free(config);
}

static void everything_that_is_wrong_is_told_in_the_order_of_the_file(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "/etc/test.conf:2: expected key = value",
        "/etc/test.conf:3: [network] listen-port = 0: expected a port from 1 to 65535",
        "/etc/test.conf:4: unknown section [nets]",
        ("/etc/test.conf:8: unknown key files in [events]; known are: file, ignored, "
         "credentials, bodies, rotate-size, rotate-keep, stats-interval"),
        "/etc/test.conf:10: expected key = value",
    };
    struct report report = {0};
    struct config *config = parse_config("[network]\nqueue 1\nlisten-port = 0\n[nets]\nqueue = 1\n"
                                         "port = 2\n[events]\nfiles = a\nfile = /good\nend",
                                         &report);
    assert_reported(&report, lines, ARRAY_SIZE(lines));
    assert_string_equal(config->events_file, "/good");
    config_free(config);
}

static void the_two_sockets_are_not_the_same(void **state)
{
    (void)state;
    struct report report = {0};
    struct config *config =
        parse_config("[control]\nsocket = /run/a.sock\nread-socket = /run/a.sock\n", &report);
    assert_only_error(&report, "/etc/test.conf:3: [control] read-socket is the same as socket");
    config_free(config);
}

static void an_unknown_section_is_complained_about_once(void **state)
{
    (void)state;
    struct report report = {0};
    struct config *config = parse_config("[nets]\na = 1\nb = 2\nc = 3\n", &report);
    assert_only_error(&report, "/etc/test.conf:1: unknown section [nets]");
    config_free(config);
}

static void a_long_value_is_quoted_in_part(void **state)
{
    (void)state;
    char text[512], expected[512], value[301];
    memset(value, 'x', 300);
    value[300] = '\0';
    snprintf(text, sizeof(text), "[network]\nworkers = %s\n", value);
    snprintf(expected, sizeof(expected),
             "/etc/test.conf:2: [network] workers = %.100s: expected auto, or a number from 1 to "
             "256",
             value);
    struct report report = {0};
    struct config *config = parse_config(text, &report);
    assert_only_error(&report, expected);
    config_free(config);
}

/* ---- files ---- */

static void a_file_is_read_with_the_pattern_files_beside_it(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "interceptd.conf");
    const struct path list = path_in(&folder, "ignore.list");
    write_file(&path, "[ignore]\npattern = ^a$\nfile = ignore.list\npattern = ^d$\n");
    write_file(&list, "# list\n^b$\n\n  ^c$\n");
    struct report report = {0};
    struct config *config = config_load(path.text, NULL, 0, &report);
    assert_nothing_reported(&report);
    const struct pattern_list *patterns = &config->ignore.patterns;
    assert_int_equal(patterns->count, 4);
    assert_string_equal(patterns->items[1].text, "^b$");
    assert_string_equal(patterns->items[1].place.file, list.text);
    assert_int_equal(patterns->items[1].place.line, 2);
    assert_string_equal(patterns->items[2].text, "^c$");
    assert_int_equal(patterns->items[2].column, 3);
    assert_string_equal(patterns->items[3].text, "^d$");
    assert_string_equal(patterns->items[3].place.file, path.text);
    config_free(config);
    remove_folder(&folder);
}

static void an_absolute_pattern_file_is_found_from_anywhere(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path list = path_in(&folder, "some.list");
    char text[256];
    write_file(&list, "^a$\n");
    snprintf(text, sizeof(text), "[allow]\nfile = %s\n", list.text);
    struct config *config = good_config(text);
    assert_int_equal(config->allow.patterns.count, 1);
    assert_int_equal(config->ignore.patterns.count, 0);
    config_free(config);
    remove_folder(&folder);
}

static void a_file_that_cannot_be_read_gives_no_configuration(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "missing.conf");
    char expected[256];
    struct report report = {0};
    assert_null(config_load(path.text, NULL, 0, &report));
    snprintf(expected, sizeof(expected), "%s: No such file or directory", path.text);
    assert_only_error(&report, expected);
    assert_null(config_load(folder.path, NULL, 0, &report));
    snprintf(expected, sizeof(expected), "%s: Is a directory", folder.path);
    assert_only_error(&report, expected);
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(every_section_and_key_is_stored),
        cmocka_unit_test(keys_that_add_may_be_repeated_and_keep_their_order),
        cmocka_unit_test(a_value_is_raw_to_the_end_of_its_line),
        cmocka_unit_test(comments_and_blank_lines_say_nothing),
        cmocka_unit_test(windows_line_ends_a_byte_order_mark_and_a_missing_newline_do_no_harm),
        cmocka_unit_test(a_pattern_remembers_where_it_was_written),
        cmocka_unit_test(patterns_of_the_command_line_come_last_and_keep_their_number),
        cmocka_unit_test(the_configuration_keeps_nothing_of_its_input),
        cmocka_unit_test(a_long_pattern_survives_whole),
        cmocka_unit_test(nothing_can_be_freed),
        cmocka_unit_test(devices_keep_the_order_of_the_file_and_their_own_defaults),
        cmocka_unit_test(destinations_keep_the_order_of_the_file_and_set_what_they_say),
        cmocka_unit_test(each_mistake_is_told_with_its_line),
        cmocka_unit_test(a_nul_byte_is_told_and_the_next_line_is_read),
        cmocka_unit_test(a_line_without_end_is_told_and_the_next_line_is_read),
        cmocka_unit_test(everything_that_is_wrong_is_told_in_the_order_of_the_file),
        cmocka_unit_test(the_two_sockets_are_not_the_same),
        cmocka_unit_test(an_unknown_section_is_complained_about_once),
        cmocka_unit_test(a_long_value_is_quoted_in_part),
        cmocka_unit_test(a_file_is_read_with_the_pattern_files_beside_it),
        cmocka_unit_test(an_absolute_pattern_file_is_found_from_anywhere),
        cmocka_unit_test(a_file_that_cannot_be_read_gives_no_configuration),
    };
    return cmocka_run_group_tests_name("policy/config", tests, NULL, NULL);
}
