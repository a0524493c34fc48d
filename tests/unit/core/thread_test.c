/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

struct seen {
    void (*begin)(const char *name);
    int nice;
    char name[16];
};

static void *look(void *context)
{
    struct seen *seen = context;
    seen->begin("looking");
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

static void without_a_lead_all_are_equal(void **state)
{
    (void)state;
    int usual = getpriority(PRIO_PROCESS, 0);
    thread_leave_lead();
    assert_int_equal(getpriority(PRIO_PROCESS, 0), usual);
    assert_int_equal(seen_by(thread_begin).nice, usual);
    assert_int_equal(seen_by(thread_begin_leading).nice, usual);
}

/* Who may not take it has none: then this holds all the same. */
static void one_thread_leads_and_the_others_are_as_they_were(void **state)
{
    (void)state;
    int usual = getpriority(PRIO_PROCESS, 0);
    bool allowed = setpriority(PRIO_PROCESS, 0, usual - THREAD_LEAD) == 0;
    assert_int_equal(setpriority(PRIO_PROCESS, 0, usual), 0);
    thread_take_lead();
    assert_int_equal(seen_by(thread_begin).nice, usual);
    assert_int_equal(seen_by(thread_begin_leading).nice, allowed ? usual - THREAD_LEAD : usual);
    thread_leave_lead();
    assert_int_equal(getpriority(PRIO_PROCESS, 0), usual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lead_all_are_equal),
        cmocka_unit_test(one_thread_leads_and_the_others_are_as_they_were),
    };
    return cmocka_run_group_tests_name("core/thread", tests, NULL, NULL);
}
