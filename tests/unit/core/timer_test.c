/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/timer.h"

#include "core/macros.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START UINT64_C(1000000)

/* Two classes, and timers that note in which order they fired. */
struct clockwork {
    struct timeout_classes classes;
    struct timeout_class hundred, thousand;
    struct hand {
        struct timer timer;
        struct clockwork *clockwork;
        struct hand *other;
        char name;
    } a, b, c;
    uint64_t now;
    char fired[32];
    size_t fired_count;
};

static int make_clockwork(void **state)
{
    struct clockwork *clockwork = calloc(1, sizeof(*clockwork));
    *state = clockwork;
    if (clockwork == NULL)
        return -1;
    SLIST_INIT(&clockwork->classes);
    timeout_class_init(&clockwork->hundred, &clockwork->classes, 100);
    timeout_class_init(&clockwork->thousand, &clockwork->classes, 1000);
    clockwork->a = (struct hand){.clockwork = clockwork, .name = 'a'};
    clockwork->b = (struct hand){.clockwork = clockwork, .name = 'b'};
    clockwork->c = (struct hand){.clockwork = clockwork, .name = 'c'};
    return 0;
}

static int drop_clockwork(void **state)
{
    free(*state);
    return 0;
}

static struct hand *hand_of(struct timer *timer)
{
    return container_of(timer, struct hand, timer);
}

static void note(struct timer *timer)
{
    struct hand *hand = hand_of(timer);
    struct clockwork *clockwork = hand->clockwork;
    assert_true(clockwork->fired_count + 1 < sizeof(clockwork->fired));
    clockwork->fired[clockwork->fired_count++] = hand->name;
}

static void fire_at(struct clockwork *clockwork, uint64_t now)
{
    clockwork->now = now;
    timers_fire(&clockwork->classes, now);
}

static void a_timer_fires_when_its_time_has_come_and_not_before(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    fire_at(clockwork, START);
    fire_at(clockwork, START + 99);
    assert_string_equal(clockwork->fired, "");
    fire_at(clockwork, START + 100);
    assert_string_equal(clockwork->fired, "a");
}

static void a_timer_fires_once(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    fire_at(clockwork, START + 5000);
    fire_at(clockwork, START + 6000);
    assert_string_equal(clockwork->fired, "a");
}

static void timers_of_a_class_fire_in_the_order_of_their_ends(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->b.timer, &clockwork->hundred, START, note);
    timer_start(&clockwork->c.timer, &clockwork->hundred, START, note);
    timer_start(&clockwork->a.timer, &clockwork->hundred, START + 10, note);
    fire_at(clockwork, START + 109);
    assert_string_equal(clockwork->fired, "bc");
    fire_at(clockwork, START + 110);
    assert_string_equal(clockwork->fired, "bca");
}

static void each_class_has_its_own_length(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->thousand, START, note);
    timer_start(&clockwork->b.timer, &clockwork->hundred, START + 500, note);
    fire_at(clockwork, START + 600);
    assert_string_equal(clockwork->fired, "b");
    fire_at(clockwork, START + 1000);
    assert_string_equal(clockwork->fired, "ba");
}

static void a_stopped_timer_does_not_fire(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    timer_start(&clockwork->b.timer, &clockwork->hundred, START, note);
    timer_stop(&clockwork->a.timer);
    fire_at(clockwork, START + 100);
    assert_string_equal(clockwork->fired, "b");
}

static void stopping_what_does_not_run_is_harmless(void **state)
{
    struct clockwork *clockwork = *state;
    timer_stop(&clockwork->a.timer);
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    fire_at(clockwork, START + 100);
    timer_stop(&clockwork->a.timer);
    timer_stop(&clockwork->a.timer);
    assert_int_equal(timers_wait(&clockwork->classes, START), -1);
}

static void a_timer_that_is_started_again_runs_its_whole_length(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    timer_start(&clockwork->b.timer, &clockwork->hundred, START + 20, note);
    timer_start(&clockwork->a.timer, &clockwork->hundred, START + 50, note);
    fire_at(clockwork, START + 120);
    assert_string_equal(clockwork->fired, "b");
    fire_at(clockwork, START + 150);
    assert_string_equal(clockwork->fired, "ba");
}

static void a_timer_may_change_its_class(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    timer_start(&clockwork->a.timer, &clockwork->thousand, START, note);
    fire_at(clockwork, START + 999);
    assert_string_equal(clockwork->fired, "");
    fire_at(clockwork, START + 1000);
    assert_string_equal(clockwork->fired, "a");
}

static void note_and_start_again(struct timer *timer)
{
    struct clockwork *clockwork = hand_of(timer)->clockwork;
    assert_null(timer->class);
    note(timer);
    timer_start(timer, &clockwork->hundred, clockwork->now, note_and_start_again);
}

static void a_firing_timer_may_start_itself_again(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note_and_start_again);
    fire_at(clockwork, START + 150);
    assert_string_equal(clockwork->fired, "a");
    fire_at(clockwork, START + 249);
    assert_string_equal(clockwork->fired, "a");
    fire_at(clockwork, START + 250);
    assert_string_equal(clockwork->fired, "aa");
}

static void note_and_stop_other(struct timer *timer)
{
    note(timer);
    timer_stop(&hand_of(timer)->other->timer);
}

static void a_firing_timer_may_stop_another_that_is_due_too(void **state)
{
    struct clockwork *clockwork = *state;
    clockwork->a.other = &clockwork->b;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note_and_stop_other);
    timer_start(&clockwork->b.timer, &clockwork->hundred, START, note);
    timer_start(&clockwork->c.timer, &clockwork->hundred, START, note);
    fire_at(clockwork, START + 100);
    assert_string_equal(clockwork->fired, "ac");
}

static void note_and_free(struct timer *timer)
{
    note(timer);
    free(hand_of(timer));
}

static void a_firing_timer_may_free_its_owner(void **state)
{
    struct clockwork *clockwork = *state;
    for (char name = 'x'; name <= 'z'; name++) {
        struct hand *hand = malloc(sizeof(*hand));
        assert_non_null(hand);
        *hand = (struct hand){.clockwork = clockwork, .name = name};
        timer_start(&hand->timer, &clockwork->hundred, START, note_and_free);
    }
    fire_at(clockwork, START + 100);
    assert_string_equal(clockwork->fired, "xyz");
}

static void the_wait_is_for_the_nearest_end_of_all_classes(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->thousand, START, note);
    assert_int_equal(timers_wait(&clockwork->classes, START), 1000);
    timer_start(&clockwork->b.timer, &clockwork->hundred, START + 10, note);
    assert_int_equal(timers_wait(&clockwork->classes, START + 10), 100);
    assert_int_equal(timers_wait(&clockwork->classes, START + 109), 1);
    timer_stop(&clockwork->b.timer);
    assert_int_equal(timers_wait(&clockwork->classes, START + 10), 990);
}

static void what_is_due_or_overdue_is_not_waited_for(void **state)
{
    struct clockwork *clockwork = *state;
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    assert_int_equal(timers_wait(&clockwork->classes, START + 100), 0);
    assert_int_equal(timers_wait(&clockwork->classes, START + 5000), 0);
}

static void without_timers_there_is_no_end_to_wait_for(void **state)
{
    struct clockwork *clockwork = *state;
    struct timeout_classes none = SLIST_HEAD_INITIALIZER(none);
    assert_int_equal(timers_wait(&none, START), -1);
    assert_int_equal(timers_wait(&clockwork->classes, START), -1);
    timers_fire(&none, START);
    timer_start(&clockwork->a.timer, &clockwork->hundred, START, note);
    fire_at(clockwork, START + 100);
    assert_int_equal(timers_wait(&clockwork->classes, START + 100), -1);
}

static void a_wait_longer_than_epoll_can_is_cut(void **state)
{
    struct clockwork *clockwork = *state;
    struct timeout_class months;
    timeout_class_init(&months, &clockwork->classes, UINT64_C(1) << 40);
    timer_start(&clockwork->a.timer, &months, START, note);
    assert_int_equal(timers_wait(&clockwork->classes, START), INT_MAX);
}

#define with_clockwork(test) cmocka_unit_test_setup_teardown(test, make_clockwork, drop_clockwork)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_clockwork(a_timer_fires_when_its_time_has_come_and_not_before),
        with_clockwork(a_timer_fires_once),
        with_clockwork(timers_of_a_class_fire_in_the_order_of_their_ends),
        with_clockwork(each_class_has_its_own_length),
        with_clockwork(a_stopped_timer_does_not_fire),
        with_clockwork(stopping_what_does_not_run_is_harmless),
        with_clockwork(a_timer_that_is_started_again_runs_its_whole_length),
        with_clockwork(a_timer_may_change_its_class),
        with_clockwork(a_firing_timer_may_start_itself_again),
        with_clockwork(a_firing_timer_may_stop_another_that_is_due_too),
        with_clockwork(a_firing_timer_may_free_its_owner),
        with_clockwork(the_wait_is_for_the_nearest_end_of_all_classes),
        with_clockwork(what_is_due_or_overdue_is_not_waited_for),
        with_clockwork(without_timers_there_is_no_end_to_wait_for),
        with_clockwork(a_wait_longer_than_epoll_can_is_cut),
    };
    return cmocka_run_group_tests_name("core/timer", tests, NULL, NULL);
}
