/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/mqtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* A packet in memory of its own, so that a sanitizer sees a read past its end. */
struct read {
    struct mqtt_packet packet;
    struct mqtt_parts parts;
    uint8_t *bytes;
    bool is_one;
};

static struct read read_start(uint8_t first, unsigned version, const char *at, size_t kept,
                              uint64_t length)
{
    struct read read = {.bytes = malloc(kept > 0 ? kept : 1)};
    assert_non_null(read.bytes);
    memcpy(read.bytes, at, kept);
    read.is_one = mqtt_read(
        &read.packet, &read.parts,
        &(struct mqtt_bytes){
            .first = first, .length = length, .at = read.bytes, .kept = kept, .version = version});
    return read;
}

#define READ(first, version, literal) \
    read_start(first, version, literal, sizeof(literal) - 1, sizeof(literal) - 1)

static void a_connect_says_who_comes_with_which_will(void **state)
{
    (void)state;
    struct read read = READ(0x10, 0,
                            "\0\4MQTT\4\xf6\0\x3c\0\2id\0\4gone\0\3bye"
                            "\0\4user\0\4pass");
    const struct mqtt_packet *packet = &read.packet;
    assert_true(read.is_one);
    assert_int_equal(packet->type, MQTT_CONNECT);
    assert_int_equal(packet->version, 4);
    assert_true(text_is(packet->protocol, "MQTT") && text_is(packet->client_id, "id"));
    assert_true(text_is(packet->will_topic, "gone") && text_is(packet->will_message, "bye"));
    assert_true(text_is(packet->username, "user") && text_is(packet->password, "pass"));
    assert_int_equal(packet->code, -1);
    free(read.bytes);
}

static void an_old_connect_and_a_bridges_are_ones_too(void **state)
{
    (void)state;
    struct read old = READ(0x10, 0, "\0\6MQIsdp\3\2\0\x3c\0\0");
    assert_true(old.is_one && old.packet.version == 3 && text_is(old.packet.protocol, "MQIsdp"));
    assert_true(old.packet.client_id.at != NULL && old.packet.client_id.length == 0);
    struct read bridge = READ(0x10, 0, "\0\4MQTT\x84\2\0\x3c\0\0");
    assert_true(bridge.is_one && bridge.packet.version == 4);
    assert_int_equal(mqtt_version((const uint8_t *)"\0\4MQTT\5", 7), 5);
    assert_int_equal(mqtt_version((const uint8_t *)"\0\4MQTT\5", 6), 0);
    free(old.bytes);
    free(bridge.bytes);
}

static void properties_have_suricatas_names_and_a_users_their_own(void **state)
{
    (void)state;
    /* Expiry, content type, a pair, an identifier of two bytes, one of a byte. */
    struct read read = READ(0x30, 5,
                            "\0\1t\x16\2\0\0\1\0\3\0\1c\x26\0\1k\0\2vv\x0b\x81\1\1\1"
                            "text");
    const struct mqtt_properties *properties = &read.packet.properties;
    assert_true(read.is_one);
    assert_int_equal(properties->count, 5);
    assert_true(text_is(properties->list[0].name, "message_expiry_interval"));
    assert_int_equal(properties->list[0].number, 256);
    assert_true(text_is(properties->list[1].name, "content_type"));
    assert_true(text_is(properties->list[1].value, "c"));
    assert_true(text_is(properties->list[2].name, "k") && text_is(properties->list[2].value, "vv"));
    assert_true(properties->list[2].is_users && !properties->list[1].is_users);
    assert_int_equal(properties->list[3].number, 129);
    assert_true(text_is(properties->list[4].name, "payload_format_indicator"));
    assert_true(text_is(read.packet.message, "text"));
    free(read.bytes);
}

static void properties_that_are_none_make_the_packet_none(void **state)
{
    static const char *const bad[] = {
        "\0\1t\2\4\0",           /* there is no fourth property */
        "\0\1t\3\2\0\0",         /* its four bytes are two */
        "\0\1t\5\x26\0\1k\0",    /* half a pair */
        "\0\1t\x7f\1\0",         /* more than there is */
        "\0\1t\x80\x80\x80\x80", /* a length without an end */
    };
    static const size_t lengths[] = {6, 7, 9, 6, 7};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct read read = read_start(0x30, 5, bad[i], lengths[i], lengths[i]);
        assert_false(read.is_one);
        free(read.bytes);
    }
}

static void what_is_more_than_there_is_room_for_is_cut(void **state)
{
    char bytes[3 + 3 * (MQTT_TOPICS + 1) * 2] = "\0\1";
    size_t length = 2;
    (void)state;
    for (int i = 0; i <= MQTT_TOPICS; i++) {
        memcpy(bytes + length, "\0\1x\2", 4);
        length += 4;
    }
    struct read read = read_start(0x82, 4, bytes, length, length);
    assert_true(read.is_one && read.packet.cut);
    assert_int_equal(read.packet.topic_count, MQTT_TOPICS);
    assert_int_equal(read.packet.topics[MQTT_TOPICS - 1].qos, 2);
    free(read.bytes);
    bytes[2] = 5; /* the first topic is longer than its packet */
    read = read_start(0x82, 4, bytes, 5, 5);
    assert_false(read.is_one);
    free(read.bytes);
}

static void of_a_long_message_the_start_is_enough(void **state)
{
    (void)state;
    struct read read = read_start(0x33, 4, "\0\1t\0\7mess", 9, 1000);
    assert_true(read.is_one && !read.packet.truncated);
    assert_true(text_is(read.packet.message, "mess"));
    assert_int_equal(read.packet.message_length, 995);
    assert_int_equal(read.packet.id, 7);
    assert_true(read.packet.retain && !read.packet.dup && read.packet.qos == 1);
    free(read.bytes);
    read = read_start(0x82, 4, "\0\7\0\1t", 5, 1000);
    assert_true(read.is_one && read.packet.truncated && !read.packet.has_id);
    assert_int_equal(read.packet.topic_count, 0);
    free(read.bytes);
}

static void answers_have_their_codes(void **state)
{
    (void)state;
    struct read ack = READ(0x40, 4, "\0\7");
    assert_true(ack.is_one && ack.packet.id == 7 && ack.packet.code == -1);
    struct read ack5 = READ(0x40, 5, "\0\7\x10\0");
    assert_true(ack5.is_one && ack5.packet.code == 0x10);
    struct read granted = READ(0x90, 4, "\0\7\1\x80");
    assert_true(granted.is_one && text_is(granted.packet.codes, "\1\x80"));
    struct read over = READ(0xe0, 5, "");
    assert_true(over.is_one && over.packet.code == -1);
    struct read connack = READ(0x20, 4, "\1\5");
    assert_true(connack.is_one && connack.packet.session_present && connack.packet.code == 5);
    free(ack.bytes);
    free(ack5.bytes);
    free(granted.bytes);
    free(over.bytes);
    free(connack.bytes);
}

static void what_is_no_packet_is_none(void **state)
{
    (void)state;
    struct read none = READ(0x00, 4, "");
    assert_false(none.is_one);
    struct read both = READ(0x36, 4, "\0\1t\0\7"); /* a quality of service of 3 */
    assert_false(both.is_one);
    struct read half = READ(0x40, 4, "\0");
    assert_false(half.is_one);
    free(none.bytes);
    free(both.bytes);
    free(half.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connect_says_who_comes_with_which_will),
        cmocka_unit_test(an_old_connect_and_a_bridges_are_ones_too),
        cmocka_unit_test(properties_have_suricatas_names_and_a_users_their_own),
        cmocka_unit_test(properties_that_are_none_make_the_packet_none),
        cmocka_unit_test(what_is_more_than_there_is_room_for_is_cut),
        cmocka_unit_test(of_a_long_message_the_start_is_enough),
        cmocka_unit_test(answers_have_their_codes),
        cmocka_unit_test(what_is_no_packet_is_none),
    };
    return cmocka_run_group_tests_name("tap/mqtt", tests, NULL, NULL);
}
