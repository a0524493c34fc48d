/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t count_messages(const char *bytes, size_t length, size_t piece)
{
    struct grpc grpc = {0};
    for (size_t at = 0; at < length; at += piece)
        grpc_read(&grpc, (const uint8_t *)bytes + at, length - at < piece ? length - at : piece);
    return grpc.messages;
}

static void messages_are_counted_in_pieces_of_any_size(void **state)
{
    static const char body[] =
        "\0\0\0\0\3abc\1\0\0\0\0\0\0\0\1\0" /* 256 bytes, of which 3 are there */
        "abc";
    (void)state;
    for (size_t piece = 1; piece < sizeof(body); piece++)
        assert_int_equal(count_messages(body, sizeof(body) - 1, piece), 3);
    assert_int_equal(count_messages("\0\0\0\0", 4, 4), 0);
    assert_int_equal(count_messages("\0\xff\xff\xff\xff", 5, 5), 1);
}

static void grpc_is_known_by_its_content_type(void **state)
{
    (void)state;
    assert_true(grpc_is(text_from("application/grpc", 16)));
    assert_true(grpc_is(text_from("Application/GRPC+proto", 22)));
    assert_true(grpc_is(text_from("application/grpc;charset=x", 26)));
    assert_false(grpc_is(text_from("application/grpc-web", 20)));
    assert_false(grpc_is(text_from("application/grp", 15)));
}

static void assert_says(const char *header, const char *said)
{
    char room[GRPC_MESSAGE];
    struct text text = grpc_message(text_from(header, strlen(header)), room);
    assert_true(text_is(text, said));
}

static void messages_are_told_without_their_encoding(void **state)
{
    char room[GRPC_MESSAGE], longer[GRPC_MESSAGE + 2];
    (void)state;
    assert_says("not%20you", "not you");
    assert_says("%e2%82%AC 5", "\xe2\x82\xac 5");
    assert_says("100%", "100%");
    assert_says("100%2", "100%2");
    assert_says("%gg%2g%%41", "%gg%2g%A");
    assert_says("", "");
    assert_null(grpc_message((struct text){0}, room).at);
    memset(longer, 'x', sizeof(longer));
    assert_int_equal(grpc_message(text_from(longer, sizeof(longer)), room).length, GRPC_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_counted_in_pieces_of_any_size),
        cmocka_unit_test(messages_are_told_without_their_encoding),
        cmocka_unit_test(grpc_is_known_by_its_content_type),
    };
    return cmocka_run_group_tests_name("tap/grpc", tests, NULL, NULL);
}
