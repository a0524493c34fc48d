/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct gather gather;

struct stage {
    struct outgoing outgoing;
    int peer;
    BIO *bio;
};

static int make_stage(void **state, int type)
{
    int ends[2];
    struct stage *stage = calloc(1, sizeof(*stage));
    assert_non_null(stage);
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends), 0);
    stage->outgoing.fd = ends[0];
    stage->peer = ends[1];
    stage->bio = outgoing_bio(&stage->outgoing);
    assert_non_null(stage->bio);
    *state = stage;
    return 0;
}

/* Each send(2) is a message of its own. */
static int make_messages(void **state)
{
    return make_stage(state, SOCK_SEQPACKET);
}

static int make_stream(void **state)
{
    return make_stage(state, SOCK_STREAM);
}

static int free_stage(void **state)
{
    struct stage *stage = *state;
    BIO_free(stage->bio);
    outgoing_fini(&stage->outgoing);
    close(stage->outgoing.fd);
    if (stage->peer >= 0)
        close(stage->peer);
    free(stage);
    return 0;
}

static void assert_peer_has(struct stage *stage, const char *text)
{
    char bytes[64];
    ssize_t length = recv(stage->peer, bytes, sizeof(bytes), 0);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void assert_peer_has_nothing(struct stage *stage)
{
    char byte;
    assert_int_equal(recv(stage->peer, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void a_write_goes_out_at_once(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(BIO_write(stage->bio, "one", 3), 3);
    assert_int_equal(BIO_write(stage->bio, "two", 3), 3);
    assert_peer_has(stage, "one");
    assert_peer_has(stage, "two");
}

static void what_is_gathered_goes_out_together(void **state)
{
    struct stage *stage = *state;
    outgoing_gather(&stage->outgoing, &gather);
    assert_int_equal(BIO_write(stage->bio, "one", 3), 3);
    assert_int_equal(BIO_write(stage->bio, "two", 3), 3);
    assert_peer_has_nothing(stage);
    assert_int_equal(outgoing_flush(&stage->outgoing), IO_OK);
    assert_peer_has(stage, "onetwo");
    assert_int_equal(BIO_write(stage->bio, "three", 5), 5);
    assert_peer_has(stage, "three");
}

static void what_does_not_fit_waits_for_the_next_go(void **state)
{
    struct stage *stage = *state;
    static char bytes[GATHER_SIZE + 1];
    outgoing_gather(&stage->outgoing, &gather);
    assert_int_equal(BIO_write(stage->bio, bytes, GATHER_SIZE - 1), GATHER_SIZE - 1);
    assert_int_equal(BIO_write(stage->bio, "ab", 2), 1);
    assert_peer_has_nothing(stage);
    assert_int_equal(BIO_write(stage->bio, "b", 1), 1);
    assert_int_equal(recv(stage->peer, bytes, sizeof(bytes), 0), GATHER_SIZE);
    assert_int_equal(bytes[GATHER_SIZE - 1], 'a');
    assert_peer_has_nothing(stage);
    assert_int_equal(outgoing_flush(&stage->outgoing), IO_OK);
    assert_peer_has(stage, "b");
}

/* A pattern that shows where a byte came from. */
static char byte_at(size_t place)
{
    return (char)(place * 7 % 251);
}

/* Writes so many bytes of it; how many went. */
static size_t write_from(struct stage *stage, size_t place, size_t length)
{
    static char bytes[16406]; /* a full record of TLS 1.3 */
    size_t count = 0;
    assert_true(length <= sizeof(bytes));
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(place + i);
    return BIO_write_ex(stage->bio, bytes, length, &count) == 1 ? count : 0;
}

/* Gathers so much that the socket takes not all; how much it was. */
static size_t fill(struct stage *stage)
{
    size_t total = 0;
    enum io io;
    do {
        outgoing_gather(&stage->outgoing, &gather);
        total += write_from(stage, total, 10000);
        total += write_from(stage, total, 10000);
        io = outgoing_flush(&stage->outgoing);
        assert_int_not_equal(io, IO_RESET);
    } while (io == IO_OK);
    return total;
}

static size_t listen_to(struct stage *stage, size_t from, size_t atmost)
{
    static char bytes[8192];
    size_t at = from;
    while (at - from < atmost) {
        ssize_t length = recv(stage->peer, bytes, sizeof(bytes), 0);
        if (length <= 0)
            break;
        for (ssize_t i = 0; i < length; i++)
            assert_int_equal(bytes[i], byte_at(at++));
    }
    return at;
}

static void what_the_socket_does_not_take_goes_before_the_rest(void **state)
{
    struct stage *stage = *state;
    const size_t total = fill(stage);
    char next[] = {byte_at(total), byte_at(total + 1)};
    /* Neither by itself nor gathered does anything overtake it. */
    assert_int_equal(BIO_write(stage->bio, next, 2), -1);
    assert_true(BIO_should_write(stage->bio));
    outgoing_gather(&stage->outgoing, &gather);
    assert_int_equal(BIO_write(stage->bio, next, 2), -1);
    assert_true(BIO_should_write(stage->bio));
    assert_int_equal(outgoing_flush(&stage->outgoing), IO_WANT_WRITE);
    size_t heard = 0;
    do
        heard = listen_to(stage, heard, 10000);
    while (outgoing_flush(&stage->outgoing) == IO_WANT_WRITE);
    assert_int_equal(listen_to(stage, heard, SIZE_MAX), total);
    assert_int_equal(BIO_write(stage->bio, next, 2), 2);
    assert_false(BIO_should_retry(stage->bio));
    assert_int_equal(listen_to(stage, total, SIZE_MAX), total + 2);
}

static void what_is_full_is_sent_before_more_is_taken(void **state)
{
    struct stage *stage = *state;
    size_t total = 0, taken;
    do { /* until the socket has no room either */
        outgoing_gather(&stage->outgoing, &gather);
        while ((taken = write_from(stage, total, 16406)) > 0)
            total += taken;
    } while (!BIO_should_write(stage->bio));
    assert_int_equal(gather.length, 0);
    assert_non_null(stage->outgoing.unsent);
    assert_int_equal(outgoing_flush(&stage->outgoing), IO_WANT_WRITE);
    size_t heard = listen_to(stage, 0, SIZE_MAX);
    assert_true(total - heard <= GATHER_SIZE);
    while (outgoing_flush(&stage->outgoing) == IO_WANT_WRITE)
        heard = listen_to(stage, heard, SIZE_MAX);
    assert_int_equal(listen_to(stage, heard, SIZE_MAX), total);
}

/* A leak would be found. */
static void what_was_not_sent_may_be_forgotten(void **state)
{
    struct stage *stage = *state;
    (void)fill(stage);
    assert_non_null(stage->outgoing.unsent);
    outgoing_fini(&stage->outgoing);
    assert_null(stage->outgoing.unsent);
}

static void a_peer_that_is_gone_is_an_error(void **state)
{
    struct stage *stage = *state;
    close(stage->peer);
    stage->peer = -1;
    outgoing_gather(&stage->outgoing, &gather);
    assert_int_equal(BIO_write(stage->bio, "ab", 2), 2);
    assert_int_equal(outgoing_flush(&stage->outgoing), IO_RESET);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(BIO_write(stage->bio, "ab", 2), -1);
    assert_false(BIO_should_retry(stage->bio));
    outgoing_gather(&stage->outgoing, &gather);
    assert_int_equal(outgoing_flush(&stage->outgoing), IO_OK); /* of what failed nothing is left */
}

#define ON(stage, test) cmocka_unit_test_setup_teardown(test, stage, free_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(make_messages, a_write_goes_out_at_once),
        ON(make_messages, what_is_gathered_goes_out_together),
        ON(make_messages, what_does_not_fit_waits_for_the_next_go),
        ON(make_stream, what_the_socket_does_not_take_goes_before_the_rest),
        ON(make_stream, what_is_full_is_sent_before_more_is_taken),
        ON(make_stream, what_was_not_sent_may_be_forgotten),
        ON(make_messages, a_peer_that_is_gone_is_an_error),
    };
    return cmocka_run_group_tests_name("tls/outgoing", tests, NULL, NULL);
}
