/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/capture.h"

#include "core/log.h"
#include "core/mailbox.h"
#include "core/thread.h"
#include "event/live_feed.h"
#include "event/mirror.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Of one feed; then those that wait for packets get what there is. Less than a client of the live
 * feed has room for. */
#define NOTES_A_TURN 1024
#define BYTES_A_TURN ((size_t)1 << 20)
/* So many turns take what is in the fullest rings. */
#define TURNS_OF_ALL 512
/* Where some bytes were more will come: for so long, in ms, nobody has to ring for them. */
#define NAP 2
/* How long the end waits for a disk, in s. */
#define STOP_LIMIT 5

struct capture {
    struct loop loop;
    struct mailbox mailbox;
    struct watch data_watch;
    struct capture_alarm alarm;
    struct timeout_class nap_time;
    struct timer nap;
    pthread_t thread;
    struct packet_sinks sinks;
    struct live_feed live;
    struct mirror mirror;
    int mirror_socket; /* -1: there is none */
    int any_socket;    /* for questions about interfaces */
    struct capture_files files;
    size_t feed_limit;
    atomic_size_t feed_count;
    struct capture_feed feeds[];
};

struct capture_feed *capture_feed(struct capture *capture)
{
    size_t index = atomic_load(&capture->feed_count);
    CHECK(index < capture->feed_limit);
    struct capture_feed *feed = &capture->feeds[index];
    capture_feed_init(feed, &capture->sinks.count, &capture->alarm, CAPTURE_RING_SIZE);
    atomic_store(&capture->feed_count, index + 1);
    return feed;
}

/* ---- making packets ---- */

/* The device's packets are for our own interface, as the wire has it. */
static void find_own_mac(const struct capture *capture, const char *name,
                         uint8_t mac[static MAC_SIZE])
{
    struct ifreq request = {0};
    if (name[0] == '\0')
        return;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(capture->any_socket, SIOCGIFHWADDR, &request) == 0)
        memcpy(mac, request.ifr_hwaddr.sa_data, MAC_SIZE);
}

static void begin_flow(struct capture *capture, struct capture_flow *flow, uint64_t time)
{
    struct tcp_stream *stream = &flow->captured.stream;
    tcp_stream_init(stream, flow->seed);
    find_own_mac(capture, flow->interface, stream->origin.mac);
    packet_sinks_begin(&capture->sinks, &flow->captured, time);
    capture_flow_forget(flow);
}

static void end_flow(struct capture_flow *flow, const struct capture_note *note)
{
    struct tcp_stream *stream = &flow->captured.stream;
    if (flow->captured.sinks != 0 && note->ending != CAPTURE_CLOSED) {
        tcp_stream_reset(stream, note->time, note->ending == CAPTURE_RESET_BY_DEVICE);
    } else if (flow->captured.sinks != 0) {
        tcp_stream_end(stream, note->time, true);
        tcp_stream_end(stream, note->time, false);
    }
    packet_sinks_end(&flow->captured);
    capture_flow_free(flow);
}

static void take(struct capture *capture, const struct capture_note *note)
{
    struct capture_flow *flow = note->flow;
    struct tcp_stream *stream = &flow->captured.stream;
    if (note->kind == CAPTURE_BEGIN)
        begin_flow(capture, flow, note->time);
    tcp_stream_skip(stream, false, note->lost[false]);
    tcp_stream_skip(stream, true, note->lost[true]);
    if (flow->captured.sinks == 0)
        atomic_store_explicit(&flow->unwanted, true, memory_order_relaxed);
    else if (note->kind == CAPTURE_DATA)
        tcp_stream_data(stream, note->time, note->up, note->bytes, note->length);
    else if (note->kind == CAPTURE_HALF_END)
        tcp_stream_end(stream, note->time, note->up);
    if (note->kind == CAPTURE_END)
        end_flow(flow, note);
}

/* What a turn has found; of several feeds the greatest counts. */
enum found { FOUND_NOTHING, FOUND_SOME, FOUND_TOO_MUCH };

static enum found drain_feed(struct capture *capture, struct capture_feed *feed)
{
    struct capture_note note;
    size_t count = 0, bytes = 0;
    while (capture_feed_next(feed, &note)) {
        if (count == NOTES_A_TURN || bytes >= BYTES_A_TURN)
            return FOUND_TOO_MUCH;
        take(capture, &note);
        bytes += note.length;
        capture_feed_taken(feed);
        count++;
    }
    return count > 0 ? FOUND_SOME : FOUND_NOTHING;
}

static enum found drain_feeds(struct capture *capture)
{
    enum found most = FOUND_NOTHING;
    const size_t count = atomic_load(&capture->feed_count);
    for (size_t i = 0; i < count; i++) {
        const enum found found = drain_feed(capture, &capture->feeds[i]);
        most = found > most ? found : most;
    }
    packet_sinks_flush(&capture->sinks);
    return most;
}

static void nap_over(struct timer *timer);

/* At once, once clients have had their turn, or after a nap. It counts from when this turn began,
 * so that what takes long is not followed by a longer one. */
static void go_on(struct capture *capture, enum found found)
{
    if (found == FOUND_TOO_MUCH)
        loop_again(&capture->loop, &capture->data_watch);
    else
        timer_start(&capture->nap, &capture->nap_time, capture->loop.now, nap_over);
}

/* As the recorder sleeps: see there. */
static void nap_over(struct timer *timer)
{
    struct capture *capture = container_of(timer, struct capture, nap);
    enum found found = drain_feeds(capture);
    if (found == FOUND_NOTHING) {
        (void)atomic_exchange(&capture->alarm.asleep, true);
        found = drain_feeds(capture);
        if (found == FOUND_NOTHING)
            return;
        atomic_store(&capture->alarm.asleep, false);
    }
    go_on(capture, found);
}

static void data_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct capture *capture = container_of(watch, struct capture, data_watch);
    uint64_t count;
    (void)!read(capture->alarm.news, &count, sizeof(count));
    atomic_store(&capture->alarm.asleep, false);
    go_on(capture, drain_feeds(capture));
}

/* ---- what others ask for ---- */

const char *capture_add_file(struct capture *capture, const struct capture_file_options *options,
                             char text[static CAPTURE_FAULT_SIZE])
{
    return capture_files_add(&capture->files, options, text);
}

/* With what was relayed before. */
bool capture_end_files(struct capture *capture, const char *name, struct jsonw *json)
{
    if (!capture_files_has(&capture->files, name))
        return false;
    for (size_t turn = 0; turn < TURNS_OF_ALL && drain_feeds(capture) != FOUND_NOTHING; turn++)
        ;
    jsonw_array(json, NULL);
    capture_files_end(&capture->files, name, "it was stopped", json);
    jsonw_array_end(json);
    return true;
}

void capture_write(const struct capture *capture, struct jsonw *json)
{
    uint64_t bytes = 0, flows = 0;
    for (size_t i = 0; i < atomic_load(&capture->feed_count); i++) {
        bytes += counter_read(&capture->feeds[i].lost_bytes);
        flows += counter_read(&capture->feeds[i].lost_flows);
    }
    jsonw_object(json, NULL);
    jsonw_array(json, "files");
    capture_files_write(&capture->files, json);
    jsonw_array_end(json);
    live_feed_write(&capture->live, json);
    mirror_write(&capture->mirror, json);
    jsonw_uint(json, "lost_bytes", bytes);
    jsonw_uint(json, "lost_connections", flows);
    jsonw_object_end(json);
}

/* ---- messages ---- */

struct call_message {
    struct message message;
    void (*function)(struct capture *capture, void *context);
    void *context;
};

static void deliver_call(struct message *message, void *receiver)
{
    struct call_message *call = container_of(message, struct call_message, message);
    call->function(receiver, call->context);
    free(call);
}

void capture_call(struct capture *capture, void (*function)(struct capture *capture, void *context),
                  void *context)
{
    struct call_message *call = calloc(1, sizeof(*call));
    CHECK(call != NULL);
    *call = (struct call_message){{.deliver = deliver_call}, function, context};
    mailbox_post(&capture->mailbox, &call->message);
}

/* ---- options ---- */

static bool is_same(const struct address *a, const struct address *b)
{
    return a->family == b->family &&
           (a->family == 0 || (a->port == b->port && address_same_ip(a, b)));
}

static bool set_live(struct capture *capture, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];
    if (is_same(&capture->live.address, address))
        return true;
    live_feed_close(&capture->live);
    if (address->family == 0 || live_feed_open(&capture->live, address))
        return true;
    log_error("[capture] live = %s: %m", address_text(address, text));
    return false;
}

static void set_mirror(struct capture *capture, const char *interface)
{
    if (strcmp(capture->mirror.interface, interface != NULL ? interface : "") == 0)
        return;
    mirror_close(&capture->mirror, &capture->sinks);
    if (interface == NULL)
        return;
    if (capture->mirror_socket < 0)
        log_warning("[capture] mirror = %s: that takes effect after a restart", interface);
    else if (!mirror_open(&capture->mirror, capture->mirror_socket, interface, &capture->sinks))
        log_error("[capture] mirror = %s: too much is captured already", interface);
}

struct configuring {
    struct address live;
    char *mirror;
};

static void apply_options(struct capture *capture, void *context)
{
    struct configuring *configuring = context;
    (void)set_live(capture, &configuring->live);
    set_mirror(capture, configuring->mirror);
    free(configuring->mirror);
    free(configuring);
}

void capture_configure(struct capture *capture, const struct capture_options *options)
{
    struct configuring *configuring = calloc(1, sizeof(*configuring));
    CHECK(configuring != NULL);
    configuring->live = options->live;
    configuring->mirror = options->mirror != NULL ? strdup(options->mirror) : NULL;
    capture_call(capture, apply_options, configuring);
}

/* ---- starting and stopping ---- */

static void *run(void *context)
{
    struct capture *capture = context;
    thread_begin("capture");
    data_ready(&capture->data_watch, 0);
    loop_run(&capture->loop);
    while (drain_feeds(capture) != FOUND_NOTHING)
        ;
    capture_files_end(&capture->files, NULL, "interceptd has ended", NULL);
    return NULL;
}

static void free_capture(struct capture *capture)
{
    mirror_close(&capture->mirror, &capture->sinks);
    live_feed_close(&capture->live);
    for (size_t i = 0; i < atomic_load(&capture->feed_count); i++)
        capture_feed_fini(&capture->feeds[i]);
    loop_fini(&capture->loop);
    if (capture->alarm.news >= 0)
        close(capture->alarm.news);
    if (capture->any_socket >= 0)
        close(capture->any_socket);
    free(capture);
}

static bool set_up(struct capture *capture)
{
    packet_sinks_init(&capture->sinks);
    capture->files.sinks = &capture->sinks;
    live_feed_init(&capture->live, &capture->loop, &capture->sinks);
    capture->alarm.news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    capture->any_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (loop_init(&capture->loop) && capture->alarm.news >= 0 && capture->any_socket >= 0 &&
        mailbox_init(&capture->mailbox, &capture->loop, capture) &&
        loop_add(&capture->loop, &capture->data_watch, capture->alarm.news, EPOLLIN, data_ready)) {
        timeout_class_init(&capture->nap_time, &capture->loop.timeouts, NAP);
        return true;
    }
    log_error("the capturing thread could not be set up: %m");
    return false;
}

struct capture *capture_start(const struct capture_options *options, size_t feed_limit)
{
    struct capture *capture = calloc(1, sizeof(*capture) + feed_limit * sizeof(capture->feeds[0]));
    CHECK(capture != NULL);
    capture->feed_limit = feed_limit;
    capture->mirror_socket = options->mirror_socket;
    if (!set_up(capture) || !set_live(capture, &options->live)) {
        free_capture(capture);
        return NULL;
    }
    set_mirror(capture, options->mirror);
    if (pthread_create(&capture->thread, NULL, run, capture) == 0)
        return capture;
    log_error("the capturing thread could not be started");
    free_capture(capture);
    return NULL;
}

void capture_stop(struct capture *capture)
{
    struct timespec limit;
    if (capture == NULL)
        return;
    mailbox_call(&capture->mailbox, loop_stop, &capture->loop);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += STOP_LIMIT;
    if (pthread_timedjoin_np(capture->thread, NULL, &limit) != 0) {
        log_warning("the captures' disk does not answer: what is not written is lost");
        return; /* the thread still has it all; our end will be its end */
    }
    mailbox_fini(&capture->mailbox);
    free_capture(capture);
}
