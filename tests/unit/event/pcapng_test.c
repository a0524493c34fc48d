/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/pcapng.h"

#include <string.h>

static uint32_t word_at(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static uint16_t half_at(const unsigned char *bytes)
{
    uint16_t half;
    memcpy(&half, bytes, sizeof(half));
    return half;
}

/* The block's length, which stands at both of its ends and is a multiple of four. */
static size_t check_block(const unsigned char *block, size_t left, uint32_t type)
{
    assert_true(left >= 12);
    const uint32_t length = word_at(block + 4);
    assert_int_equal(word_at(block), type);
    assert_true(length <= left && length % 4 == 0);
    assert_int_equal(word_at(block + length - 4), length);
    return length;
}

/* The value of an option, and its length; NULL if it is not there. Options end before the block's
 * last word. */
static const unsigned char *find_option(const unsigned char *block, size_t fixed, unsigned code,
                                        size_t *length)
{
    const unsigned char *at = block + fixed, *end = block + word_at(block + 4) - 4;
    const unsigned char *found = NULL;
    for (;;) {
        assert_true(end - at >= 4);
        const size_t size = half_at(at + 2);
        if (half_at(at) == 0) {
            assert_int_equal(size, 0);
            assert_ptr_equal(at + 4, end);
            return found;
        }
        if (half_at(at) == code) {
            found = at + 4;
            *length = size;
        }
        at += 4 + (size + 3) / 4 * 4;
    }
}

static void a_file_begins_with_a_section_and_an_interface(void **state)
{
    (void)state;
    unsigned char head[PCAPNG_HEAD_SIZE];
    size_t option;
    const size_t length = pcapng_head(head, "interceptd 0.1");
    const size_t section = check_block(head, length, 0x0a0d0d0a);
    assert_int_equal(word_at(head + 8), 0x1a2b3c4d);
    assert_memory_equal(find_option(head, 24, 4, &option), "interceptd 0.1", 14);
    assert_int_equal(option, 14);
    const unsigned char *interface = head + section;
    assert_int_equal(section + check_block(interface, length - section, 1), length);
    assert_int_equal(half_at(interface + 8), 1); /* Ethernet */
    assert_memory_equal(find_option(interface, 16, 2, &option), "interceptd", 10);
    assert_int_equal(*find_option(interface, 16, 9, &option), 9); /* nanoseconds */
}

static void a_long_name_of_the_application_is_cut(void **state)
{
    (void)state;
    unsigned char head[PCAPNG_HEAD_SIZE];
    char name[1000];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_true(pcapng_head(head, name) <= sizeof(head));
}

/* Every remainder of lengths by four. */
static void a_packet_has_its_time_its_bytes_and_its_comment(void **state)
{
    (void)state;
    static const char comment[] = "flow_id=1 device=cam";
    unsigned char bytes[100];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    for (size_t data = 0; data < 8; data++) {
        const size_t said = sizeof(comment) - 1 - data % 4;
        const struct frame frame = {.time = UINT64_C(0x1122334455667788),
                                    .head = bytes,
                                    .head_length = 54,
                                    .data = bytes + 54,
                                    .data_length = data};
        unsigned char block[256];
        size_t length;
        memset(block, 0xee, sizeof(block));
        const size_t size = pcapng_packet(block, &frame, comment, said);
        assert_true(size <= pcapng_packet_size(&frame, said));
        assert_int_equal(check_block(block, size, 6), size);
        assert_int_equal(block[size], 0xee);
        assert_int_equal(word_at(block + 8), 0);
        assert_int_equal(word_at(block + 12), 0x11223344);
        assert_int_equal(word_at(block + 16), 0x55667788);
        assert_int_equal(word_at(block + 20), 54 + data);
        assert_int_equal(word_at(block + 24), 54 + data);
        assert_memory_equal(block + 28, bytes, 54 + data);
        const unsigned char *found = find_option(block, 28 + (54 + data + 3) / 4 * 4, 1, &length);
        assert_memory_equal(found, comment, said);
        assert_int_equal(length, said);
    }
}

static void a_file_ends_with_what_is_missing(void **state)
{
    (void)state;
    unsigned char block[PCAPNG_STATISTICS_SIZE];
    uint64_t number;
    size_t length;
    const size_t size = pcapng_statistics(block, 1, 1000, 7);
    assert_int_equal(check_block(block, size, 5), size);
    memcpy(&number, find_option(block, 20, 4, &length), sizeof(number));
    assert_int_equal(number, 1000);
    memcpy(&number, find_option(block, 20, 5, &length), sizeof(number));
    assert_int_equal(number, 7);
}

static void classic_pcap_has_microseconds(void **state)
{
    (void)state;
    unsigned char head[PCAP_HEAD_SIZE], packet[PCAP_PACKET_SIZE + 6];
    const struct frame frame = {.time = UINT64_C(1700000000123456789),
                                .head = (const unsigned char *)"head",
                                .head_length = 4,
                                .data = (const unsigned char *)"to",
                                .data_length = 2};
    pcap_head(head);
    assert_int_equal(word_at(head), 0xa1b2c3d4);
    assert_int_equal(half_at(head + 4), 2);
    assert_int_equal(half_at(head + 6), 4);
    assert_int_equal(word_at(head + 20), 1);
    pcap_packet(packet, &frame);
    assert_int_equal(word_at(packet), 1700000000);
    assert_int_equal(word_at(packet + 4), 123456);
    assert_int_equal(word_at(packet + 8), 6);
    assert_int_equal(word_at(packet + 12), 6);
    assert_memory_equal(packet + 16, "headto", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_begins_with_a_section_and_an_interface),
        cmocka_unit_test(a_long_name_of_the_application_is_cut),
        cmocka_unit_test(a_packet_has_its_time_its_bytes_and_its_comment),
        cmocka_unit_test(a_file_ends_with_what_is_missing),
        cmocka_unit_test(classic_pcap_has_microseconds),
    };
    return cmocka_run_group_tests_name("event/pcapng", tests, NULL, NULL);
}
