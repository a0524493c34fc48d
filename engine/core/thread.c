/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Written before there are other threads. */
static struct {
    int policy, nice;
    enum { NO_LEAD, LEADS_BY_NICE, LEADS_IN_REAL_TIME } lead;
} usual;

/* In Linux what is set for the process 0 is the calling thread's alone. */
static bool schedule(int policy, int priority)
{
    const struct sched_param parameters = {.sched_priority = priority};
    return sched_setscheduler(0, policy, &parameters) == 0;
}

void thread_take_lead(void)
{
    usual.policy = sched_getscheduler(0);
    usual.nice = getpriority(PRIO_PROCESS, 0);
    if (schedule(SCHED_RR, THREAD_PRIORITY))
        usual.lead = LEADS_IN_REAL_TIME;
    else if (setpriority(PRIO_PROCESS, 0, usual.nice - THREAD_LEAD) == 0)
        usual.lead = LEADS_BY_NICE;
    else
        usual.lead = NO_LEAD;
}

void thread_leave_lead(void)
{
    if (usual.lead == LEADS_IN_REAL_TIME)
        (void)schedule(usual.policy, 0);
    else if (usual.lead == LEADS_BY_NICE)
        (void)setpriority(PRIO_PROCESS, 0, usual.nice);
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
