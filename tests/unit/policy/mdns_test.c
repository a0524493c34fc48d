/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/mdns.h"

#include <string.h>

enum { A = 1, PTR = 12, TXT = 16, AAAA = 28 };

struct packet {
    uint8_t bytes[MDNS_PACKET_LIMIT];
    size_t length;
};

static void put(struct packet *packet, const void *bytes, size_t length)
{
    assert_true(packet->length + length <= sizeof(packet->bytes));
    memcpy(packet->bytes + packet->length, bytes, length);
    packet->length += length;
}

static void put_number(struct packet *packet, uint32_t number, size_t size)
{
    for (size_t i = size; i > 0; i--)
        put(packet, &(uint8_t){(uint8_t)(number >> 8 * (i - 1))}, 1);
}

/* "cam.local" as labels. */
static void put_name(struct packet *packet, const char *name)
{
    while (*name != '\0') {
        size_t length = strcspn(name, ".");
        put_number(packet, (uint32_t)length, 1);
        put(packet, name, length);
        name += length + (name[length] == '.');
    }
    put_number(packet, 0, 1);
}

/* A response with so many answers and additional records to follow. */
static struct packet response(uint32_t answers, uint32_t additional)
{
    struct packet packet = {.length = 0};
    put_number(&packet, 0x00008400, 4);
    put_number(&packet, 0, 2);
    put_number(&packet, answers, 2);
    put_number(&packet, 0, 2);
    put_number(&packet, additional, 2);
    return packet;
}

/* In class IN, with the bit that flushes caches. */
static void put_head(struct packet *packet, const char *owner, uint32_t type, uint32_t ttl)
{
    put_name(packet, owner);
    put_number(packet, type, 2);
    put_number(packet, 0x8001, 2);
    put_number(packet, ttl, 4);
}

static void put_address(struct packet *packet, const char *owner, const char *text, uint32_t ttl)
{
    struct address address;
    assert_true(address_ip_parse(&address, text));
    const size_t size = address_ip_size(&address);
    put_head(packet, owner, address.family == AF_INET ? A : AAAA, ttl);
    put_number(packet, (uint32_t)size, 2);
    put(packet, &address.ip, size);
}

static void put_pointer(struct packet *packet, const char *owner, const char *target)
{
    put_head(packet, owner, PTR, 120);
    put_number(packet, (uint32_t)strlen(target) + 2, 2);
    put_name(packet, target);
}

static void assert_name(const struct packet *packet, const char *source, const char *expected)
{
    struct address address;
    char name[MDNS_NAME_SIZE];
    assert_true(address_ip_parse(&address, source));
    bool found = mdns_read(packet->bytes, packet->length, &address, name);
    if (expected == NULL)
        assert_false(found);
    else
        assert_true(found);
    if (expected != NULL)
        assert_string_equal(name, expected);
}

static void a_device_tells_its_name_with_its_address(void **state)
{
    (void)state;
    struct packet packet = response(1, 0);
    put_address(&packet, "cam.local", "10.0.0.7", 120);
    assert_name(&packet, "10.0.0.7", "cam.local");
    packet = response(1, 0);
    put_address(&packet, "Cam.LOCAL", "fe80::7", 120);
    assert_name(&packet, "fe80::7", "Cam.local");
}

static void its_address_may_stand_behind_others(void **state)
{
    (void)state;
    struct packet packet = response(2, 2);
    put_pointer(&packet, "_http._tcp.local", "Cam._http._tcp.local");
    put_head(&packet, "Cam._http._tcp.local", TXT, 4500);
    put_number(&packet, 4, 2);
    put(&packet, "\3a=b", 4);
    put_address(&packet, "cam.local", "2001:db8::7", 120);
    put_address(&packet, "cam.local", "fe80::7", 120);
    assert_name(&packet, "fe80::7", "cam.local");
    assert_name(&packet, "2001:db8::7", "cam.local");
    assert_name(&packet, "10.0.0.7", NULL);
}

static void nobody_names_another(void **state)
{
    (void)state;
    struct packet packet = response(1, 0);
    put_address(&packet, "victim.local", "10.0.0.8", 120);
    assert_name(&packet, "10.0.0.7", NULL);
    packet = response(1, 0);
    put_pointer(&packet, "8.0.0.10.in-addr.arpa", "victim.local");
    assert_name(&packet, "10.0.0.7", NULL);
}

static void a_name_may_be_pointed_at_from_the_address(void **state)
{
    (void)state;
    struct packet packet = response(1, 0);
    put_pointer(&packet, "7.0.0.10.in-addr.arpa", "cam.local");
    assert_name(&packet, "10.0.0.7", "cam.local");
    packet = response(1, 0);
    put_pointer(&packet, "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                "cam.local");
    assert_name(&packet, "2001:db8::7", "cam.local");
}

static void only_names_in_local_count(void **state)
{
    (void)state;
    static const char *const owners[] = {
        "cam.lan", "cam.example.com", "local", "a.cam.local", "camlocal", "", "cam", "\xff.local"};
    for (size_t i = 0; i < 8; i++) {
        struct packet packet = response(1, 0);
        put_address(&packet, owners[i], "10.0.0.7", 120);
        assert_name(&packet, "10.0.0.7", NULL);
    }
    struct packet packet = response(1, 0);
    put_address(&packet, "Bob's \x1b[2J iPad.local", "10.0.0.7", 120);
    assert_name(&packet, "10.0.0.7", "Bob-s-2J-iPad.local");
}

static void a_good_bye_and_a_question_name_nobody(void **state)
{
    (void)state;
    struct packet packet = response(1, 0);
    put_address(&packet, "cam.local", "10.0.0.7", 0);
    assert_name(&packet, "10.0.0.7", NULL);
    packet = response(1, 0);
    put_address(&packet, "cam.local", "10.0.0.7", 120);
    packet.bytes[2] = 0x04;
    assert_name(&packet, "10.0.0.7", NULL);
    packet.bytes[2] = 0x84 | 0x28; /* a dynamic update */
    assert_name(&packet, "10.0.0.7", NULL);
}

static void what_is_cut_anywhere_is_nothing(void **state)
{
    (void)state;
    struct packet packet = response(1, 1);
    put_pointer(&packet, "_http._tcp.local", "Cam._http._tcp.local");
    put_address(&packet, "cam.local", "10.0.0.7", 120);
    assert_name(&packet, "10.0.0.7", "cam.local");
    while (packet.length-- > 0)
        assert_name(&packet, "10.0.0.7", NULL);
}

static void names_that_point_at_themselves_do_no_harm(void **state)
{
    (void)state;
    struct packet packet = response(1, 0);
    put_number(&packet, 0xc00c, 2); /* here */
    put_number(&packet, A, 2);
    put_number(&packet, 0x8001, 2);
    put_number(&packet, 120, 4);
    put_number(&packet, 4, 2);
    put(&packet, "\x0a\x00\x00\x07", 4);
    assert_name(&packet, "10.0.0.7", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_tells_its_name_with_its_address),
        cmocka_unit_test(its_address_may_stand_behind_others),
        cmocka_unit_test(nobody_names_another),
        cmocka_unit_test(a_name_may_be_pointed_at_from_the_address),
        cmocka_unit_test(only_names_in_local_count),
        cmocka_unit_test(a_good_bye_and_a_question_name_nobody),
        cmocka_unit_test(what_is_cut_anywhere_is_nothing),
        cmocka_unit_test(names_that_point_at_themselves_do_no_harm),
    };
    return cmocka_run_group_tests_name("policy/mdns", tests, NULL, NULL);
}
