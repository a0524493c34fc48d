/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/mailbox.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* A receiver that notes what it was told. */
struct receiver {
    struct loop loop;
    struct mailbox mailbox;
    char letters[32];
};

struct letter {
    struct message message;
    struct mailbox *next; /* where to post another one, or NULL */
    char text;
};

static int make_receiver(void **state)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));
    *state = receiver;
    return receiver != NULL && loop_init(&receiver->loop) &&
                   mailbox_init(&receiver->mailbox, &receiver->loop, receiver)
               ? 0
               : -1;
}

static int drop_receiver(void **state)
{
    struct receiver *receiver = *state;
    mailbox_fini(&receiver->mailbox);
    loop_fini(&receiver->loop);
    free(receiver);
    return 0;
}

static void post_letter(struct mailbox *mailbox, char text, struct mailbox *next);

static void deliver_letter(struct message *message, void *context)
{
    struct receiver *receiver = context;
    struct letter *letter = container_of(message, struct letter, message);
    receiver->letters[strlen(receiver->letters)] = letter->text;
    if (letter->next != NULL)
        post_letter(letter->next, (char)(letter->text + 1), NULL);
    free(letter);
}

static void post_letter(struct mailbox *mailbox, char text, struct mailbox *next)
{
    struct letter *letter = calloc(1, sizeof(*letter));
    assert_non_null(letter);
    letter->message.deliver = deliver_letter;
    letter->text = text;
    letter->next = next;
    mailbox_post(mailbox, &letter->message);
}

static void a_message_is_delivered_by_the_loop_and_not_before(void **state)
{
    struct receiver *receiver = *state;
    post_letter(&receiver->mailbox, 'a', NULL);
    assert_string_equal(receiver->letters, "");
    loop_turn(&receiver->loop, -1);
    assert_string_equal(receiver->letters, "a");
    loop_turn(&receiver->loop, 0);
    assert_string_equal(receiver->letters, "a");
}

static void messages_arrive_in_the_order_they_were_posted(void **state)
{
    struct receiver *receiver = *state;
    for (char text = 'a'; text <= 'z'; text++)
        post_letter(&receiver->mailbox, text, NULL);
    loop_turn(&receiver->loop, -1);
    assert_string_equal(receiver->letters, "abcdefghijklmnopqrstuvwxyz");
}

static void a_message_that_is_posted_by_a_message_arrives_too(void **state)
{
    struct receiver *receiver = *state;
    post_letter(&receiver->mailbox, 'a', &receiver->mailbox);
    post_letter(&receiver->mailbox, 'x', NULL);
    for (int turn = 0; turn < 2; turn++)
        loop_turn(&receiver->loop, 0);
    assert_string_equal(receiver->letters, "axb");
}

static void each_mailbox_of_a_loop_has_its_own_receiver(void **state)
{
    struct receiver *receiver = *state;
    struct receiver other = {.letters = ""};
    assert_true(mailbox_init(&other.mailbox, &receiver->loop, &other));
    post_letter(&receiver->mailbox, 'a', &other.mailbox);
    post_letter(&other.mailbox, 'x', NULL);
    for (int turn = 0; turn < 2; turn++)
        loop_turn(&receiver->loop, 0);
    assert_string_equal(receiver->letters, "a");
    assert_int_equal(strlen(other.letters), 2);
    assert_non_null(strchr(other.letters, 'x'));
    assert_non_null(strchr(other.letters, 'b'));
    mailbox_fini(&other.mailbox);
}

static void what_is_still_there_at_the_end_is_delivered(void **state)
{
    struct receiver *receiver = *state;
    struct receiver other = {.letters = ""};
    assert_true(mailbox_init(&other.mailbox, &receiver->loop, &other));
    post_letter(&other.mailbox, 'a', NULL);
    post_letter(&other.mailbox, 'b', NULL);
    mailbox_fini(&other.mailbox);
    assert_string_equal(other.letters, "ab");
    loop_turn(&receiver->loop, 0); /* the loop has forgotten it */
}

static void add_one(void *context)
{
    ++*(int *)context;
}

static void a_call_is_made_once_in_the_loop(void **state)
{
    struct receiver *receiver = *state;
    int calls = 0;
    mailbox_call(&receiver->mailbox, add_one, &calls);
    mailbox_call(&receiver->mailbox, add_one, &calls);
    assert_int_equal(calls, 0);
    loop_turn(&receiver->loop, -1);
    assert_int_equal(calls, 2);
    loop_turn(&receiver->loop, 0);
    assert_int_equal(calls, 2);
}

static void a_call_may_stop_the_loop(void **state)
{
    struct receiver *receiver = *state;
    mailbox_call(&receiver->mailbox, loop_stop, &receiver->loop);
    loop_run(&receiver->loop);
    assert_true(receiver->loop.stopping);
}

/* ---- threads ---- */

#define SENDERS 3
#define NUMBERS 20000

/* The senders' numbers, as they arrive; only the receiving thread touches it. */
struct sorting {
    struct loop loop;
    struct mailbox mailbox;
    pthread_t thread;
    unsigned next[SENDERS], wrong;
};

struct number {
    struct message message;
    unsigned sender, number;
};

static void deliver_number(struct message *message, void *context)
{
    struct sorting *sorting = context;
    struct number *number = container_of(message, struct number, message);
    sorting->wrong += !pthread_equal(pthread_self(), sorting->thread);
    sorting->wrong += number->number != sorting->next[number->sender]++;
    free(number);
}

struct sender {
    pthread_t thread;
    struct mailbox *mailbox;
    unsigned index;
};

static void *post_numbers(void *context)
{
    struct sender *sender = context;
    for (unsigned i = 0; i < NUMBERS; i++) {
        struct number *number = malloc(sizeof(*number));
        CHECK(number != NULL);
        *number = (struct number){{.deliver = deliver_number}, sender->index, i};
        mailbox_post(sender->mailbox, &number->message);
    }
    return NULL;
}

static void *run_sorting(void *context)
{
    struct sorting *sorting = context;
    loop_run(&sorting->loop);
    return NULL;
}

static void each_threads_messages_arrive_in_its_order(void **state)
{
    (void)state;
    struct sorting sorting = {.wrong = 0};
    struct sender senders[SENDERS];
    assert_true(loop_init(&sorting.loop));
    assert_true(mailbox_init(&sorting.mailbox, &sorting.loop, &sorting));
    assert_int_equal(pthread_create(&sorting.thread, NULL, run_sorting, &sorting), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = &sorting.mailbox, .index = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, post_numbers, &senders[i]), 0);
    }
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    mailbox_call(&sorting.mailbox, loop_stop, &sorting.loop);
    pthread_join(sorting.thread, NULL);
    assert_int_equal(sorting.wrong, 0);
    for (unsigned i = 0; i < SENDERS; i++)
        assert_int_equal(sorting.next[i], NUMBERS);
    mailbox_fini(&sorting.mailbox);
    loop_fini(&sorting.loop);
}

/* A receiver that is gone once everybody has posted to it; `posted` is each one's message. */
struct short_life {
    struct loop loop;
    struct mailbox mailbox;
    struct message posted[SENDERS];
    unsigned count;
};

/* The system's write(2), with a pause before it in threads that are late: long enough for a
 * receiver to be gone. What was to wake it would then go to whoever has its descriptor now. */
static _Thread_local bool late;
static atomic_uint written_to_nobody;

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (late)
        usleep(20);
    ssize_t written = syscall(SYS_write, fd, bytes, length);
    if (written < 0 && errno == EBADF)
        written_to_nobody++;
    return written;
}

/* All threads wait for each other before each round. */
struct rounds {
    pthread_barrier_t start;
    struct short_life *life; /* of this round; NULL: there are no more */
};

struct poster {
    pthread_t thread;
    struct rounds *rounds;
    unsigned index;
};

static void deliver_to_short_life(struct message *message, void *context)
{
    (void)message;
    struct short_life *life = context;
    life->count++;
}

static void *post_in_each_round(void *context)
{
    struct poster *poster = context;
    struct rounds *rounds = poster->rounds;
    late = poster->index > 0; /* the first wakes the receiver */
    for (;;) {
        pthread_barrier_wait(&rounds->start);
        struct short_life *life = rounds->life;
        if (life == NULL)
            return NULL;
        mailbox_post(&life->mailbox, &life->posted[poster->index]);
    }
}

static struct short_life *new_short_life(void)
{
    struct short_life *life = calloc(1, sizeof(*life));
    assert_non_null(life);
    assert_true(loop_init(&life->loop));
    assert_true(mailbox_init(&life->mailbox, &life->loop, life));
    for (unsigned i = 0; i < SENDERS; i++)
        life->posted[i].deliver = deliver_to_short_life;
    return life;
}

/* Nobody tells it that the others are out of mailbox_post(). Of memory that is gone a sanitizer
 * tells. */
static void a_receiver_may_be_gone_as_soon_as_it_has_the_last_message(void **state)
{
    (void)state;
    struct rounds rounds = {.life = NULL};
    struct poster posters[SENDERS];
    assert_int_equal(pthread_barrier_init(&rounds.start, NULL, SENDERS + 1), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        posters[i] = (struct poster){.rounds = &rounds, .index = i};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_in_each_round, &posters[i]),
                         0);
    }
    for (int round = 0; round < 500; round++) {
        struct short_life *life = rounds.life = new_short_life();
        pthread_barrier_wait(&rounds.start);
        while (life->count < SENDERS)
            loop_turn(&life->loop, -1);
        mailbox_fini(&life->mailbox);
        loop_fini(&life->loop);
        free(life);
    }
    rounds.life = NULL;
    pthread_barrier_wait(&rounds.start);
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(posters[i].thread, NULL);
    pthread_barrier_destroy(&rounds.start);
    assert_int_equal(written_to_nobody, 0);
}

#define with_receiver(test) cmocka_unit_test_setup_teardown(test, make_receiver, drop_receiver)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_receiver(a_message_is_delivered_by_the_loop_and_not_before),
        with_receiver(messages_arrive_in_the_order_they_were_posted),
        with_receiver(a_message_that_is_posted_by_a_message_arrives_too),
        with_receiver(each_mailbox_of_a_loop_has_its_own_receiver),
        with_receiver(what_is_still_there_at_the_end_is_delivered),
        with_receiver(a_call_is_made_once_in_the_loop),
        with_receiver(a_call_may_stop_the_loop),
        cmocka_unit_test(each_threads_messages_arrive_in_its_order),
        cmocka_unit_test(a_receiver_may_be_gone_as_soon_as_it_has_the_last_message),
    };
    alarm(120); /* a loop that is never woken is a failure too */
    return cmocka_run_group_tests_name("core/mailbox", tests, NULL, NULL);
}
