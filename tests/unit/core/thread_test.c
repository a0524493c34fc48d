/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* From the state to the priority in /proc/PID/stat, proc(5). */
#define SKIP_TO_PRIORITY " %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
#define PATIENCE_MS 10000

struct seen {
    void (*begin)(const char *name);
    int policy, nice;
    char name[16];
};

static int current_policy(void)
{
    int policy;
    struct sched_param parameters;
    assert_int_equal(pthread_getschedparam(pthread_self(), &policy, &parameters), 0);
    return policy;
}

static bool set_policy(int policy, int priority)
{
    const struct sched_param parameters = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), policy, &parameters) == 0;
}

static void *look(void *context)
{
    struct seen *seen = context;
    seen->begin("looking");
    seen->policy = current_policy();
    seen->nice = getpriority(PRIO_PROCESS, 0);
    pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
    return NULL;
}

static struct seen seen_by(void (*begin)(const char *name))
{
    struct seen seen = {.begin = begin};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, look, &seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(seen.name, "looking");
    return seen;
}

static bool is_usual(struct seen seen)
{
    return seen.policy == SCHED_OTHER && seen.nice == getpriority(PRIO_PROCESS, 0);
}

static void without_a_lead_all_are_equal(void **state)
{
    (void)state;
    thread_leave_lead();
    assert_int_equal(current_policy(), SCHED_OTHER);
    assert_true(is_usual(seen_by(thread_begin)));
    assert_true(is_usual(seen_by(thread_begin_leading)));
}

static void check_that_one_leads(int policy, int nice)
{
    int usual = getpriority(PRIO_PROCESS, 0);
    thread_take_lead();
    struct seen leader = seen_by(thread_begin_leading), other = seen_by(thread_begin);
    thread_leave_lead();
    assert_int_equal(leader.policy, policy);
    assert_int_equal(leader.nice, nice);
    assert_int_equal(other.policy, SCHED_OTHER);
    assert_int_equal(other.nice, usual);
    assert_int_equal(current_policy(), SCHED_OTHER);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), usual);
}

static void one_thread_leads_and_the_others_are_as_they_were(void **state)
{
    (void)state;
    if (!set_policy(SCHED_RR, THREAD_PRIORITY))
        skip();
    assert_true(set_policy(SCHED_OTHER, 0));
    check_that_one_leads(SCHED_RR, getpriority(PRIO_PROCESS, 0));
}

static void who_was_started_in_real_time_stays_as_it_is(void **state)
{
    (void)state;
    if (!set_policy(SCHED_FIFO, 2))
        skip();
    thread_take_lead();
    struct seen leader = seen_by(thread_begin_leading), other = seen_by(thread_begin);
    thread_leave_lead();
    assert_int_equal(leader.policy, SCHED_FIFO);
    assert_int_equal(other.policy, SCHED_FIFO);
    assert_int_equal(current_policy(), SCHED_FIFO);
    assert_true(set_policy(SCHED_OTHER, 0));
}

/* In a process of its own, which is never root again. */
static void check_without_rights(const struct rlimit *real_time, int policy, bool nice)
{
    if (geteuid() != 0 || getpriority(PRIO_PROCESS, 0) != 0)
        skip();
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit lead = {20 + THREAD_LEAD, 20 + THREAD_LEAD};
        bool may = setrlimit(RLIMIT_RTPRIO, real_time) == 0 &&
                   (!nice || setrlimit(RLIMIT_NICE, &lead) == 0);
        if (!may || setresuid(65534, 65534, 65534) != 0)
            _exit(77); /* not even root may raise a limit here */
        check_that_one_leads(policy, nice ? -THREAD_LEAD : 0);
        assert_false(set_policy(SCHED_RR, THREAD_PRIORITY));
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status == 77 << 8)
        skip();
    assert_int_equal(status, 0);
}

static void a_limit_is_right_enough_and_is_given_up(void **state)
{
    (void)state;
    check_without_rights(&(struct rlimit){1, 1}, SCHED_RR, false);
}

static void where_real_time_is_not_allowed_it_leads_by_its_nice_value(void **state)
{
    (void)state;
    check_without_rights(&(struct rlimit){0, 0}, SCHED_OTHER, true);
}

static void where_nothing_is_allowed_all_stay_equal(void **state)
{
    (void)state;
    check_without_rights(&(struct rlimit){0, 0}, SCHED_OTHER, false);
}

static void *wait_for_it(void *context)
{
    pthread_mutex_t *mutex = context;
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return NULL;
}

/* As the kernel has it at the moment, sched(7): -1 - its priority in real time; others have 20 and
 * their nice value. */
static int own_priority(void)
{
    int priority = 0;
    FILE *file = fopen("/proc/thread-self/stat", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %*c" SKIP_TO_PRIORITY "%d", &priority), 1);
    fclose(file);
    return priority;
}

static void who_holds_what_the_leader_waits_for_goes_first(void **state)
{
    (void)state;
    const struct timespec moment = {.tv_nsec = 1000000};
    pthread_mutex_t mutex;
    pthread_t leader;
    if (!set_policy(SCHED_RR, THREAD_PRIORITY))
        skip();
    thread_mutex_init(&mutex);
    pthread_mutex_lock(&mutex);
    assert_int_equal(pthread_create(&leader, NULL, wait_for_it, &mutex), 0);
    assert_true(set_policy(SCHED_OTHER, 0));
    for (int i = 0; i < PATIENCE_MS && own_priority() >= 0; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(own_priority(), -1 - THREAD_PRIORITY);
    pthread_mutex_unlock(&mutex);
    assert_int_equal(own_priority(), 20 + getpriority(PRIO_PROCESS, 0));
    pthread_join(leader, NULL);
    pthread_mutex_destroy(&mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lead_all_are_equal),
        cmocka_unit_test(one_thread_leads_and_the_others_are_as_they_were),
        cmocka_unit_test(who_was_started_in_real_time_stays_as_it_is),
        cmocka_unit_test(a_limit_is_right_enough_and_is_given_up),
        cmocka_unit_test(where_real_time_is_not_allowed_it_leads_by_its_nice_value),
        cmocka_unit_test(where_nothing_is_allowed_all_stay_equal),
        cmocka_unit_test(who_holds_what_the_leader_waits_for_goes_first),
    };
    return cmocka_run_group_tests_name("core/thread", tests, NULL, NULL);
}
