/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A watch that counts what it was told. */
struct probe {
    struct watch watch;
    struct loop *loop;
    struct probe *other;
    int calls, again_calls;
    size_t received;
    uint32_t last;
    char name;
};

static struct loop loop;
static char order[32]; /* of calls, by the probes' names */

static int make_loop(void **state)
{
    (void)state;
    memset(order, 0, sizeof(order));
    return loop_init(&loop) ? 0 : -1;
}

static int drop_loop(void **state)
{
    (void)state;
    loop_fini(&loop);
    return 0;
}

static struct probe *probe_of(struct watch *watch)
{
    return container_of(watch, struct probe, watch);
}

static void note(struct watch *watch, uint32_t events)
{
    struct probe *probe = probe_of(watch);
    probe->calls++;
    probe->again_calls += events == 0;
    probe->last = events;
    if (strlen(order) + 1 < sizeof(order))
        order[strlen(order)] = probe->name;
}

typedef void ready_function(struct watch *watch, uint32_t events);

/* An eventfd that is readable from the start. */
static void add_readable(struct probe *probe, char name, ready_function *ready)
{
    *probe = (struct probe){.loop = &loop, .name = name};
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    assert_true(loop_add(&loop, &probe->watch, fd, EPOLLIN, ready));
}

static void drop_probe(struct probe *probe)
{
    int fd = probe->watch.fd;
    loop_remove(&loop, &probe->watch);
    close(fd);
}

/* One end of a connection is watched; the other is returned. */
static int add_connection(struct probe *probe, uint32_t events)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    *probe = (struct probe){.loop = &loop, .name = 'c'};
    assert_true(loop_add(&loop, &probe->watch, ends[0], events, note));
    return ends[1];
}

static void send_byte(int fd)
{
    assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
}

/* ---- events ---- */

static void what_is_not_dealt_with_is_told_again(void **state)
{
    (void)state;
    struct probe probe;
    int peer = add_connection(&probe, EPOLLIN);
    char byte;
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 0);
    send_byte(peer);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 2);
    assert_int_equal(probe.last, EPOLLIN);
    assert_int_equal(read(probe.watch.fd, &byte, 1), 1);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 2);
    drop_probe(&probe);
    close(peer);
}

static void only_the_wanted_events_are_told(void **state)
{
    (void)state;
    struct probe probe;
    int peer = add_connection(&probe, EPOLLOUT);
    send_byte(peer);
    loop_turn(&loop, 0);
    assert_int_equal(probe.last, EPOLLOUT);
    loop_change(&loop, &probe.watch, EPOLLIN);
    loop_turn(&loop, 0);
    assert_int_equal(probe.last, EPOLLIN);
    loop_change(&loop, &probe.watch, EPOLLIN | EPOLLOUT);
    loop_turn(&loop, 0);
    assert_int_equal(probe.last, EPOLLIN | EPOLLOUT);
    assert_int_equal(probe.calls, 3);
    drop_probe(&probe);
    close(peer);
}

static void data_is_not_told_while_nothing_is_wanted(void **state)
{
    (void)state;
    struct probe probe;
    int peer = add_connection(&probe, EPOLLIN);
    loop_change(&loop, &probe.watch, 0);
    send_byte(peer);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 0);
    loop_change(&loop, &probe.watch, EPOLLIN);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 1);
    drop_probe(&probe);
    close(peer);
}

/* Level-triggered, a peer that is gone would keep the loop from ever sleeping again. */
static void a_hangup_is_told_once_while_nothing_is_wanted(void **state)
{
    (void)state;
    struct probe probe;
    int peer = add_connection(&probe, 0);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 0);
    close(peer);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 1);
    assert_true((probe.last & EPOLLHUP) != 0);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 1);
    drop_probe(&probe);
}

static void a_hangup_is_told_again_once_something_is_wanted(void **state)
{
    (void)state;
    struct probe probe;
    int peer = add_connection(&probe, 0);
    close(peer);
    loop_turn(&loop, 0);
    loop_change(&loop, &probe.watch, EPOLLIN);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 3);
    drop_probe(&probe);
}

static void more_watches_than_a_batch_are_all_told(void **state)
{
    (void)state;
    static struct probe probes[LOOP_BATCH * 2 + 1];
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
        add_readable(&probes[i], '.', note);
    for (int turn = 0; turn < 3; turn++)
        loop_turn(&loop, 0);
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
        assert_true(probes[i].calls > 0);
        drop_probe(&probes[i]);
    }
}

static void a_descriptor_that_cannot_be_watched_is_refused(void **state)
{
    (void)state;
    struct watch watch = {.fd = -1};
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    errno = 0;
    assert_false(loop_add(&loop, &watch, file, EPOLLIN, note));
    assert_int_equal(errno, EPERM);
    assert_int_equal(watch.fd, -1);
    close(file);
    errno = 0;
    assert_false(loop_add(&loop, &watch, file, EPOLLIN, note));
    assert_int_equal(errno, EBADF);
    loop_remove(&loop, &watch);
}

/* ---- removing ---- */

/* Two are told of in the same turn: the first forgets the other, and its descriptor is closed. */
static void note_and_forget_other(struct watch *watch, uint32_t events)
{
    struct watch *other = &probe_of(watch)->other->watch;
    int fd = other->fd;
    note(watch, events);
    loop_forget(&loop, other);
    if (fd >= 0)
        close(fd);
}

static void a_forgotten_watch_is_not_told_once_its_descriptor_is_closed(void **state)
{
    (void)state;
    struct probe one, two;
    add_readable(&one, 'a', note_and_forget_other);
    add_readable(&two, 'b', note_and_forget_other);
    one.other = &two;
    two.other = &one;
    for (int i = 0; i < 2; i++) /* the second time there is nothing left to forget */
        loop_turn(&loop, 0);
    assert_int_equal(one.calls + two.calls, 2);
    assert_true(one.calls == 0 || two.calls == 0);
    drop_probe(one.calls > 0 ? &one : &two);
}

static void a_removed_watch_is_not_told(void **state)
{
    (void)state;
    struct probe probe;
    add_readable(&probe, 'a', note);
    int fd = probe.watch.fd;
    loop_remove(&loop, &probe.watch);
    assert_int_equal(probe.watch.fd, -1);
    loop_remove(&loop, &probe.watch);
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 0);
    assert_true(loop_add(&loop, &probe.watch, fd, EPOLLIN, note));
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 1);
    drop_probe(&probe);
}

static void note_and_drop_other(struct watch *watch, uint32_t events)
{
    struct probe *probe = probe_of(watch);
    note(watch, events);
    if (probe->other == NULL)
        return;
    drop_probe(probe->other);
    free(probe->other);
    probe->other = NULL;
}

/* Both are ready in the same turn; whichever is called first frees the other one. */
static void what_is_fetched_for_a_removed_watch_is_dropped(void **state)
{
    (void)state;
    struct probe *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
    assert_true(a != NULL && b != NULL);
    add_readable(a, 'a', note_and_drop_other);
    add_readable(b, 'b', note_and_drop_other);
    a->other = b;
    b->other = a;
    loop_turn(&loop, 0);
    assert_int_equal(strlen(order), 1);
    struct probe *left = order[0] == 'a' ? a : b;
    assert_int_equal(left->calls, 1);
    drop_probe(left);
    free(left);
}

static void note_and_free(struct watch *watch, uint32_t events)
{
    note(watch, events);
    drop_probe(probe_of(watch));
    free(probe_of(watch));
}

static void a_watch_may_free_its_owner(void **state)
{
    (void)state;
    for (char name = 'a'; name < 'd'; name++) {
        struct probe *probe = malloc(sizeof(*probe));
        assert_non_null(probe);
        add_readable(probe, name, note_and_free);
    }
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(strlen(order), 3);
}

/* ---- again ---- */

static void a_watch_that_asks_is_called_once_more_with_no_events(void **state)
{
    (void)state;
    struct probe probe;
    int peer = add_connection(&probe, EPOLLIN);
    loop_again(&loop, &probe.watch);
    loop_again(&loop, &probe.watch);
    assert_int_equal(probe.calls, 0);
    loop_turn(&loop, -1); /* does not wait */
    loop_turn(&loop, 0);
    assert_int_equal(probe.calls, 1);
    assert_int_equal(probe.again_calls, 1);
    drop_probe(&probe);
    close(peer);
}

static void note_and_ask_again(struct watch *watch, uint32_t events)
{
    note(watch, events);
    loop_again(probe_of(watch)->loop, watch);
}

/* Else one busy connection would keep all others waiting. */
static void who_always_asks_again_is_called_once_a_turn(void **state)
{
    (void)state;
    struct probe probe, other;
    add_readable(&probe, 'a', note_and_ask_again);
    loop_change(&loop, &probe.watch, 0);
    loop_again(&loop, &probe.watch);
    for (int turn = 1; turn <= 5; turn++) {
        loop_turn(&loop, -1);
        assert_int_equal(probe.calls, turn);
    }
    add_readable(&other, 'b', note);
    loop_turn(&loop, 0);
    assert_int_equal(other.calls, 1);
    drop_probe(&probe);
    drop_probe(&other);
}

static void who_asked_first_is_called_first(void **state)
{
    (void)state;
    struct probe probes[3];
    for (int i = 0; i < 3; i++) {
        add_readable(&probes[i], (char)('a' + i), note);
        loop_change(&loop, &probes[i].watch, 0);
    }
    loop_again(&loop, &probes[2].watch);
    loop_again(&loop, &probes[0].watch);
    loop_again(&loop, &probes[1].watch);
    loop_turn(&loop, 0);
    assert_string_equal(order, "cab");
    for (int i = 0; i < 3; i++)
        drop_probe(&probes[i]);
}

static void who_asked_and_was_removed_is_not_called(void **state)
{
    (void)state;
    struct probe *gone = malloc(sizeof(*gone)), stays;
    assert_non_null(gone);
    add_readable(gone, 'g', note);
    add_readable(&stays, 's', note);
    loop_change(&loop, &stays.watch, 0);
    loop_again(&loop, &gone->watch);
    loop_again(&loop, &stays.watch);
    drop_probe(gone);
    free(gone);
    loop_turn(&loop, 0);
    assert_string_equal(order, "s");
    drop_probe(&stays);
}

static void who_asked_may_be_removed_by_another_that_asked(void **state)
{
    (void)state;
    struct probe first, *second = malloc(sizeof(*second));
    assert_non_null(second);
    add_readable(&first, 'f', note_and_drop_other);
    add_readable(second, 's', note);
    loop_change(&loop, &first.watch, 0);
    loop_change(&loop, &second->watch, 0);
    first.other = second;
    loop_again(&loop, &first.watch);
    loop_again(&loop, &second->watch);
    loop_turn(&loop, 0);
    assert_string_equal(order, "f");
    drop_probe(&first);
}

/* ---- timers ---- */

static int timer_fired;

static void count_timer(struct timer *timer)
{
    (void)timer;
    timer_fired++;
}

static void a_timer_ends_the_wait_and_fires(void **state)
{
    (void)state;
    struct timeout_class class;
    struct timer timer = {0};
    timeout_class_init(&class, &loop.timeouts, 20);
    timer_fired = 0;
    uint64_t start = loop.now;
    timer_start(&timer, &class, loop.now, count_timer);
    while (timer_fired == 0)
        loop_turn(&loop, -1);
    assert_int_equal(timer_fired, 1);
    assert_true(loop.now >= start + 20);
    assert_true(clock_ms() >= loop.now);
}

static void a_limit_ends_the_wait_before_the_timer(void **state)
{
    (void)state;
    struct timeout_class day;
    struct timer timer = {0};
    timeout_class_init(&day, &loop.timeouts, 86400000);
    timer_fired = 0;
    timer_start(&timer, &day, loop.now, count_timer);
    loop_turn(&loop, 0);
    loop_turn(&loop, 1);
    assert_int_equal(timer_fired, 0);
    timer_stop(&timer);
}

/* ---- running ---- */

static void note_and_stop(struct watch *watch, uint32_t events)
{
    note(watch, events);
    if (probe_of(watch)->calls == 3)
        loop_stop(&loop);
}

static void a_loop_runs_until_it_is_stopped(void **state)
{
    (void)state;
    struct probe probe;
    add_readable(&probe, 'a', note_and_stop);
    loop_run(&loop);
    assert_int_equal(probe.calls, 3);
    drop_probe(&probe);
}

static void a_loop_that_was_stopped_before_does_not_run(void **state)
{
    (void)state;
    struct probe probe;
    add_readable(&probe, 'a', note);
    loop_stop(&loop);
    loop_run(&loop);
    assert_int_equal(probe.calls, 0);
    drop_probe(&probe);
}

#define THREAD_BYTES 20000

static void count_bytes(struct watch *watch, uint32_t events)
{
    char bytes[64];
    ssize_t count = read(watch->fd, bytes, sizeof(bytes));
    note(watch, events);
    if (count == 0)
        loop_stop(&loop);
    if (count > 0)
        probe_of(watch)->received += (size_t)count;
}

static void *send_bytes(void *context)
{
    int fd = *(int *)context;
    for (int i = 0; i < THREAD_BYTES; i++)
        while (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
            ;
    close(fd);
    return NULL;
}

static void what_another_thread_sends_wakes_the_loop(void **state)
{
    (void)state;
    struct probe probe;
    pthread_t thread;
    int peer = add_connection(&probe, EPOLLIN);
    assert_int_equal(fcntl(peer, F_SETFL, 0), 0); /* it may wait */
    probe.watch.ready = count_bytes;
    assert_int_equal(pthread_create(&thread, NULL, send_bytes, &peer), 0);
    loop_run(&loop);
    pthread_join(thread, NULL);
    assert_int_equal(probe.received, THREAD_BYTES);
    drop_probe(&probe);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, make_loop, drop_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(what_is_not_dealt_with_is_told_again),
        with_loop(only_the_wanted_events_are_told),
        with_loop(data_is_not_told_while_nothing_is_wanted),
        with_loop(a_hangup_is_told_once_while_nothing_is_wanted),
        with_loop(a_hangup_is_told_again_once_something_is_wanted),
        with_loop(more_watches_than_a_batch_are_all_told),
        with_loop(a_descriptor_that_cannot_be_watched_is_refused),
        with_loop(a_removed_watch_is_not_told),
        with_loop(a_forgotten_watch_is_not_told_once_its_descriptor_is_closed),
        with_loop(what_is_fetched_for_a_removed_watch_is_dropped),
        with_loop(a_watch_may_free_its_owner),
        with_loop(a_watch_that_asks_is_called_once_more_with_no_events),
        with_loop(who_always_asks_again_is_called_once_a_turn),
        with_loop(who_asked_first_is_called_first),
        with_loop(who_asked_and_was_removed_is_not_called),
        with_loop(who_asked_may_be_removed_by_another_that_asked),
        with_loop(a_timer_ends_the_wait_and_fires),
        with_loop(a_limit_ends_the_wait_before_the_timer),
        with_loop(a_loop_runs_until_it_is_stopped),
        with_loop(a_loop_that_was_stopped_before_does_not_run),
        with_loop(what_another_thread_sends_wakes_the_loop),
    };
    alarm(120); /* a loop that is never woken is a failure too */
    return cmocka_run_group_tests_name("core/loop", tests, NULL, NULL);
}
