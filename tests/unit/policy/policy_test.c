/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/loop.h"
#include "policy/policy.h"
#include "setup.h"

#include <openssl/ssl.h>
#include <pthread.h>

/* From 192.0.2.50 with the MAC 02:00:5e:10:00:01 to the origin, by TCP. */
static struct flow flow_to(const char *origin)
{
    struct flow flow = {.protocol = IPPROTO_TCP, .has_mac = true, .mac = {2, 0, 0x5e, 0x10, 0, 1}};
    assert_true(address_parse(&flow.device, "192.0.2.50:50000"));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static void assert_decision(const struct policy_view *view, const struct flow *flow,
                            enum verdict verdict, enum reason reason, bool by_destination)
{
    struct decision decision = policy_decide(view, flow);
    assert_int_equal(decision.verdict, verdict);
    assert_string_equal(reason_name(decision.reason), reason_name(reason));
    assert_int_equal(decision.holds == HOLDS_FOR_ALL, by_destination);
    assert_int_equal(decision.rule != NULL, reason == REASON_RULE);
}

/* The line of the pattern that lets the flow pass; 0 if it is taken. */
static unsigned line_for(const struct policy_view *view, const struct flow *flow)
{
    struct decision decision = policy_decide(view, flow);
    return decision.rule != NULL ? decision.rule->place.line : 0;
}

/* ---- the address is looked at ---- */

static void without_rules_everything_is_taken_whoever_asks(void **state)
{
    (void)state;
    struct policy_view *view = view_of("");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    flow.sni = "a.test";
    flow.opened = true;
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    policy_view_free(view);
}

static void an_ignored_address_passes_and_the_kernel_may_know(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^198\\.51\\.100\\.1:443$\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_PASS, REASON_RULE, true);
    assert_string_equal(policy_decide(view, &flow).rule->text, "^198\\.51\\.100\\.1:443$");
    flow = flow_to("198.51.100.1:80");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    flow = flow_to("198.51.100.10:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    policy_view_free(view);
}

static void ipv6_addresses_are_looked_at_with_brackets_and_without(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\n"
                                       "pattern = ^\\[2001:db8::1\\]:443$\n"
                                       "pattern = ^2001:db8::2:443$\n");
    struct flow flow = flow_to("[2001:db8:0:0::1]:443");
    assert_int_equal(line_for(view, &flow), 2);
    flow = flow_to("[2001:DB8::2]:443");
    assert_int_equal(line_for(view, &flow), 3);
    flow = flow_to("[2001:db8::3]:443");
    assert_int_equal(line_for(view, &flow), 0);
    policy_view_free(view);
}

static void the_first_pattern_of_the_file_is_the_rule(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = (?=9)9\npattern = :443\n"
                                       "pattern = ^198\npattern = (1)\\1\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_int_equal(line_for(view, &flow), 2);
    flow = flow_to("203.0.113.1:443");
    assert_int_equal(line_for(view, &flow), 3);
    flow = flow_to("203.0.113.1:80");
    assert_int_equal(line_for(view, &flow), 5);
    policy_view_free(view);
}

static void a_name_means_nothing_where_only_addresses_are_matched(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = a\\.test\n");
    struct flow flow = flow_to("198.51.100.1:443");
    flow.sni = "a.test";
    flow.opened = true;
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    policy_view_free(view);
}

/* ---- names are looked at ---- */

static void a_name_lets_a_connection_pass_and_only_this_one(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^a\\.test:443$\nmatch = address sni\n");
    struct flow flow = flow_to("198.51.100.1:443");
    /* At the SYN nobody knows yet; and another name may come to the same address. */
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    flow.sni = "A.test";
    flow.opened = true;
    assert_decision(view, &flow, VERDICT_PASS, REASON_RULE, false);
    flow.sni = "b.test";
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    policy_view_free(view);
}

static void an_address_may_still_pass_for_everybody_where_names_are_matched(void **state)
{
    (void)state;
    struct policy_view *view =
        view_of("[ignore]\npattern = ^198\\.51\\.100\\.1:443$\nmatch = address sni\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_PASS, REASON_RULE, true);
    policy_view_free(view);
}

static void an_address_is_not_looked_at_where_only_names_are(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = :443$\nmatch = sni\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    flow.sni = "a.test";
    assert_decision(view, &flow, VERDICT_PASS, REASON_RULE, false);
    policy_view_free(view);
}

static void the_longest_name_is_matched_to_its_end(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'a', 255);
    name[255] = '\0';
    struct policy_view *view = view_of("[ignore]\npattern = ^a{255}:65535$\nmatch = sni\n");
    struct flow flow = flow_to("198.51.100.1:65535");
    flow.sni = name;
    flow.opened = true;
    assert_decision(view, &flow, VERDICT_PASS, REASON_RULE, false);
    policy_view_free(view);
}

/* ---- names that the device has resolved ---- */

static void assert_holds(const struct policy_view *view, const struct flow *flow,
                         enum verdict verdict, enum reason reason, enum holds holds)
{
    struct decision decision = policy_decide(view, flow);
    assert_int_equal(decision.verdict, verdict);
    assert_string_equal(reason_name(decision.reason), reason_name(reason));
    assert_int_equal(decision.holds, holds);
}

static const char *const a[] = {"a.test"}, *const b[] = {"b.test"};
static const char *const both[] = {"b.test", "a.test"};
static const char *const below[] = {"x.a.test", "a.test"};

static struct flow resolved(const char *const names[], size_t count)
{
    struct flow flow = flow_to("198.51.100.1:443");
    flow.names = names;
    flow.name_count = count;
    return flow;
}

static void a_resolved_name_decides_the_first_packet_for_its_device(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^(.+\\.)?a\\.test:443$\nmatch = dns\n");
    struct flow flow = resolved(a, 1);
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow = resolved(below, 2);
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow = resolved(b, 1);
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow = resolved(NULL, 0);
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    policy_view_free(view);
}

static void names_that_are_not_decided_alike_wait_for_the_first_bytes(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^a\\.test:443$\nmatch = dns\n");
    struct flow flow = resolved(both, 2);
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow.opened = true;
    flow.sni = "A.TEST";
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_ONCE);
    flow.sni = "b.test";
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow.sni = "other.test"; /* then the latest is meant */
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow.sni = NULL;
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow.host = "a.test"; /* of a plain request */
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_ONCE);
    policy_view_free(view);
}

static void where_names_were_lost_nothing_holds_for_all_of_them(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = a\\.test:443$\nmatch = dns sni\n");
    struct flow flow = resolved(a, 1);
    flow.names_crowded = true;
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow.opened = true;
    flow.sni = "a.test";
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_ONCE);
    policy_view_free(view);
}

static void an_address_that_is_ignored_is_so_whatever_its_names(void **state)
{
    (void)state;
    struct policy_view *view =
        view_of("[ignore]\npattern = ^198\\.51\\.100\\.1:443$\nmatch = address dns\n");
    struct flow flow = resolved(both, 2);
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_ALL);
    flow.names_crowded = true;
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_ALL);
    policy_view_free(view);
}

static void an_sni_holds_for_the_device_where_dns_agrees(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = a\\.test:443$\nmatch = sni\n");
    struct flow flow = resolved(below, 2);
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE); /* it is not known yet */
    flow.opened = true;
    flow.sni = "a.test";
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow.sni = "y.a.test"; /* not one that was resolved */
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_ONCE);
    flow.names = both;
    flow.sni = "a.test"; /* b.test is there, too */
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_ONCE);
    policy_view_free(view);
}

static void what_is_allowed_is_known_by_its_resolved_name(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[allow]\npattern = ^a\\.test:443$\nmatch = dns sni\n");
    struct flow flow = resolved(a, 1);
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow = resolved(b, 1);
    assert_holds(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, HOLDS_FOR_DEVICE);
    flow = resolved(both, 2);
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow = resolved(NULL, 0); /* the handshake may tell it yet */
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    policy_view_free(view);
    view = view_of("[allow]\npattern = ^a\\.test:443$\nmatch = dns\n");
    assert_holds(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, HOLDS_ONCE); /* nothing will */
    policy_view_free(view);
}

static void a_devices_own_patterns_hold_for_it_alone(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[device phone]\nmac = 02:00:5e:10:00:01\n"
                                       "pattern = ^198\\.51\\.100\\.1:443$\n"
                                       "[device camera]\nmac = 02:00:5e:10:00:02\n"
                                       "pattern = ^a\\.test:443$\nmatch = dns\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow = resolved(a, 1);
    flow.mac[5] = 2;
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow = resolved(b, 1);
    flow.mac[5] = 2;
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    policy_view_free(view);
}

static void networks_and_interfaces_are_known_by_their_bits_and_names(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[device guests]\naddress = 192.0.2.48/30\nintercept = no\n"
                                       "[device all6]\naddress = ::/0\nintercept = no\n"
                                       "[device radio]\ninterface = wlan1\nintercept = no\n");
    struct flow flow = flow_to("198.51.100.1:443"); /* 192.0.2.50 */
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    assert_true(address_parse(&flow.device, "192.0.2.52:1"));
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    strcpy(flow.interface, "wlan1");
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    strcpy(flow.interface, "wlan10");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    assert_true(address_parse(&flow.device, "[2001:db8::1]:1"));
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    policy_view_free(view);
}

static void know(struct flow *flow, const char *const *names, size_t count)
{
    flow->names = names;
    flow->name_count = count;
}

#define know_names(flow, ...)                      \
    know(flow, (const char *const[]){__VA_ARGS__}, \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void open_with(struct flow *flow, const char *sni)
{
    flow->opened = true;
    flow->sni = sni;
}

static void a_resolved_name_counts_only_where_the_rule_says_so(void **state)
{
    (void)state;
    static const char *const others[] = {"address", "sni", "host", "address sni host"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        char text[96];
        snprintf(text, sizeof(text), "[ignore]\npattern = a\\.test\nmatch = %s\n", others[i]);
        struct policy_view *view = view_of(text);
        struct flow flow = flow_to("198.51.100.1:443");
        know_names(&flow, "a.test");
        assert_int_equal(policy_decide(view, &flow).verdict, VERDICT_TAKE);
        flow.opened = true;
        assert_int_equal(policy_decide(view, &flow).verdict, VERDICT_TAKE);
        policy_view_free(view);
    }
}

static void where_names_of_one_address_are_decided_alike_the_first_packet_is(void **state)
{
    (void)state;
    struct policy_view *view =
        view_of("[ignore]\npattern = ^a\\.test:\npattern = ^b\\.test:\nmatch = dns\n");
    struct flow flow = flow_to("198.51.100.1:443");
    know_names(&flow, "b.test", "a.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    assert_int_equal(line_for(view, &flow), 3); /* by the latest */
    know_names(&flow, "c.test", "d.test");
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    policy_view_free(view);
}

/* One that is none of the resolved ones, or none at all: what was resolved last is meant. */
static void an_unresolved_name_in_the_handshake_leaves_the_latest(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^a\\.test:443$\nmatch = dns\n");
    struct flow flow = flow_to("198.51.100.1:443");
    static const char *const asked[] = {NULL, "x.test"};
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        open_with(&flow, asked[i]);
        know_names(&flow, "a.test", "b.test");
        assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_ONCE);
        know_names(&flow, "b.test", "a.test");
        assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    }
    policy_view_free(view);
}

static void so_does_the_host_of_a_plain_request(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^a\\.test:80$\nmatch = host\n");
    struct flow flow = flow_to("198.51.100.1:80");
    know_names(&flow, "a.test");
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow.opened = true;
    flow.host = "A.test";
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    know_names(&flow, "a.test", "b.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_ONCE);
    flow.host = "b.test";
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    policy_view_free(view);
}

static void only_allowed_resolved_names_are_taken(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[allow]\npattern = ^a\\.test:443$\nmatch = dns\n");
    struct flow flow = flow_to("198.51.100.1:443");
    know_names(&flow, "a.test");
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    know_names(&flow, "b.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, HOLDS_FOR_DEVICE);
    know_names(&flow, "b.test", "c.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, HOLDS_FOR_DEVICE);
    know_names(&flow, "b.test", "a.test");
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    open_with(&flow, "b.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, HOLDS_ONCE);
    open_with(&flow, "a.test");
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    flow = flow_to("198.51.100.1:443"); /* nothing was resolved: another one may ask */
    assert_holds(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, HOLDS_ONCE);
    policy_view_free(view);
}

static void a_devices_own_patterns_look_at_its_names(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[device a]\nmac = 02:00:5e:10:00:01\n"
                                       "pattern = ^a\\.test:443$\nmatch = address dns\n"
                                       "pattern = ^203\\.\n"
                                       "[ignore]\npattern = ^b\\.test:443$\nmatch = dns\n");
    struct flow flow = flow_to("198.51.100.1:443");
    know_names(&flow, "a.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    know_names(&flow, "b.test", "a.test"); /* one by its own rule, the other by everybody's */
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow.mac[5] = 2;
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    know_names(&flow, "b.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow = flow_to("203.0.113.1:443");
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    policy_view_free(view);
}

static void quic_is_decided_by_resolved_names_alike(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^a\\.test:443$\nmatch = dns\n");
    struct flow flow = flow_to("198.51.100.1:443");
    flow.protocol = IPPROTO_UDP;
    know_names(&flow, "a.test");
    assert_holds(view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    know_names(&flow, "a.test", "b.test");
    assert_holds(view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    assert_true(policy_wants_name(view, &flow));
    policy_view_free(view);
}

static void dns_is_watched_where_something_depends_on_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool watched;
    } cases[] = {
        {"", false},
        {"[ignore]\npattern = a\nmatch = dns\n", true},
        {"[ignore]\nmatch = dns\n", true}, /* patterns may be added at run time */
        {"[allow]\npattern = a\nmatch = address dns\n", true},
        {"[device x]\nmac = 02:00:5e:10:00:01\npattern = a\nmatch = dns\n", true},
        {"[ignore]\npattern = a\nmatch = sni\n", false},
        {"[ignore]\nlearn = auto\n", true},
        {"[ignore]\nlearn = suggest\n", false},
        {"[network]\nwatch-dns = yes\n", true},
        {"[network]\nwatch-dns = no\n[ignore]\npattern = a\nmatch = dns\n", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy_view *view = view_of(cases[i].text);
        assert_int_equal(policy_watches_dns(policy_config(policy_view_policy(view))),
                         cases[i].watched);
        policy_view_free(view);
    }
}

/* ---- the same with what is known ---- */

struct knowing {
    struct known *known;
    struct policy_view *view;
    struct arena arena;
};

static void begin_knowing(struct knowing *knowing, const char *text)
{
    struct report report = {0};
    struct policy *policy = policy_new(good_config(text), 1, false, &report);
    *knowing = (struct knowing){.known = known_new()};
    assert_true(policy != NULL && knowing->known != NULL);
    knowing->view = policy_view_new(policy, knowing->known);
    assert_non_null(knowing->view);
    policy_unref(policy);
}

static void end_knowing(struct knowing *knowing)
{
    arena_fini(&knowing->arena);
    policy_view_free(knowing->view);
    known_free(knowing->known);
}

/* The device of flow_to() has refused our certificate for this host, often enough. */
static void find_pinned(const struct knowing *knowing, const char *host, bool is_name)
{
    const struct flow flow = flow_to("198.51.100.1:443");
    struct learned_finding finding = {.id = 7,
                                      .state = LEARNED_KEPT,
                                      .device = flow_device_key(&flow),
                                      .address = flow.device,
                                      .is_name = is_name,
                                      .port = 443};
    snprintf(finding.host, sizeof(finding.host), "%s", host);
    const struct learned_list list = {.findings = &finding, .finding_count = 1, .last_id = 7};
    assert_true(learned_restore(knowing->known->learned, &list));
}

static void what_a_device_has_resolved_is_described_and_decides(void **state)
{
    (void)state;
    struct knowing knowing;
    begin_knowing(&knowing, "[ignore]\npattern = ^a\\.test:443$\nmatch = dns\n");
    struct flow flow = flow_to("198.51.100.1:443");
    const struct device_key device = flow_device_key(&flow);
    assert_true(names_add(knowing.known->names, &device, &flow.origin, "a.test", 60, clock_ms()));
    policy_describe(knowing.view, &flow, &knowing.arena);
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_RULE, HOLDS_FOR_DEVICE);
    flow = flow_to("198.51.100.1:443");
    flow.mac[5] = 2;
    policy_describe(knowing.view, &flow, &knowing.arena);
    assert_holds(knowing.view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    end_knowing(&knowing);
}

static void what_is_pinned_passes_with_its_first_packet_once_it_is_resolved(void **state)
{
    (void)state;
    struct knowing knowing;
    begin_knowing(&knowing, "[ignore]\nlearn = auto\n");
    find_pinned(&knowing, "a.test", true);
    struct flow flow = flow_to("198.51.100.1:443");
    assert_holds(knowing.view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    know_names(&flow, "a.test");
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_PINNED, HOLDS_FOR_DEVICE);
    know_names(&flow, "b.test", "a.test");
    assert_holds(knowing.view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    open_with(&flow, "a.test");
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_PINNED, HOLDS_ONCE);
    know_names(&flow, "a.test");
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_PINNED, HOLDS_FOR_DEVICE);
    flow.mac[5] = 2;
    assert_holds(knowing.view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    end_knowing(&knowing);
}

/* It rests on there being no name: so all of them have to be known. */
static void what_is_pinned_without_a_name_holds_where_none_was_resolved(void **state)
{
    (void)state;
    struct knowing knowing;
    begin_knowing(&knowing, "[ignore]\nlearn = auto\n");
    find_pinned(&knowing, "198.51.100.1", false);
    struct flow flow = flow_to("198.51.100.1:443");
    assert_holds(knowing.view, &flow, VERDICT_TAKE, REASON_DEFAULT, HOLDS_ONCE);
    open_with(&flow, NULL);
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_PINNED, HOLDS_ONCE);
    atomic_store(&knowing.known->watches_dns, true);
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_PINNED, HOLDS_FOR_DEVICE);
    flow.names_crowded = true;
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_PINNED, HOLDS_ONCE);
    flow.names_crowded = false;
    know_names(&flow, "b.test");
    assert_holds(knowing.view, &flow, VERDICT_PASS, REASON_PINNED, HOLDS_ONCE);
    end_knowing(&knowing);
}

/* ---- allow ---- */

static void with_allow_rules_only_what_they_name_is_taken(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[allow]\npattern = ^198\\.51\\.100\\.1:\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    flow = flow_to("198.51.100.2:443");
    assert_decision(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, true);
    policy_view_free(view);
}

static void ignore_goes_before_allow(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[allow]\npattern = ^198\\.\n[ignore]\npattern = :80$\n");
    struct flow flow = flow_to("198.51.100.1:80");
    assert_decision(view, &flow, VERDICT_PASS, REASON_RULE, true);
    flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    policy_view_free(view);
}

static void allowing_by_name_waits_for_the_client_hello(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[allow]\npattern = ^a\\.test:443$\nmatch = sni\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    flow.opened = true; /* it had no name */
    assert_decision(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, false);
    flow.sni = "b.test";
    assert_decision(view, &flow, VERDICT_PASS, REASON_NOT_ALLOWED, false);
    flow.sni = "a.test";
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    policy_view_free(view);
}

/* ---- devices, and this box ---- */

static void an_excluded_device_passes_whatever_the_rules_say(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[device by-mac]\nmac = 02:00:5e:10:00:01\nintercept = no\n"
                                       "[device by-address]\naddress = 192.0.2.51\nintercept = no\n"
                                       "[ignore]\npattern = ^203\\.\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    flow.to_this_box = true;
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    flow = flow_to("203.0.113.1:443");
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    flow = flow_to("198.51.100.1:443");
    flow.mac[5] = 2;
    assert_true(address_parse(&flow.device, "192.0.2.51:1"));
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    policy_view_free(view);
}

static void where_devices_differ_the_kernel_may_not_take_for_all(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[device cam]\nmac = 02:00:5e:10:00:02\nintercept = no\n"
                                       "[ignore]\npattern = ^203\\.\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    flow = flow_to("203.0.113.1:443"); /* passes for every device */
    assert_decision(view, &flow, VERDICT_PASS, REASON_RULE, true);
    policy_view_free(view);
}

static void the_first_device_that_fits_counts(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[device a]\naddress = 192.0.2.50\nintercept = yes\n"
                                       "[device b]\nmac = 02:00:5e:10:00:01\nintercept = no\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    policy_view_free(view);
}

static void an_unknown_mac_is_nobodys(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[device a]\nmac = 00:00:00:00:00:00\nintercept = no\n");
    struct flow flow = flow_to("198.51.100.1:443");
    flow.has_mac = false;
    memset(flow.mac, 0, MAC_SIZE);
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    flow.has_mac = true;
    assert_decision(view, &flow, VERDICT_PASS, REASON_DEVICE, false);
    policy_view_free(view);
}

static void what_is_for_this_box_passes_before_any_rule(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = :443\n[allow]\npattern = nothing\n");
    struct flow flow = flow_to("192.0.2.1:443");
    flow.to_this_box = true;
    assert_decision(view, &flow, VERDICT_PASS, REASON_LOCAL, false);
    policy_view_free(view);
}

/* ---- the policy itself ---- */

static void a_bad_pattern_gives_no_policy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[ignore]\npattern = (*)\n", "/etc/test.conf:2:12: nothing to repeat in pattern (*)"},
        {"[allow]\npattern = (*)\n", "/etc/test.conf:2:12: nothing to repeat in pattern (*)"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct report report = {0};
        assert_null(policy_new(good_config(cases[i].text), 1, false, &report));
        assert_only_error(&report, cases[i].error);
    }
}

static void bad_patterns_are_told_beside_what_was_wrong_before(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "/etc/test.conf:2: [network] queue = x: expected a queue number from 0 to 65535, or none",
        "/etc/test.conf:4:12: nothing to repeat in pattern (*)",
        "/etc/test.conf:6:12: nothing to repeat in pattern (*)",
    };
    struct report report = {0};
    struct config *config = parse_config("[network]\nqueue = x\n[ignore]\npattern = (*)\n"
                                         "[allow]\npattern = (*)\n",
                                         &report);
    assert_null(policy_new(config, 1, false, &report));
    assert_reported(&report, lines, ARRAY_SIZE(lines));
}

static void an_error_from_before_gives_no_policy(void **state)
{
    (void)state;
    struct report report = {0};
    struct config *config = parse_config("[network]\nqueue = x\n", &report);
    assert_null(policy_new(config, 1, false, &report));
    assert_int_equal(report.errors, 1);
    report_fini(&report);
}

static void a_policy_knows_its_configuration_revision_and_patterns(void **state)
{
    (void)state;
    struct report report = {0};
    struct config *config = good_config("[ignore]\npattern = a\npattern = (?=b)\n");
    struct policy *policy = policy_new(config, 0x123456789abcULL, false, &report);
    assert_non_null(policy);
    assert_ptr_equal(policy_config(policy), config);
    assert_true(policy_revision(policy) == 0x123456789abcULL);
    assert_int_equal(patterns_count(policy_ignore(policy)), 2);
    assert_int_equal(patterns_split(policy_ignore(policy)).confirmed, 1);
    policy_unref(policy);
    policy_unref(NULL);
}

static void compiled_patterns_are_kept_in_the_state_directory_if_wanted(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path ignore = path_in(&folder, "ignore.hsdb"),
                      allow = path_in(&folder, "allow.hsdb");
    char text[256];
    snprintf(text, sizeof(text),
             "[control]\nstate = %s\n[ignore]\npattern = a\n[allow]\npattern = b\n", folder.path);
    for (int use_cache = 0; use_cache < 2; use_cache++) {
        struct report report = {0};
        struct policy *policy = policy_new(good_config(text), 1, use_cache != 0, &report);
        assert_non_null(policy);
        assert_int_equal(access(ignore.text, F_OK), use_cache - 1);
        assert_int_equal(access(allow.text, F_OK), use_cache - 1);
        policy_unref(policy);
    }
    remove_folder(&folder);
}

static void a_view_outlives_the_policys_maker(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^198\n");
    const struct flow flow = flow_to("198.51.100.1:443");
    struct decision decision = policy_decide(view, &flow);
    assert_string_equal(decision.rule->text, "^198");
    assert_int_equal(policy_revision(policy_view_policy(view)), 1);
    policy_view_free(view);
    policy_view_free(NULL);
}

struct decider {
    pthread_t thread;
    struct policy_view *view;
    struct flow ignored, other;
    unsigned wrong;
};

static void *decide(void *argument)
{
    struct decider *decider = argument;
    for (size_t i = 0; i < 1000; i++) {
        decider->wrong += policy_decide(decider->view, &decider->ignored).verdict != VERDICT_PASS;
        decider->wrong += policy_decide(decider->view, &decider->other).verdict != VERDICT_TAKE;
    }
    policy_view_free(decider->view);
    return NULL;
}

static void threads_decide_with_views_of_their_own_and_the_last_one_frees(void **state)
{
    (void)state;
    struct report report = {0};
    struct decider deciders[4];
    struct config *config = good_config("[ignore]\npattern = ^198\npattern = ^(?=199)\n");
    struct policy *policy = policy_new(config, 1, false, &report);
    assert_non_null(policy);
    for (size_t i = 0; i < ARRAY_SIZE(deciders); i++) {
        deciders[i] = (struct decider){.view = policy_view_new(policy, NULL),
                                       .ignored = flow_to("198.51.100.1:443"),
                                       .other = flow_to("203.0.113.1:443")};
        assert_non_null(deciders[i].view);
        assert_int_equal(pthread_create(&deciders[i].thread, NULL, decide, &deciders[i]), 0);
    }
    policy_unref(policy);
    for (size_t i = 0; i < ARRAY_SIZE(deciders); i++) {
        assert_int_equal(pthread_join(deciders[i].thread, NULL), 0);
        assert_int_equal(deciders[i].wrong, 0);
    }
}

/* ---- how TLS is spoken ---- */

static void assert_upstream(const struct policy_view *view, const struct flow *flow,
                            const char *mode, const char *section)
{
    struct tls_rules rules = policy_tls(view, flow);
    assert_string_equal(upstream_mode_name(rules.upstream), mode);
    assert_string_equal(rules.upstream_from->section, section);
}

static void each_key_is_the_first_matching_destinations_then_the_devices(void **state)
{
    (void)state;
    struct policy_view *view =
        view_of("[tls]\nupstream = ignore\n"
                "[destination old]\npattern = ^a\\.test:\nmin-version = 1.0\n"
                "[destination strict]\npattern = ^a\\.test:\npattern = ^198\\.51\\.100\\.9:\n"
                "upstream = verify\nmin-version = 1.3\n"
                "[device tv]\nmac = 02:00:5e:10:00:01\nupstream = mirror\n");
    struct flow flow = flow_to("198.51.100.1:443");
    flow.sni = "A.test";
    flow.opened = true;
    assert_upstream(view, &flow, "verify", "[destination strict]");
    assert_int_equal(policy_tls(view, &flow).min_version, TLS1_VERSION);
    flow.sni = "b.test";
    assert_upstream(view, &flow, "mirror", "[device tv]");
    assert_int_equal(policy_tls(view, &flow).min_version, TLS1_2_VERSION);
    flow.has_mac = false;
    assert_upstream(view, &flow, "ignore", "[tls]");
    flow = flow_to("198.51.100.9:443");
    assert_upstream(view, &flow, "verify", "[destination strict]");
    assert_int_equal(policy_tls(view, &flow).min_version, TLS1_3_VERSION);
    policy_view_free(view);
}

static void a_destination_may_be_meant_by_its_address_or_its_name_alone(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[destination a]\npattern = ^(?!a)\nmatch = sni\n"
                                       "upstream = ignore\n"
                                       "[destination b]\npattern = test\nmatch = address\n"
                                       "upstream = verify\n");
    struct flow flow = flow_to("198.51.100.1:443");
    assert_upstream(view, &flow, "mirror", "[tls]");
    flow.sni = "a.test";
    assert_upstream(view, &flow, "mirror", "[tls]");
    flow.sni = "b.test";
    assert_upstream(view, &flow, "ignore", "[destination a]");
    policy_view_free(view);
}

static void a_bad_pattern_of_a_destination_is_told_where_it_stands(void **state)
{
    (void)state;
    struct report report = {0};
    struct config *config = good_config("[destination a]\npattern = a\npattern = (b\n"
                                        "[destination c]\npattern = d)\n");
    assert_null(policy_new(config, 1, false, &report));
    assert_int_equal(report.errors, 2);
    assert_ptr_equal(strstr(report_text(&report, 0), "/etc/test.conf:3:"), report_text(&report, 0));
    assert_ptr_equal(strstr(report_text(&report, 1), "/etc/test.conf:5:"), report_text(&report, 1));
    report_fini(&report);
}

/* ---- QUIC ---- */

static struct flow quic_to(const char *origin)
{
    struct flow flow = flow_to(origin);
    flow.protocol = IPPROTO_UDP;
    return flow;
}

static enum holds holds_of(const struct policy_view *view, const struct flow *flow)
{
    return policy_decide(view, flow).holds;
}

static void quic_that_is_let_be_passes_where_tcp_is_taken(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[network]\nquic = pass\n[ignore]\npattern = ^198\n");
    struct flow flow = quic_to("203.0.113.1:443"), ignored = quic_to("198.51.100.1:443");
    assert_decision(view, &flow, VERDICT_PASS, REASON_QUIC, true);
    assert_int_equal(policy_tls(view, &flow).quic, QUIC_PASS);
    assert_decision(view, &ignored, VERDICT_PASS, REASON_RULE, true);
    flow.protocol = IPPROTO_TCP;
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, true);
    policy_view_free(view);
}

static void a_devices_quic_is_as_its_section_says(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[network]\nquic = pass\n"
                                       "[device a]\nmac = 02:00:5e:10:00:01\nquic = refuse\n"
                                       "[device b]\nmac = 02:00:5e:10:00:02\n");
    struct flow flow = quic_to("203.0.113.1:443");
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    assert_int_equal(holds_of(view, &flow), HOLDS_ONCE);
    assert_int_equal(policy_tls(view, &flow).quic, QUIC_REFUSE);
    flow.mac[5] = 2;
    assert_decision(view, &flow, VERDICT_PASS, REASON_QUIC, false);
    assert_int_equal(holds_of(view, &flow), HOLDS_FOR_DEVICE);
    flow.mac[5] = 3; /* has no section */
    assert_decision(view, &flow, VERDICT_PASS, REASON_QUIC, false);
    policy_view_free(view);
    view = view_of("[device a]\nmac = 02:00:5e:10:00:01\nquic = pass\n");
    flow.mac[5] = 1;
    assert_decision(view, &flow, VERDICT_PASS, REASON_QUIC, false);
    flow.mac[5] = 2;
    assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, false);
    policy_view_free(view);
}

/* What is refused to all is refused whatever name it asks for. */
static void where_a_name_may_matter_quic_is_not_refused_for_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool for_all;
    } cases[] = {
        {"", true},
        {"[ignore]\npattern = a\n", true},
        {"[ignore]\nmatch = address sni\n", true},
        {"[ignore]\npattern = a\nmatch = address sni\n", false},
        {"[ignore]\npattern = a\nmatch = dns\n", false},
        {"[allow]\npattern = .\nmatch = address sni\n", false},
        {"[allow]\npattern = .\n", true},
        {"[ignore]\nlearn = auto\n", false},
        {"[ignore]\nlearn = suggest\n", false},
        {"[tls]\nname-constraints = a.test\n", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct policy_view *view = view_of(cases[i].text);
        struct flow flow = quic_to("203.0.113.1:443");
        assert_decision(view, &flow, VERDICT_TAKE, REASON_DEFAULT, cases[i].for_all);
        assert_int_equal(policy_wants_name(view, &flow), !cases[i].for_all);
        policy_view_free(view);
    }
}

static void a_name_is_wanted_only_where_it_may_change_something(void **state)
{
    (void)state;
    struct policy_view *view = view_of("[ignore]\npattern = ^198\npattern = a\\.test\n"
                                       "match = address sni\n"
                                       "[device a]\naddress = 192.0.2.1\nintercept = no\n"
                                       "[device b]\naddress = 192.0.2.2\nquic = pass\n");
    struct flow flow = quic_to("203.0.113.1:443");
    assert_true(policy_wants_name(view, &flow));
    flow.to_this_box = true;
    assert_false(policy_wants_name(view, &flow));
    flow = quic_to("198.51.100.1:443"); /* passes by its address */
    assert_false(policy_wants_name(view, &flow));
    flow = quic_to("203.0.113.1:443");
    assert_true(address_parse(&flow.device, "192.0.2.1:50000"));
    assert_false(policy_wants_name(view, &flow));
    assert_true(address_parse(&flow.device, "192.0.2.2:50000"));
    assert_false(policy_wants_name(view, &flow));
    policy_view_free(view);
    view = view_of("[device a]\naddress = 192.0.2.1\npattern = a\nmatch = sni\n");
    flow = quic_to("203.0.113.1:443");
    assert_true(policy_wants_name(view, &flow));
    policy_view_free(view);
}

static void reasons_have_the_names_of_the_records(void **state)
{
    (void)state;
    static const char *const names[] = {
        [REASON_DEFAULT] = "default",
        [REASON_RULE] = "rule",
        [REASON_NOT_ALLOWED] = "not_allowed",
        [REASON_PINNED] = "pinned",
        [REASON_DEVICE] = "device",
        [REASON_LOCAL] = "local",
        [REASON_CONSTRAINTS] = "name_constraints",
        [REASON_NOT_TLS] = "not_tls",
        [REASON_OVERLOAD] = "overload",
        [REASON_DRAINING] = "draining",
        [REASON_MTLS] = "mtls",
        [REASON_QUIC] = "quic",
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_string_equal(reason_name((enum reason)i), names[i]);
}

/* A datagram that waits is described again after a reload: by then the name that the old policy had
 * for the device is gone. */
static void what_another_policy_called_a_device_is_forgotten(void **state)
{
    (void)state;
    struct policy_view *old = view_of("[device cam]\nmac = 02:00:5e:10:00:01\n");
    struct policy_view *new = view_of("");
    struct flow flow = flow_to("198.51.100.1:443");
    struct arena arena = {0};
    policy_describe(old, &flow, &arena);
    assert_string_equal(flow.device_name, "cam");
    policy_view_free(old);
    policy_describe(new, &flow, &arena);
    assert_null(flow.device_name);
    policy_view_free(new);
    arena_fini(&arena);
}

static void a_rules_place_is_its_file_and_line(void **state)
{
    (void)state;
    char text[RULE_PLACE_SIZE];
    struct pattern_source rule = {.text = "a", .place = {"/etc/a.list", 12}};
    assert_string_equal(rule_place(&rule, text), "/etc/a.list:12");
    rule.place = (struct place){"--ignore", 2};
    assert_string_equal(rule_place(&rule, text), "--ignore");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rules_everything_is_taken_whoever_asks),
        cmocka_unit_test(an_ignored_address_passes_and_the_kernel_may_know),
        cmocka_unit_test(ipv6_addresses_are_looked_at_with_brackets_and_without),
        cmocka_unit_test(the_first_pattern_of_the_file_is_the_rule),
        cmocka_unit_test(a_name_means_nothing_where_only_addresses_are_matched),
        cmocka_unit_test(a_name_lets_a_connection_pass_and_only_this_one),
        cmocka_unit_test(an_address_may_still_pass_for_everybody_where_names_are_matched),
        cmocka_unit_test(an_address_is_not_looked_at_where_only_names_are),
        cmocka_unit_test(the_longest_name_is_matched_to_its_end),
        cmocka_unit_test(a_resolved_name_decides_the_first_packet_for_its_device),
        cmocka_unit_test(names_that_are_not_decided_alike_wait_for_the_first_bytes),
        cmocka_unit_test(where_names_were_lost_nothing_holds_for_all_of_them),
        cmocka_unit_test(an_address_that_is_ignored_is_so_whatever_its_names),
        cmocka_unit_test(an_sni_holds_for_the_device_where_dns_agrees),
        cmocka_unit_test(what_is_allowed_is_known_by_its_resolved_name),
        cmocka_unit_test(a_devices_own_patterns_hold_for_it_alone),
        cmocka_unit_test(networks_and_interfaces_are_known_by_their_bits_and_names),
        cmocka_unit_test(dns_is_watched_where_something_depends_on_it),
        cmocka_unit_test(a_resolved_name_counts_only_where_the_rule_says_so),
        cmocka_unit_test(where_names_of_one_address_are_decided_alike_the_first_packet_is),
        cmocka_unit_test(an_unresolved_name_in_the_handshake_leaves_the_latest),
        cmocka_unit_test(so_does_the_host_of_a_plain_request),
        cmocka_unit_test(only_allowed_resolved_names_are_taken),
        cmocka_unit_test(a_devices_own_patterns_look_at_its_names),
        cmocka_unit_test(quic_is_decided_by_resolved_names_alike),
        cmocka_unit_test(what_a_device_has_resolved_is_described_and_decides),
        cmocka_unit_test(what_is_pinned_passes_with_its_first_packet_once_it_is_resolved),
        cmocka_unit_test(what_is_pinned_without_a_name_holds_where_none_was_resolved),
        cmocka_unit_test(with_allow_rules_only_what_they_name_is_taken),
        cmocka_unit_test(ignore_goes_before_allow),
        cmocka_unit_test(allowing_by_name_waits_for_the_client_hello),
        cmocka_unit_test(an_excluded_device_passes_whatever_the_rules_say),
        cmocka_unit_test(where_devices_differ_the_kernel_may_not_take_for_all),
        cmocka_unit_test(the_first_device_that_fits_counts),
        cmocka_unit_test(an_unknown_mac_is_nobodys),
        cmocka_unit_test(what_is_for_this_box_passes_before_any_rule),
        cmocka_unit_test(a_bad_pattern_gives_no_policy),
        cmocka_unit_test(bad_patterns_are_told_beside_what_was_wrong_before),
        cmocka_unit_test(an_error_from_before_gives_no_policy),
        cmocka_unit_test(a_policy_knows_its_configuration_revision_and_patterns),
        cmocka_unit_test(compiled_patterns_are_kept_in_the_state_directory_if_wanted),
        cmocka_unit_test(a_view_outlives_the_policys_maker),
        cmocka_unit_test(threads_decide_with_views_of_their_own_and_the_last_one_frees),
        cmocka_unit_test(each_key_is_the_first_matching_destinations_then_the_devices),
        cmocka_unit_test(a_destination_may_be_meant_by_its_address_or_its_name_alone),
        cmocka_unit_test(a_bad_pattern_of_a_destination_is_told_where_it_stands),
        cmocka_unit_test(quic_that_is_let_be_passes_where_tcp_is_taken),
        cmocka_unit_test(a_devices_quic_is_as_its_section_says),
        cmocka_unit_test(where_a_name_may_matter_quic_is_not_refused_for_all),
        cmocka_unit_test(a_name_is_wanted_only_where_it_may_change_something),
        cmocka_unit_test(reasons_have_the_names_of_the_records),
        cmocka_unit_test(what_another_policy_called_a_device_is_forgotten),
        cmocka_unit_test(a_rules_place_is_its_file_and_line),
    };
    return cmocka_run_group_tests_name("policy/policy", tests, NULL, NULL);
}
