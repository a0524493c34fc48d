/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * thread.h - how the program's threads are named, and which of them goes first.
 *
 * One thread answers the first packet of each connection of every device, and has little to do: it
 * should not wait until others, which are busy with one connection each, have had their turn. To
 * go before them is a privilege, and by the time threads are started there is none left: so the
 * main thread takes it before, all inherit it, and all but that one give it back. What the main
 * thread does in between, which is part of starting up, goes before others, too. */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include <pthread.h>

/* Its priority in sched(7)'s SCHED_RR, the lowest there is: a nice value does not make the kernel
 * take the processor from another at once. Where real time is not allowed, nice(2) is the next
 * best; who was started in real time stays as it is. */
#define THREAD_PRIORITY 1
#define THREAD_LEAD 15

/* In the main thread, before there are others. Where that may not be, all stay equal. Afterwards
 * nobody can take it again: the process has no limit on real time left (RLIMIT_RTPRIO is 0). */
void thread_take_lead(void);

/* Gives it back, for the calling thread. */
void thread_leave_lead(void);

/* At the beginning of a thread: its name, for ps and debuggers, 15 characters at most. The first is
 * for all threads; the second, for the one that leads. */
void thread_begin(const char *name);
void thread_begin_leading(const char *name);

/* A mutex that the leading thread takes, too. Where that one leads in real time, who holds the
 * mutex while it waits has its priority for so long (PTHREAD_PRIO_INHERIT): otherwise all the
 * others that are busy would go first. A nice value is not lent, and some kernels lend nothing. */
void thread_mutex_init(pthread_mutex_t *mutex);

#endif
