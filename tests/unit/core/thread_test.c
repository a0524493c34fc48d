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
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
    void (*begin)(const char *name);
    int policy, nice;
    char name[16];
};

static void *look(void *context)
{
    struct seen *seen = context;
    seen->begin("looking");
    seen->policy = sched_getscheduler(0);
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
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
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
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), usual);
}

static void one_thread_leads_and_the_others_are_as_they_were(void **state)
{
    (void)state;
    const struct sched_param first = {.sched_priority = THREAD_PRIORITY}, none = {0};
    if (sched_setscheduler(0, SCHED_RR, &first) != 0)
        skip();
    assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &none), 0);
    check_that_one_leads(SCHED_RR, getpriority(PRIO_PROCESS, 0));
}

/* In a process of its own, which can never be root again. */
static void where_real_time_is_not_allowed_it_leads_by_its_nice_value(void **state)
{
    (void)state;
    const struct rlimit no_real_time = {0, 0}, nice = {20 + THREAD_LEAD, 20 + THREAD_LEAD};
    if (geteuid() != 0 || getpriority(PRIO_PROCESS, 0) != 0)
        skip();
    pid_t child = fork();
    if (child == 0) {
        bool may_be_nice = setrlimit(RLIMIT_NICE, &nice) == 0; /* else nobody leads */
        if (setrlimit(RLIMIT_RTPRIO, &no_real_time) != 0 || setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        check_that_one_leads(SCHED_OTHER, may_be_nice ? -THREAD_LEAD : 0);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lead_all_are_equal),
        cmocka_unit_test(one_thread_leads_and_the_others_are_as_they_were),
        cmocka_unit_test(where_real_time_is_not_allowed_it_leads_by_its_nice_value),
    };
    return cmocka_run_group_tests_name("core/thread", tests, NULL, NULL);
}
