/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Written before there are other threads. */
static int usual;
static bool taken;

/* In Linux what is set for the process 0 is the calling thread's alone. */
void thread_take_lead(void)
{
    usual = getpriority(PRIO_PROCESS, 0);
    taken = setpriority(PRIO_PROCESS, 0, usual - THREAD_LEAD) == 0;
}

void thread_leave_lead(void)
{
    if (taken)
        (void)setpriority(PRIO_PROCESS, 0, usual);
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
