/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/recorder.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/mailbox.h"
#include "core/ring.h"
#include "core/thread.h"
#include "event/followed.h"
#include "event/line_file.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RING_SIZE ((size_t)1 << 20)
#define RECORDS_A_TURN 4096
/* Where one line was more will come: for so long, in ms, nobody rings for them, unless they fill
 * the ring. After many it is longer (from 16,000 a second on, and down to 1,600): to be woken often
 * costs a busy machine more than to write the lines. Those of two feeds may come out of order by as
 * much. */
#define NAP 2
#define LONG_NAP 20
#define MANY 32
/* How long the end waits for a disk, in s. */
#define STOP_LIMIT 5

struct recorder_feed {
    struct recorder *recorder;
    struct ring ring;
    size_t unseen; /* bytes that were put since it last woke the recorder */
    struct counter dropped;
};

/* Who wants an output's lines. */
enum { WANTED_BY_FILE = 1, WANTED_BY_FOLLOWER = 2, WANTED_BY_STORE = 4 };

/* Only the recorder's thread touches it, but for `wanted`. */
struct file_output {
    atomic_uint wanted;
    struct line_file file;
};

struct recorder {
    struct loop loop;
    struct mailbox mailbox;
    struct watch data_watch;
    int data; /* eventfd: there is something in a ring */
    atomic_bool asleep;
    struct timeout_class nap_time, long_nap_time;
    struct timer nap;
    pthread_t thread;
    struct recorder_counters counters;
    struct file_output outputs[OUTPUTS];
    struct followed followed;
    struct store store;
    size_t feed_limit;
    atomic_size_t feed_count;
    struct recorder_feed feeds[];
};

/* ---- outputs ---- */

static const mode_t modes[OUTPUTS] = {
    [OUTPUT_EVENTS] = 0640, [OUTPUT_KEYLOG] = 0600, [OUTPUT_LOG] = 0};

static void count(struct recorder *recorder, struct line_counts counts)
{
    if (counts.written > 0)
        counter_add(&recorder->counters.written, counts.written);
    if (counts.lost > 0)
        counter_add(&recorder->counters.lost, counts.lost);
}

static void flush_output(struct recorder *recorder, enum output which)
{
    count(recorder, line_file_flush(&recorder->outputs[which].file));
}

static void append_line(struct recorder *recorder, enum output which, const char *line,
                        size_t length)
{
    struct file_output *output = &recorder->outputs[which];
    if ((atomic_load(&output->wanted) & WANTED_BY_FILE) != 0)
        count(recorder, line_file_add(&output->file, line, length));
}

bool recorder_fails(const struct recorder *recorder, enum output output)
{
    return atomic_load(&recorder->outputs[output].file.failing);
}

/* ---- the store ---- */

static void want_store(struct recorder *recorder, bool wanted)
{
    atomic_uint *wanting = &recorder->outputs[OUTPUT_EVENTS].wanted;
    if (wanted)
        atomic_fetch_or(wanting, (unsigned)WANTED_BY_STORE);
    else
        atomic_fetch_and(wanting, ~(unsigned)WANTED_BY_STORE);
}

const struct store_counters *recorder_store_counters(const struct recorder *recorder)
{
    return &recorder->store.counters;
}

/* ---- whoever follows ---- */

static bool is_followed(const struct recorder *recorder)
{
    return (atomic_load(&recorder->outputs[OUTPUT_EVENTS].wanted) & WANTED_BY_FOLLOWER) != 0;
}

int recorder_follow(struct recorder *recorder)
{
    if (!followed_begin(&recorder->followed))
        return -1;
    atomic_fetch_or(&recorder->outputs[OUTPUT_EVENTS].wanted, (unsigned)WANTED_BY_FOLLOWER);
    return recorder->followed.news;
}

void recorder_unfollow(struct recorder *recorder)
{
    atomic_fetch_and(&recorder->outputs[OUTPUT_EVENTS].wanted, ~(unsigned)WANTED_BY_FOLLOWER);
}

const char *recorder_next(struct recorder *recorder, size_t *length, uint64_t *lost)
{
    return followed_next(&recorder->followed, length, lost);
}

void recorder_followed(struct recorder *recorder)
{
    followed_taken(&recorder->followed);
}

/* ---- feeds ---- */

/* A record's tag is its output, and whether somebody followed that when it was put: who begins
 * later does not see it. */
#define TAG_FOLLOWED 0x100u

static size_t drain_feed(struct recorder *recorder, struct recorder_feed *feed)
{
    uint32_t tag;
    size_t length, count = 0;
    const char *line;
    while (count < RECORDS_A_TURN && (line = ring_peek(&feed->ring, &tag, &length)) != NULL) {
        if ((tag & TAG_FOLLOWED) != 0 && is_followed(recorder))
            followed_put(&recorder->followed, line, length);
        if ((tag & ~TAG_FOLLOWED) == OUTPUT_EVENTS)
            store_put(&recorder->store, line, length);
        append_line(recorder, (enum output)(tag & ~TAG_FOLLOWED), line, length);
        ring_consume(&feed->ring);
        count++;
    }
    return count;
}

/* Returns how many lines there were. */
static size_t drain_feeds(struct recorder *recorder)
{
    size_t lines = 0, count = atomic_load(&recorder->feed_count);
    for (size_t i = 0; i < count; i++)
        lines += drain_feed(recorder, &recorder->feeds[i]);
    followed_tell(&recorder->followed);
    for (enum output which = 0; which < OUTPUTS; which++)
        flush_output(recorder, which);
    return lines;
}

static void nap_over(struct timer *timer);

/* Where a turn was full, some lines may be left. */
static void nap(struct recorder *recorder, size_t lines)
{
    bool long_one = lines >= MANY && lines < RECORDS_A_TURN;
    struct timeout_class *time = long_one ? &recorder->long_nap_time : &recorder->nap_time;
    timer_start(&recorder->nap, time, recorder->loop.now, nap_over);
}

static void nap_over(struct timer *timer)
{
    struct recorder *recorder = container_of(timer, struct recorder, nap);
    size_t lines = drain_feeds(recorder);
    if (lines > 0) {
        nap(recorder, lines);
        return;
    }
    /* A feed that saw us awake does not ring: so look once more after lying down. Each side writes
     * before it reads what the other one writes, in an order that both see (ring.h): either the
     * feed finds us asleep, or we see what it had put before. */
    atomic_store(&recorder->asleep, true);
    lines = drain_feeds(recorder);
    if (lines > 0) {
        atomic_store(&recorder->asleep, false);
        nap(recorder, lines);
    }
}

static void data_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct recorder *recorder = container_of(watch, struct recorder, data_watch);
    uint64_t count;
    (void)!read(recorder->data, &count, sizeof(count));
    atomic_store(&recorder->asleep, false);
    nap(recorder, drain_feeds(recorder));
}

void recorder_drop(struct recorder_feed *feed)
{
    counter_add(&feed->dropped, 1);
}

bool recorder_wants(const struct recorder_feed *feed, enum output output)
{
    return atomic_load_explicit(&feed->recorder->outputs[output].wanted, memory_order_relaxed) != 0;
}

bool recorder_has_room(const struct recorder_feed *feed, size_t length)
{
    return ring_fits(&feed->ring, length);
}

static void wake(struct recorder_feed *feed)
{
    uint64_t one = 1;
    feed->unseen = 0;
    (void)!write(feed->recorder->data, &one, sizeof(one));
}

/* True for one of those who find it asleep: that one has to wake it. */
static bool must_wake(struct recorder *recorder)
{
    return atomic_load(&recorder->asleep) && atomic_exchange(&recorder->asleep, false);
}

void recorder_put(struct recorder_feed *feed, enum output output, const char *line, size_t length)
{
    if (!recorder_wants(feed, output))
        return;
    bool follows = output == OUTPUT_EVENTS && is_followed(feed->recorder);
    if (!ring_put(&feed->ring, output | (follows ? TAG_FOLLOWED : 0), line, length)) {
        counter_add(&feed->dropped, 1);
        if (feed->unseen > 0)
            wake(feed);
        return;
    }
    feed->unseen += length;
    if (must_wake(feed->recorder) || feed->unseen > RING_SIZE / 2)
        wake(feed);
}

void recorder_log_sink(void *feed, const char *line, size_t length)
{
    recorder_put(feed, OUTPUT_LOG, line, length);
}

struct recorder_feed *recorder_feed(struct recorder *recorder)
{
    size_t index = atomic_load(&recorder->feed_count);
    CHECK(index < recorder->feed_limit);
    struct recorder_feed *feed = &recorder->feeds[index];
    feed->recorder = recorder;
    CHECK(ring_init(&feed->ring, RING_SIZE));
    atomic_store(&recorder->feed_count, index + 1);
    return feed;
}

uint64_t recorder_dropped(const struct recorder *recorder)
{
    uint64_t dropped = 0;
    size_t count = atomic_load(&recorder->feed_count);
    for (size_t i = 0; i < count; i++)
        dropped += counter_read(&recorder->feeds[i].dropped);
    return dropped;
}

const struct recorder_counters *recorder_counters(const struct recorder *recorder)
{
    return &recorder->counters;
}

/* ---- messages ---- */

struct reopen_message {
    struct message message;
    char *paths[OUTPUTS];
    char *store_file;
    struct store_settings store;
    struct line_rotation rotations[OUTPUTS];
};

static void set_wanted(struct file_output *output, bool wanted)
{
    if (wanted)
        atomic_fetch_or(&output->wanted, (unsigned)WANTED_BY_FILE);
    else
        atomic_fetch_and(&output->wanted, ~(unsigned)WANTED_BY_FILE);
}

static void deliver_reopen(struct message *message, void *receiver)
{
    struct recorder *recorder = receiver;
    struct reopen_message *reopen = container_of(message, struct reopen_message, message);
    (void)drain_feeds(recorder);
    for (enum output which = 0; which < OUTPUT_LOG; which++) {
        struct file_output *output = &recorder->outputs[which];
        flush_output(recorder, which);
        set_wanted(output, reopen->paths[which] != NULL);
        if (!line_file_open(&output->file, reopen->paths[which], &reopen->rotations[which]))
            line_file_complain(&output->file);
    }
    store_open(&recorder->store, &reopen->store);
    want_store(recorder, reopen->store.file != NULL);
    free(reopen->store_file);
    free(reopen);
}

static char *copy_path(const char *path)
{
    if (path == NULL)
        return NULL;
    char *copy = strdup(path);
    CHECK(copy != NULL);
    return copy;
}

void recorder_reopen(struct recorder *recorder, const struct recorder_paths *paths)
{
    struct reopen_message *reopen = calloc(1, sizeof(*reopen));
    CHECK(reopen != NULL);
    reopen->message.deliver = deliver_reopen;
    reopen->paths[OUTPUT_EVENTS] = copy_path(paths->events);
    reopen->paths[OUTPUT_KEYLOG] = copy_path(paths->keylog);
    reopen->store = paths->store;
    reopen->store.file = reopen->store_file = copy_path(paths->store.file);
    reopen->rotations[OUTPUT_EVENTS] = paths->rotation;
    mailbox_post(&recorder->mailbox, &reopen->message);
}

struct ping_message {
    struct message message;
    void (*pong)(void *context);
    void *context;
};

static void deliver_ping(struct message *message, void *receiver)
{
    struct ping_message *ping = container_of(message, struct ping_message, message);
    struct recorder *recorder = receiver;
    (void)drain_feeds(recorder);
    store_commit(&recorder->store);
    ping->pong(ping->context);
    free(ping);
}

void recorder_ping(struct recorder *recorder, void (*pong)(void *context), void *context)
{
    struct ping_message *ping = calloc(1, sizeof(*ping));
    CHECK(ping != NULL);
    ping->message.deliver = deliver_ping;
    ping->pong = pong;
    ping->context = context;
    mailbox_post(&recorder->mailbox, &ping->message);
}

/* ---- starting and stopping ---- */

static void *run(void *context)
{
    struct recorder *recorder = context;
    thread_begin("recorder");
    data_ready(&recorder->data_watch, 0);
    loop_run(&recorder->loop);
    while (drain_feeds(recorder) > 0)
        ;
    return NULL;
}

static bool open_output(struct recorder *recorder, enum output which, const char *path,
                        const struct line_rotation *rotation)
{
    struct file_output *output = &recorder->outputs[which];
    atomic_init(&output->wanted, path != NULL ? WANTED_BY_FILE : 0);
    if (line_file_open(&output->file, copy_path(path), rotation))
        return true;
    log_error("%s: %m", path);
    return false;
}

static bool open_outputs(struct recorder *recorder, const struct recorder_paths *paths)
{
    const struct line_rotation never = {0};
    struct file_output *log = &recorder->outputs[OUTPUT_LOG];
    log->file.fd = STDERR_FILENO;
    atomic_init(&log->wanted, WANTED_BY_FILE);
    if (!open_output(recorder, OUTPUT_EVENTS, paths->events, &paths->rotation) ||
        !open_output(recorder, OUTPUT_KEYLOG, paths->keylog, &never))
        return false;
    store_open(&recorder->store, &paths->store);
    want_store(recorder, paths->store.file != NULL);
    return true;
}

static void free_recorder(struct recorder *recorder)
{
    for (size_t i = 0; i < atomic_load(&recorder->feed_count); i++)
        ring_fini(&recorder->feeds[i].ring);
    for (enum output which = 0; which < OUTPUT_LOG; which++)
        line_file_fini(&recorder->outputs[which].file);
    store_fini(&recorder->store);
    followed_fini(&recorder->followed);
    loop_fini(&recorder->loop);
    if (recorder->data >= 0)
        close(recorder->data);
    free(recorder);
}

struct recorder *recorder_start(const struct recorder_paths *paths, size_t feed_limit)
{
    struct recorder *recorder =
        calloc(1, sizeof(*recorder) + feed_limit * sizeof(recorder->feeds[0]));
    CHECK(recorder != NULL);
    recorder->feed_limit = feed_limit;
    for (enum output which = 0; which < OUTPUTS; which++)
        line_file_init(&recorder->outputs[which].file, modes[which]);
    recorder->data = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!followed_init(&recorder->followed) || !loop_init(&recorder->loop) || recorder->data < 0 ||
        !mailbox_init(&recorder->mailbox, &recorder->loop, recorder) ||
        !loop_add(&recorder->loop, &recorder->data_watch, recorder->data, EPOLLIN, data_ready)) {
        log_error("the recorder could not be set up: %m");
        free_recorder(recorder);
        return NULL;
    }
    timeout_class_init(&recorder->nap_time, &recorder->loop.timeouts, NAP);
    timeout_class_init(&recorder->long_nap_time, &recorder->loop.timeouts, LONG_NAP);
    store_init(&recorder->store, &recorder->loop);
    if (!open_outputs(recorder, paths)) {
        free_recorder(recorder);
        return NULL;
    }
    if (pthread_create(&recorder->thread, NULL, run, recorder) != 0) {
        log_error("the recorder's thread could not be started");
        free_recorder(recorder);
        return NULL;
    }
    return recorder;
}

void recorder_stop(struct recorder *recorder)
{
    if (recorder == NULL)
        return;
    mailbox_call(&recorder->mailbox, loop_stop, &recorder->loop);
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += STOP_LIMIT;
    if (pthread_timedjoin_np(recorder->thread, NULL, &limit) != 0) {
        log_warning("the records' disk does not answer: what is not written is lost");
        return; /* the thread still has it all; our end will be its end */
    }
    mailbox_fini(&recorder->mailbox);
    free_recorder(recorder);
}
