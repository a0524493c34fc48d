/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conn/mtls.h"

static struct mtls mtls;

static struct flow flow_of(const char *device, const char *origin, const char *name)
{
    struct flow flow = {.sni = name};
    assert_true(address_parse(&flow.device, device));
    assert_true(address_parse(&flow.origin, origin));
    return flow;
}

static int forget(void **state)
{
    (void)state;
    mtls = (struct mtls){0};
    return 0;
}

static void a_flow_is_known_by_device_destination_and_name(void **state)
{
    (void)state;
    struct flow flow = flow_of("192.0.2.1:1000", "198.51.100.1:443", "a.test");
    assert_false(mtls_knows(&mtls, &flow, 5));
    mtls_remember(&mtls, &flow, 5);
    assert_true(mtls_knows(&mtls, &flow, 5));
    flow.device.port = 2000;
    assert_true(mtls_knows(&mtls, &flow, 5));
    static const struct {
        const char *device, *origin, *name;
    } others[] = {{"192.0.2.2:1000", "198.51.100.1:443", "a.test"},
                  {"192.0.2.1:1000", "198.51.100.2:443", "a.test"},
                  {"192.0.2.1:1000", "198.51.100.1:444", "a.test"},
                  {"192.0.2.1:1000", "198.51.100.1:443", "b.test"},
                  {"192.0.2.1:1000", "198.51.100.1:443", NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        flow = flow_of(others[i].device, others[i].origin, others[i].name);
        assert_false(mtls_knows(&mtls, &flow, 5));
    }
}

static void it_is_known_for_an_hour_from_the_last_time(void **state)
{
    (void)state;
    struct flow flow = flow_of("[2001:db8::1]:1000", "[2001:db8::2]:443", NULL);
    mtls_remember(&mtls, &flow, 1000);
    assert_true(mtls_knows(&mtls, &flow, 1000 + MTLS_TIME - 1));
    assert_false(mtls_knows(&mtls, &flow, 1000 + MTLS_TIME));
    mtls_remember(&mtls, &flow, 5000);
    assert_true(mtls_knows(&mtls, &flow, 1000 + MTLS_TIME));
}

static void newer_ones_push_out_older_ones(void **state)
{
    (void)state;
    const unsigned count = 4 * MTLS_SETS * MTLS_WAYS;
    char device[32];
    unsigned old = 0, new = 0;
    for (unsigned i = 0; i < count; i++) {
        snprintf(device, sizeof(device), "10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
        struct flow flow = flow_of(device, "198.51.100.1:443", NULL);
        mtls_remember(&mtls, &flow, i + 1);
        assert_true(mtls_knows(&mtls, &flow, i + 1));
    }
    for (unsigned i = 0; i < count; i++) {
        snprintf(device, sizeof(device), "10.%u.%u.%u:1", i >> 16, i >> 8 & 255, i & 255);
        struct flow flow = flow_of(device, "198.51.100.1:443", NULL);
        unsigned known = mtls_knows(&mtls, &flow, count) ? 1 : 0;
        *(i < count / 2 ? &old : &new) += known;
    }
    assert_true(old + new <= MTLS_SETS *MTLS_WAYS);
    assert_true(new > 10 * old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_flow_is_known_by_device_destination_and_name, forget),
        cmocka_unit_test_setup(it_is_known_for_an_hour_from_the_last_time, forget),
        cmocka_unit_test_setup(newer_ones_push_out_older_ones, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
