/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mailbox.h - the way into a thread that runs a loop.
 *
 * A message is a function that the receiving thread calls. Messages from one thread arrive in the
 * order they were posted. */
#ifndef CORE_MAILBOX_H
#define CORE_MAILBOX_H

#include "core/loop.h"

#include <pthread.h>

struct message {
    STAILQ_ENTRY(message) link;
    /* Called in the receiving thread; `receiver` is what mailbox_init() was given. The message
     * belongs to this function: a heap message frees itself here. */
    void (*deliver)(struct message *message, void *receiver);
};

struct mailbox {
    struct watch watch;
    struct loop *loop;
    int wakeup; /* eventfd */
    void *receiver;
    pthread_mutex_t lock;
    STAILQ_HEAD(messages, message) queue;
};

/* Adds the mailbox to the loop of the thread that will receive. False with errno. */
bool mailbox_init(struct mailbox *mailbox, struct loop *loop, void *receiver) must_check;

/* Delivers what is still there, in the calling thread. Nobody may post any more. */
void mailbox_fini(struct mailbox *mailbox);

/* Any thread. Ownership of the message goes over. */
void mailbox_post(struct mailbox *mailbox, struct message *message);

/* Any thread: calls `function(context)` in the receiving one. */
void mailbox_call(struct mailbox *mailbox, void (*function)(void *context), void *context);

#endif
