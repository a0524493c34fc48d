/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/followed.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int make_followed(void **state)
{
    struct followed *followed = calloc(1, sizeof(*followed));
    *state = followed;
    return followed != NULL && followed_init(followed) && followed_begin(followed) ? 0 : -1;
}

static int drop_followed(void **state)
{
    followed_fini(*state);
    free(*state);
    return 0;
}

static bool has_news(const struct followed *followed)
{
    struct pollfd news = {.fd = followed->news, .events = POLLIN};
    return poll(&news, 1, 0) == 1;
}

static void put(struct followed *followed, const char *line)
{
    followed_put(followed, line, strlen(line));
}

static void assert_next(struct followed *followed, const char *expected)
{
    size_t length;
    uint64_t lost;
    const char *line = followed_next(followed, &length, &lost);
    assert_non_null(line);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(line, expected, length);
    followed_taken(followed);
}

static void assert_nothing(struct followed *followed, uint64_t expected_lost)
{
    size_t length;
    uint64_t lost;
    assert_null(followed_next(followed, &length, &lost));
    assert_int_equal(lost, expected_lost);
}

static void lines_come_in_order_and_wake_once(void **state)
{
    struct followed *followed = *state;
    assert_false(has_news(followed));
    put(followed, "one\n");
    assert_false(has_news(followed)); /* the writer tells when it has put all it had */
    put(followed, "two\n");
    followed_tell(followed);
    assert_true(has_news(followed));
    assert_next(followed, "one\n");
    assert_next(followed, "two\n");
    assert_nothing(followed, 0);
    assert_false(has_news(followed));
    followed_tell(followed); /* nothing new */
    assert_false(has_news(followed));
}

static void what_finds_no_room_is_counted(void **state)
{
    struct followed *followed = *state;
    char line[1000];
    memset(line, 'x', sizeof(line));
    uint64_t put_lines = 3000, seen = 0, lost = 0;
    size_t length;
    for (uint64_t i = 0; i < put_lines; i++)
        followed_put(followed, line, sizeof(line));
    while (followed_next(followed, &length, &lost) != NULL) {
        followed_taken(followed);
        seen++;
    }
    assert_true(lost > 0 && seen > 500);
    assert_int_equal(seen + lost, put_lines);
    assert_nothing(followed, 0);
}

static void what_was_for_a_follower_before_is_gone(void **state)
{
    struct followed *followed = *state;
    put(followed, "old\n");
    assert_true(followed_begin(followed));
    assert_nothing(followed, 0);
    put(followed, "new\n");
    assert_next(followed, "new\n");
}

#define LINES 200000

static void *write_lines(void *context)
{
    struct followed *followed = context;
    char line[32];
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(line, sizeof(line), "%u\n", i);
        put(followed, line);
        if (i % 7 == 0)
            followed_tell(followed);
    }
    followed_tell(followed);
    return NULL;
}

/* It sleeps whenever there is nothing, and is always woken. */
static void a_follower_that_sleeps_misses_nothing(void **state)
{
    struct followed *followed = *state;
    pthread_t thread;
    uint64_t counted = 0, lost, last = 0;
    assert_int_equal(pthread_create(&thread, NULL, write_lines, followed), 0);
    while (counted < LINES) {
        struct pollfd news = {.fd = followed->news, .events = POLLIN};
        size_t length;
        const char *line = followed_next(followed, &length, &lost);
        counted += lost;
        if (line == NULL && counted < LINES) {
            assert_int_equal(poll(&news, 1, 20000), 1);
            continue;
        }
        if (line == NULL)
            break;
        uint64_t number = strtoull(line, NULL, 10);
        assert_true(counted == 0 || number > last || number == 0);
        last = number;
        followed_taken(followed);
        counted++;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(counted, LINES);
}

#define with_followed(test) cmocka_unit_test_setup_teardown(test, make_followed, drop_followed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_followed(lines_come_in_order_and_wake_once),
        with_followed(what_finds_no_room_is_counted),
        with_followed(what_was_for_a_follower_before_is_gone),
        with_followed(a_follower_that_sleeps_misses_nothing),
    };
    return cmocka_run_group_tests_name("event/followed", tests, NULL, NULL);
}
