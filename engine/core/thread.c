/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/thread.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>

enum lead { NO_LEAD, LEADS_BY_NICE, LEADS_IN_REAL_TIME };

/* Written before there are other threads. */
static enum lead lead;
static int usual_policy, usual_nice;

/* The calling thread's. Not sched_setscheduler(2), which musl does not have. */
static bool schedule(int policy, int priority)
{
    const struct sched_param parameters = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), policy, &parameters) == 0;
}

static enum lead take(void)
{
    struct sched_param parameters;
    usual_nice = getpriority(PRIO_PROCESS, 0);
    if (pthread_getschedparam(pthread_self(), &usual_policy, &parameters) != 0 ||
        parameters.sched_priority > 0)
        return NO_LEAD;
    if (schedule(SCHED_RR, THREAD_PRIORITY))
        return LEADS_IN_REAL_TIME;
    /* In Linux what is set for the process 0 is the calling thread's alone. */
    return setpriority(PRIO_PROCESS, 0, usual_nice - THREAD_LEAD) == 0 ? LEADS_BY_NICE : NO_LEAD;
}

void thread_take_lead(void)
{
    const struct rlimit none = {0, 0};
    lead = take();
    (void)setrlimit(RLIMIT_RTPRIO, &none);
}

void thread_leave_lead(void)
{
    if (lead == LEADS_IN_REAL_TIME)
        (void)schedule(usual_policy, 0);
    else if (lead == LEADS_BY_NICE)
        (void)setpriority(PRIO_PROCESS, 0, usual_nice);
}

void thread_begin(const char *name)
{
    thread_begin_leading(name);
    thread_leave_lead();
}

void thread_begin_leading(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

void thread_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    /* Where the kernel cannot do it, musl says so here, and the attributes stay as they were; glibc
     * says so at the mutex, and leaves that as it was. */
    (void)pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (pthread_mutex_init(mutex, &attributes) != 0)
        pthread_mutex_init(mutex, NULL);
    pthread_mutexattr_destroy(&attributes);
}
