/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/mailbox.h"

#include "core/thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

static void deliver_all(struct mailbox *mailbox)
{
    struct messages queue = STAILQ_HEAD_INITIALIZER(queue);
    pthread_mutex_lock(&mailbox->lock);
    STAILQ_CONCAT(&queue, &mailbox->queue);
    pthread_mutex_unlock(&mailbox->lock);

    struct message *message;
    while ((message = STAILQ_FIRST(&queue)) != NULL) {
        STAILQ_REMOVE_HEAD(&queue, link);
        message->deliver(message, mailbox->receiver);
    }
}

static void mail_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct mailbox *mailbox = container_of(watch, struct mailbox, watch);
    uint64_t count;
    (void)!read(mailbox->wakeup, &count, sizeof(count));
    deliver_all(mailbox);
}

bool mailbox_init(struct mailbox *mailbox, struct loop *loop, void *receiver)
{
    mailbox->loop = loop;
    mailbox->receiver = receiver;
    STAILQ_INIT(&mailbox->queue);
    thread_mutex_init(&mailbox->lock);
    mailbox->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mailbox->wakeup >= 0 &&
           loop_add(loop, &mailbox->watch, mailbox->wakeup, EPOLLIN, mail_ready);
}

void mailbox_fini(struct mailbox *mailbox)
{
    deliver_all(mailbox);
    loop_remove(mailbox->loop, &mailbox->watch);
    close(mailbox->wakeup);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_post(struct mailbox *mailbox, struct message *message)
{
    pthread_mutex_lock(&mailbox->lock);
    STAILQ_INSERT_TAIL(&mailbox->queue, message, link);
    /* Under the lock: as soon as it is free, the receiver may find the message that it was waiting
     * for, and be gone. */
    uint64_t one = 1;
    (void)!write(mailbox->wakeup, &one, sizeof(one));
    pthread_mutex_unlock(&mailbox->lock);
}

struct call {
    struct message message;
    void (*function)(void *context);
    void *context;
};

static void deliver_call(struct message *message, void *receiver)
{
    (void)receiver;
    struct call *call = container_of(message, struct call, message);
    call->function(call->context);
    free(call);
}

void mailbox_call(struct mailbox *mailbox, void (*function)(void *context), void *context)
{
    struct call *call = malloc(sizeof(*call));
    CHECK(call != NULL);
    *call = (struct call){{.deliver = deliver_call}, function, context};
    mailbox_post(mailbox, &call->message);
}
