/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/control.h"

#include "control/audit.h"
#include "control/commands.h"
#include "control/kept.h"
#include "control/naming.h"
#include "control/notify.h"
#include "control/socket.h"
#include "control/stats_events.h"
#include "core/log.h"
#include "core/version.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <unistd.h>

#define DRAIN_CHECK_MS 100
/* How late an edit may expire. */
#define EXPIRY_CHECK_MS 250
/* What the end takes after the drain at most, in s. */
#define STOP_TIME 30

/* While a reload is under way we are not ready. */
static void tell_status(const struct control *control)
{
    notify("%sSTATUS=policy revision %llu, %zu ignore patterns",
           control->reloading ? "" : "READY=1\n",
           (unsigned long long)policy_revision(control->engine->policy),
           patterns_count(policy_ignore(control->engine->policy)));
}

/* ---- reload ---- */

static void refuse_all(struct control_requests *requests, const struct reload *reload,
                       const char *path)
{
    struct control_request *request;
    struct jsonw data;
    size_t index;
    const json_t *line;
    jsonw_init_growing(&data);
    jsonw_object(&data, NULL);
    jsonw_array(&data, "errors");
    json_array_foreach(reload->errors, index, line)
        jsonw_string(&data, NULL, json_string_value(line));
    jsonw_array_end(&data);
    jsonw_object_end(&data);
    while ((request = STAILQ_FIRST(requests)) != NULL) {
        STAILQ_REMOVE_HEAD(requests, link);
        control_refuse(request, "invalid", &data, "%s was not reloaded: the old policy stays",
                       path);
    }
    jsonw_fini(&data);
}

/* The edits go on, whatever the file says by now. */
static bool plan_reload(struct change *change)
{
    const struct config *file = policy_file(change->basis.policy);
    change->edits = edits_copy(change->control->edits, clock_ms());
    change->reason = "reload";
    json_array_append_new(change->items,
                          json_pack("{s:s, s:s}", "what", "configuration", "new", file->path));
    change_set_text(change, "reloaded %s", file->path);
    return true;
}

static void reload_read_it(void *receiver, struct reload *reload)
{
    struct control *control = receiver;
    if (reload->policy == NULL) {
        log_error("%s was not reloaded: the old policy stays", control->source.path);
        refuse_all(&control->reloads, reload, control->source.path);
        reload_free(reload);
        engine_reopen(control->engine);
        control_reload_ended(control);
        return;
    }
    struct control_request *first = STAILQ_FIRST(&control->reloads);
    struct change *change = change_new(control, NULL, plan_reload);
    if (first != NULL) {
        change->peer = first->peer;
        change->by_peer = true;
    }
    STAILQ_CONCAT(&change->requests, &control->reloads);
    change->basis = (struct basis_change){reload->policy, reload->tls, reload->warnings};
    reload->policy = NULL;
    reload->tls = NULL;
    reload->warnings = NULL;
    reload_free(reload);
    change_enqueue(change);
}

void control_reload_ended(struct control *control)
{
    control->reloading = false;
    tell_status(control);
    if (!control->reload_again)
        return;
    control->reload_again = false;
    STAILQ_CONCAT(&control->reloads, &control->reloads_after);
    control_reload(control, NULL);
}

/* Whoever asks while a file is read may mean another one. */
void control_reload(struct control *control, struct control_request *request)
{
    struct control_requests *requests =
        control->reloading ? &control->reloads_after : &control->reloads;
    if (request != NULL)
        STAILQ_INSERT_TAIL(requests, request, link);
    if (control->reloading) {
        control->reload_again = true;
        return;
    }
    notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_ms() * 1000);
    control->reloading =
        reload_start(&control->source, control->engine, &control->mailbox, reload_read_it);
    if (control->reloading)
        return;
    log_error("a reload could not be started: %m");
    while ((request = STAILQ_FIRST(&control->reloads)) != NULL) {
        STAILQ_REMOVE_HEAD(&control->reloads, link);
        control_refuse(request, "failed", NULL, "a reload could not be started");
    }
    tell_status(control);
}

/* ---- edits that expire ---- */

/* Nothing holds for longer than it was to, whatever becomes of the file: there it has its end. */
static bool plan_expiry(struct change *change)
{
    const struct control *control = change->control;
    const uint64_t now = clock_ms();
    const struct edit *edit;
    change->edits = edits_copy(control->edits, now);
    change->reason = "expiry";
    change->cannot_wait = true;
    TAILQ_FOREACH (edit, &control->edits->items, link) {
        if (edit->due == 0 || edit->due > now)
            continue;
        change_note(change, &edit->subject);
        change->save = change->save || edit->persist;
    }
    return json_array_size(change->items) > 0;
}

static void look_at_expiry(struct timer *timer)
{
    struct control *control = container_of(timer, struct control, expiry);
    const uint64_t due = edits_next_due(control->edits);
    if (due == 0)
        return;
    timer_start(timer, &control->expiry_time, control->loop.now, look_at_expiry);
    if (due <= clock_ms() && !change_is_busy(control))
        change_enqueue(change_new(control, NULL, plan_expiry));
}

void control_changed(struct control *control)
{
    tell_status(control);
    naming_reload(control->naming);
    stats_events_start(control);
    timer_stop(&control->expiry);
    look_at_expiry(&control->expiry);
}

/* ---- the end ---- */

static void check_drain(struct timer *timer)
{
    struct control *control = container_of(timer, struct control, drain_check);
    uint64_t active = engine_active(control->engine);
    if (active > 0 && control->loop.now < control->drain_until) {
        timer_start(timer, &control->drain_check_time, control->loop.now, check_drain);
        return;
    }
    if (active > 0)
        log_warning("%llu connections are cut: their time is up", (unsigned long long)active);
    loop_stop(&control->loop);
}

/* The first request drains, the second does not wait. */
static void begin_end(struct control *control)
{
    const struct network_config *network = &policy_config(control->engine->policy)->network;
    if (control->drain_until != 0) {
        loop_stop(&control->loop);
        return;
    }
    notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
           ((unsigned long long)network->drain_timeout + STOP_TIME) * 1000000);
    control->drain_until = control->loop.now + (uint64_t)network->drain_timeout * 1000;
    log_info("stopping: new connections pass, %llu open ones have %u s",
             (unsigned long long)engine_active(control->engine), network->drain_timeout);
    engine_drain(control->engine);
    check_drain(&control->drain_check);
}

/* ---- signals ---- */

static sigset_t control_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    return signals;
}

struct policy *control_restore(struct policy *policy, struct edits *edits)
{
    char path[PATH_MAX];
    struct report report = {0};
    kept_path(policy_config(policy)->state_directory, path, sizeof(path));
    if (!kept_load(path, edits) || edits->count == 0)
        return policy;
    struct policy *edited = policy_edit(policy, NULL, edits, policy_revision(policy), &report);
    if (edited == NULL) {
        report_log(&report);
        log_error("%s: what was changed at run time is not restored", path);
        edits_clear(edits);
    } else {
        policy_unref(policy);
    }
    report_fini(&report);
    return edited != NULL ? edited : policy;
}

void control_block_signals(void)
{
    sigset_t signals = control_signals();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void signal_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct control *control = container_of(watch, struct control, signal_watch);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    switch (info.ssi_signo) {
    case SIGHUP:
        control_reload(control, NULL);
        break;
    case SIGUSR1:
        engine_reopen(control->engine);
        break;
    default:
        begin_end(control);
    }
}

/* ---- watchdog ---- */

static void count_answer(void *context)
{
    struct control *control = context;
    control->unanswered--;
}

/* In the thread that was asked. */
static void answer_ping(void *context)
{
    struct control *control = context;
    mailbox_call(&control->mailbox, count_answer, control);
}

/* Only if every thread that traffic needs has answered the last ping are we well: the recorder may
 * wait for a disk. */
static void watchdog_due(struct timer *timer)
{
    struct control *control = container_of(timer, struct control, watchdog);
    struct engine *engine = control->engine;
    timer_start(timer, &control->watchdog_time, control->loop.now, watchdog_due);
    if (control->unanswered > 0)
        return;
    notify("WATCHDOG=1");
    control->unanswered = 1 + engine->worker_count;
    gate_ping(engine->gate, answer_ping, control);
    for (size_t i = 0; i < engine->worker_count; i++)
        worker_ping(engine->workers[i], answer_ping, control);
}

static void start_watchdog(struct control *control)
{
    uint64_t interval = notify_watchdog_ms();
    if (interval == 0)
        return;
    timeout_class_init(&control->watchdog_time, &control->loop.timeouts, interval / 3 + 1);
    watchdog_due(&control->watchdog);
}

/* ---- running ---- */

/* Beside the other socket, unless it is told where: control.sock, control-ro.sock. NULL if such a
 * path cannot be. */
static const char *read_socket_path(const struct config *config, char path[static PATH_MAX])
{
    const char *other = config->control_socket;
    const char *name = strrchr(other, '/') + 1, *dot = strrchr(name, '.');
    const int length = dot != NULL && dot > name ? (int)(dot - other) : (int)strlen(other);
    if (config->read_socket != NULL)
        return config->read_socket;
    snprintf(path, PATH_MAX, "%.*s-ro%s", length, other, other + length);
    if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return path;
    log_warning("there is no socket for those who may only ask: the path of the other one is too "
                "long (read-socket in [control] gives it another one)");
    return NULL;
}

static bool open_socket(struct control *control)
{
    const struct config *config = policy_config(control->engine->policy);
    char path[PATH_MAX];
    const struct control_socket_options options = {
        .path = config->control_socket,
        .read_path = read_socket_path(config, path),
        .answer = commands_answer,
        .context = control,
    };
    control->socket = control_socket_open(&control->loop, &options);
    if (control->socket != NULL)
        control_socket_set_revision(control->socket, policy_revision(control->engine->policy));
    return control->socket != NULL;
}

static bool set_up(struct control *control, int *signals)
{
    sigset_t wanted = control_signals();
    *signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (!loop_init(&control->loop) || !mailbox_init(&control->mailbox, &control->loop, control) ||
        *signals < 0 ||
        !loop_add(&control->loop, &control->signal_watch, *signals, EPOLLIN, signal_ready)) {
        log_error("the control thread could not be set up: %m");
        return false;
    }
    timeout_class_init(&control->drain_check_time, &control->loop.timeouts, DRAIN_CHECK_MS);
    timeout_class_init(&control->expiry_time, &control->loop.timeouts, EXPIRY_CHECK_MS);
    timeout_class_init(&control->stats_time, &control->loop.timeouts, 0);
    streams_init(&control->streams, &control->loop, control->engine->recorder);
    if (!open_socket(control))
        return false;
    control->naming = naming_open(&control->loop, control->engine);
    return control->naming != NULL;
}

/* What is under way uses the engine: it is waited for. */
static void finish_changes(struct control *control)
{
    control->reload_again = false;
    while (control->reloading || change_is_busy(control)) {
        change_refuse_waiting(control);
        loop_turn(&control->loop, -1);
    }
}

static void tell_running(const struct control *control)
{
    const struct engine *engine = control->engine;
    log_info("interceptd " INTERCEPTD_VERSION " is running: %zu workers, %zu ignore patterns, %s",
             engine->worker_count, patterns_count(policy_ignore(engine->policy)),
             queue_kind_text(gate_queue_kind(engine->gate)));
    tell_status(control);
}

/* What was restored at the start is told as what it is: a change by somebody, before. */
static void tell_restored(struct control *control)
{
    struct change *change = change_new(control, NULL, NULL);
    const struct edit *edit;
    change->edits = control->edits;
    control->edits = edits_new();
    TAILQ_FOREACH (edit, &change->edits->items, link)
        if (edits_holds(change->edits, edit))
            change_note(change, &edit->subject);
    edits_free(control->edits);
    control->edits = change->edits;
    change->edits = NULL;
    const struct audit audit = {.reason = "start",
                                .revision = policy_revision(control->engine->policy),
                                .items = change->items};
    if (json_array_size(change->items) > 0) {
        audit_record(control->engine->control_feed, &audit);
        log_info("%zu changes were made at run time before, and are in force",
                 json_array_size(change->items));
    }
    change_free(change);
}

static void run(struct control *control)
{
    tell_running(control);
    tell_restored(control);
    start_watchdog(control);
    learning_start(&control->learning, control->engine, &control->loop, &control->mailbox);
    control_changed(control);
    loop_run(&control->loop);
    finish_changes(control);
}

bool control_run(struct engine *engine, const struct reload_source *source, struct edits *edits)
{
    struct control control = {
        .engine = engine, .source = *source, .started = clock_ms(), .edits = edits};
    int signals = -1;
    STAILQ_INIT(&control.waiting);
    STAILQ_INIT(&control.reloads);
    STAILQ_INIT(&control.reloads_after);
    bool done = set_up(&control, &signals);
    if (done)
        run(&control);
    learning_stop(&control.learning);
    control_socket_close(control.socket);
    control.socket = NULL;
    streams_fini(&control.streams);
    /* Threads that still owe an answer have this mailbox's address. */
    while (control.unanswered + control.unanswered_flushes + control.rounds +
               control.learning.rounds >
           0)
        loop_turn(&control.loop, -1);
    if (signals >= 0)
        close(signals);
    if (control.mailbox.receiver != NULL)
        mailbox_fini(&control.mailbox);
    naming_close(control.naming);
    loop_fini(&control.loop);
    edits_free(control.edits);
    undos_fini(&control.undos);
    return done;
}
