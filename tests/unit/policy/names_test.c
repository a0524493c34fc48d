/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/names.h"

#include <pthread.h>
#include <string.h>

#define HOUR ((uint64_t)3600 * 1000)

static const struct device_key phone = {6, {2, 0, 0x5e, 0x10, 0, 1}};
static const struct device_key camera = {6, {2, 0, 0x5e, 0x10, 0, 2}};

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(&address, text));
    return address;
}

static bool add(struct names *names, const struct device_key *device, const char *origin,
                const char *name, uint32_t ttl, uint64_t now)
{
    const struct address address = address_of(origin);
    return names_add(names, device, &address, name, ttl, now);
}

/* "b.test a.test": what the device knows of the address, the latest first. */
static const char *find(struct names *names, const struct device_key *device, const char *origin,
                        uint64_t now, struct flow *flow)
{
    static char text[1024];
    struct arena arena = {0};
    size_t length = 0;
    *flow = (struct flow){.origin = address_of(origin), .has_mac = device->size == MAC_SIZE};
    memcpy(flow->mac, device->bytes, MAC_SIZE);
    names_find(names, flow, &arena, now);
    text[0] = '\0';
    for (size_t i = 0; i < flow->name_count; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s", i > 0 ? " " : "",
                                   flow->names[i]);
    arena_fini(&arena);
    return text;
}

static void assert_names(struct names *names, const struct device_key *device, const char *origin,
                         uint64_t now, const char *expected)
{
    struct flow flow;
    assert_string_equal(find(names, device, origin, now, &flow), expected);
}

static void names_are_known_for_a_device_and_an_address(void **state)
{
    (void)state;
    struct names *names = names_new();
    assert_true(add(names, &phone, "192.0.2.1:0", "a.test", 60, 0));
    assert_names(names, &phone, "192.0.2.1:443", 1, "a.test");
    assert_names(names, &phone, "192.0.2.2:443", 1, "");
    assert_names(names, &camera, "192.0.2.1:443", 1, "");
    assert_true(add(names, &phone, "[2001:db8::1]:0", "a.test", 60, 0));
    assert_names(names, &phone, "[2001:db8::1]:443", 1, "a.test");
    names_free(names);
}

static void the_latest_name_comes_first(void **state)
{
    (void)state;
    struct names *names = names_new();
    assert_true(add(names, &phone, "192.0.2.1:0", "a.test", 60, 0));
    assert_true(add(names, &phone, "192.0.2.1:0", "b.test", 60, 1));
    assert_names(names, &phone, "192.0.2.1:1", 2, "b.test a.test");
    assert_false(add(names, &phone, "192.0.2.1:0", "a.test", 60, 3)); /* no news */
    assert_names(names, &phone, "192.0.2.1:1", 4, "a.test b.test");
    names_free(names);
}

static void a_name_lives_for_its_ttl_and_an_hour(void **state)
{
    (void)state;
    struct names *names = names_new();
    struct flow flow;
    assert_true(add(names, &phone, "192.0.2.1:0", "a.test", 60, 1000));
    assert_true(add(names, &phone, "192.0.2.1:0", "b.test", 120, 1000));
    (void)find(names, &phone, "192.0.2.1:1", 2000, &flow);
    assert_int_equal(flow.names_until, 61000 + HOUR); /* of the first that goes */
    assert_names(names, &phone, "192.0.2.1:1", 61000 + HOUR - 1, "b.test a.test");
    assert_names(names, &phone, "192.0.2.1:1", 61000 + HOUR, "b.test");
    assert_names(names, &phone, "192.0.2.1:1", 121000 + HOUR, "");
    assert_true(add(names, &phone, "192.0.2.1:0", "a.test", 60, 200000 + HOUR)); /* news again */
    names_free(names);
}

static void more_names_than_are_kept_are_told_of(void **state)
{
    (void)state;
    struct names *names = names_new();
    struct flow flow;
    char name[16];
    for (int i = 0; i < NAMES_EACH; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        assert_true(add(names, &phone, "192.0.2.1:0", name, 60, 0));
    }
    (void)find(names, &phone, "192.0.2.1:1", 1, &flow);
    assert_int_equal(flow.name_count, NAMES_EACH);
    assert_false(flow.names_crowded);
    assert_true(add(names, &phone, "192.0.2.1:0", "one-more.test", 600, 0));
    (void)find(names, &phone, "192.0.2.1:1", 1, &flow);
    assert_int_equal(flow.name_count, NAMES_EACH);
    assert_true(flow.names_crowded);
    (void)find(names, &phone, "192.0.2.1:1", 60000 + HOUR, &flow); /* it would be gone by now */
    assert_false(flow.names_crowded);
    assert_int_equal(flow.name_count, 1);
    names_free(names);
}

static void news_have_a_version(void **state)
{
    (void)state;
    struct names *names = names_new();
    struct flow before, after;
    (void)find(names, &phone, "192.0.2.1:1", 1, &before);
    assert_true(add(names, &camera, "192.0.2.1:0", "a.test", 60, 1));
    (void)find(names, &phone, "192.0.2.1:1", 1, &after);
    assert_int_equal(after.names_version, before.names_version + 1);
    assert_false(add(names, &camera, "192.0.2.1:0", "a.test", 60, 1));
    (void)find(names, &phone, "192.0.2.1:1", 1, &before);
    assert_int_equal(after.names_version, before.names_version);
    names_free(names);
}

static void what_was_told_longest_ago_goes_where_there_is_no_room(void **state)
{
    (void)state;
    struct names *names = names_new();
    char origin[32];
    for (unsigned i = 0; i <= NAMES_LIMIT; i++) {
        snprintf(origin, sizeof(origin), "10.%u.%u.%u:0", i >> 16 & 255, i >> 8 & 255, i & 255);
        assert_true(add(names, &phone, origin, "a.test", 60, 0));
        if (i == 0)
            assert_false(add(names, &phone, "10.0.0.0:0", "a.test", 60, 0));
    }
    assert_names(names, &phone, "10.0.0.0:1", 1, "");
    assert_names(names, &phone, "10.0.0.1:1", 1, "a.test");
    assert_names(names, &phone, "10.1.0.0:1", 1, "a.test");
    names_free(names);
}

static void *hammer(void *context)
{
    struct names *names = context;
    struct arena arena = {0};
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "n%d.test", i % 20);
        (void)add(names, &phone, "192.0.2.1:0", name, 1, (uint64_t)i * 10000);
        struct flow flow = {.origin = address_of("192.0.2.1:443"), .has_mac = true};
        memcpy(flow.mac, phone.bytes, MAC_SIZE);
        names_find(names, &flow, &arena, (uint64_t)i * 10000);
        for (size_t n = 0; n < flow.name_count; n++)
            assert_non_null(strchr(flow.names[n], '.'));
        arena_fini(&arena);
    }
    return NULL;
}

static void threads_do_not_get_into_each_others_way(void **state)
{
    (void)state;
    struct names *names = names_new();
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, names), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_for_a_device_and_an_address),
        cmocka_unit_test(the_latest_name_comes_first),
        cmocka_unit_test(a_name_lives_for_its_ttl_and_an_hour),
        cmocka_unit_test(more_names_than_are_kept_are_told_of),
        cmocka_unit_test(news_have_a_version),
        cmocka_unit_test(what_was_told_longest_ago_goes_where_there_is_no_room),
        cmocka_unit_test(threads_do_not_get_into_each_others_way),
    };
    return cmocka_run_group_tests_name("policy/names", tests, NULL, NULL);
}
