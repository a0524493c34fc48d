/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/control.h"

#include "control/commands.h"
#include "control/naming.h"
#include "control/notify.h"
#include "control/socket.h"
#include "core/log.h"
#include "core/version.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DRAIN_CHECK_MS 100
/* What the end takes after the drain at most, in s. */
#define STOP_TIME 30

static void tell_status(const struct control *control, const char *state)
{
    notify("%s\nSTATUS=policy revision %llu, %zu ignore patterns", state,
           (unsigned long long)policy_revision(control->engine->policy),
           patterns_count(policy_ignore(control->engine->policy)));
}

/* ---- reload ---- */

static void end_reload(struct control *control)
{
    control->reloading = false;
    tell_status(control, "READY=1");
    if (control->reload_again) {
        control->reload_again = false;
        control_reload(control);
    }
}

static void change_in_force(void *context)
{
    struct control *control = context;
    log_info("reloaded %s: policy revision %llu", control->source.path,
             (unsigned long long)control->last_revision);
    naming_reload(control->naming);
    end_reload(control);
}

static void change_ready(void *receiver, struct engine_change *change)
{
    struct control *control = receiver;
    if (change != NULL) {
        engine_apply(control->engine, change, &control->mailbox, change_in_force, control);
        return;
    }
    log_error("%s was not reloaded: the old policy stays", control->source.path);
    engine_reopen(control->engine);
    end_reload(control);
}

void control_reload(struct control *control)
{
    if (control->reloading) {
        control->reload_again = true;
        return;
    }
    notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_ms() * 1000);
    control->reloading = reload_start(&control->source, control->engine, ++control->last_revision,
                                      &control->mailbox, change_ready);
    if (!control->reloading) {
        log_error("a reload could not be started: %m");
        tell_status(control, "READY=1");
    }
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
        control_reload(control);
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
    control->socket =
        control_socket_open(&control->loop, policy_config(control->engine->policy)->control_socket,
                            commands_answer, control);
    if (control->socket == NULL)
        return false;
    control->naming = naming_open(&control->loop, control->engine);
    return control->naming != NULL;
}

/* A reload that is under way uses the engine: it is waited for. */
static void finish_reload(struct control *control)
{
    control->reload_again = false;
    while (control->reloading)
        loop_turn(&control->loop, -1);
}

static void tell_running(const struct control *control)
{
    const struct engine *engine = control->engine;
    log_info("interceptd " INTERCEPTD_VERSION " is running: %zu workers, %zu ignore patterns, %s",
             engine->worker_count, patterns_count(policy_ignore(engine->policy)),
             queue_kind_text(gate_queue_kind(engine->gate)));
    tell_status(control, "READY=1");
}

bool control_run(struct engine *engine, const struct reload_source *source)
{
    struct control control = {
        .engine = engine,
        .source = *source,
        .started = clock_ms(),
        .last_revision = policy_revision(engine->policy),
    };
    int signals = -1;
    bool done = set_up(&control, &signals);
    if (done) {
        tell_running(&control);
        start_watchdog(&control);
        learning_start(&control.learning, engine, &control.loop, &control.mailbox);
        loop_run(&control.loop);
        finish_reload(&control);
    }
    learning_stop(&control.learning);
    control_socket_close(control.socket);
    control.socket = NULL;
    /* Threads that still owe an answer have this mailbox's address. */
    while (control.unanswered + control.rounds + control.learning.rounds > 0)
        loop_turn(&control.loop, -1);
    if (signals >= 0)
        close(signals);
    if (control.mailbox.receiver != NULL)
        mailbox_fini(&control.mailbox);
    naming_close(control.naming);
    loop_fini(&control.loop);
    return done;
}
