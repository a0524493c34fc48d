/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/learning.h"

#include "core/file.h"
#include "core/log.h"
#include "event/eve.h"
#include "policy/learned_file.h"
#include "policy/learned_json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#define CHECK_MS 2000

/* ---- the file ---- */

static const char *path_of(const struct config *config, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/learned.json", config->state_directory);
    return path;
}

/* What is in it may be mended by hand, and is not to be written over. */
static void put_aside(const char *path, const char *complaint)
{
    char aside[PATH_MAX + 8];
    snprintf(aside, sizeof(aside), "%s.damaged", path);
    bool done = rename(path, aside) == 0;
    log_warning("%s: %s: what was learned is not known any more%s%s", path, complaint,
                done ? "; the file is now " : "", done ? aside : "");
}

static const char *take_in(struct learned *learned, const char *text, size_t length)
{
    struct learned_list list;
    const char *complaint = learned_file_read(&list, text, length);
    if (complaint == NULL && !learned_restore(learned, &list))
        complaint = "something is in it twice";
    learned_list_fini(&list);
    return complaint;
}

void learning_load(struct known *known, const struct config *config)
{
    char path[PATH_MAX];
    size_t length;
    char *text = file_read_own(path_of(config, path), &length);
    if (text == NULL) {
        if (errno != ENOENT)
            log_warning("%s: %s: what was learned is not known", path, strerror(errno));
        return;
    }
    const char *complaint = take_in(known->learned, text, length);
    if (complaint != NULL)
        put_aside(path, complaint);
    free(text);
}

static bool write_list(const struct learned_list *list, const char *path)
{
    struct jsonw json;
    jsonw_init_growing(&json);
    learned_file_write(&json, list);
    const char *text = jsonw_text(&json);
    bool done = text != NULL && file_replace(path, text, json.length, 0600);
    jsonw_fini(&json);
    return done;
}

/* It is tried again till it can be written, and told once. */
static void write_file(struct learning *learning)
{
    struct learned *learned = learning->engine->known->learned;
    const struct learned_version version = learned_version(learned);
    struct learned_list list;
    char path[PATH_MAX];
    path_of(policy_config(learning->engine->policy), path);
    bool done = learned_copy(learned, &list) && write_list(&list, path);
    if (done)
        learning->written = version;
    else if (!learning->failing)
        log_warning("%s could not be written: %m", path);
    learning->failing = !done;
    learned_list_fini(&list);
}

/* ---- whoever was taught by it forgets it, too ----
 *
 * Through all workers and then to the gate: what a worker had decided by it before has reached the
 * gate by then, and goes with the rest. */

struct round {
    struct learning *learning;
    size_t next; /* worker */
    bool flushed;
    void (*done)(void *context, bool flushed);
    void *context;
};

static void come_home(void *context)
{
    struct round *round = context;
    round->learning->rounds--;
    round->done(round->context, round->flushed);
    free(round);
}

static void flushed(void *context, bool done)
{
    struct round *round = context;
    round->flushed = done;
    mailbox_call(round->learning->mailbox, come_home, round);
}

static void visit_worker(void *context);

static void go_on(struct round *round)
{
    struct engine *engine = round->learning->engine;
    if (round->next < engine->worker_count)
        worker_ping(engine->workers[round->next++], visit_worker, round);
    else
        gate_flush_devices(engine->gate, flushed, round);
}

static void visit_worker(void *context)
{
    go_on(context);
}

void learning_settle(struct learning *learning, void (*done)(void *context, bool flushed),
                     void *context)
{
    struct round *round = malloc(sizeof(*round));
    CHECK(round != NULL);
    *round = (struct round){.learning = learning, .done = done, .context = context};
    learning->rounds++;
    go_on(round);
}

/* ---- telling ---- */

static const char *device_text(const struct learning *learning,
                               const struct learned_finding *finding,
                               char text[static DEVICE_TEXT_SIZE])
{
    char name[MDNS_NAME_SIZE];
    struct flow flow = {.device = finding->address};
    flow.device_name = known_name(learning->engine->known, policy_config(learning->engine->policy),
                                  &finding->device, &finding->address, name);
    return flow_device_ip_text(&flow, text);
}

static void record(const struct learning *learning, const struct learned_finding *finding,
                   const char *reason)
{
    struct recorder_feed *feed = learning->engine->control_feed;
    const struct policy *policy = learning->engine->policy;
    struct jsonw json;
    if (!recorder_wants(feed, OUTPUT_EVENTS))
        return;
    jsonw_init_growing(&json);
    eve_begin(&json, "intercept");
    learned_tell_change(&json, finding, learning->engine->known, policy_config(policy), reason);
    jsonw_object_end(&json);
    if (!eve_put(feed, &json))
        recorder_drop(feed);
    jsonw_fini(&json);
}

static void tell_gone(const struct learning *learning, const struct learned_gone *gone)
{
    static const struct {
        const char *reason, *sentence;
    } ends[] = {
        [LEARNED_EXPIRED] = {"expired", "its time is over"},
        [LEARNED_FORGOTTEN] = {"forgotten", "by command"},
        [LEARNED_ACCEPTED] = {"accepted", "the device has accepted our certificate there"},
        [LEARNED_REPLACED] = {"replaced", "there is no room for more"},
    };
    const struct learned_finding *finding = &gone->finding;
    char device[DEVICE_TEXT_SIZE];
    log_info("forgotten that an app on %s is pinned at %s:%u: %s",
             device_text(learning, finding, device), finding->host, (unsigned)finding->port,
             ends[gone->end].sentence);
    record(learning, finding, ends[gone->end].reason);
}

/* True if the kernel may have been taught by what is gone. */
static bool sweep(const struct learning *learning)
{
    struct learned_gone gone[LEARNED_GONE_LIMIT];
    size_t count;
    bool lost = learned_sweep(learning->engine->known->learned, time(NULL), gone, &count);
    for (size_t i = 0; i < count; i++)
        tell_gone(learning, &gone[i]);
    return lost;
}

/* ---- in time ---- */

/* Nobody waits for it, and the log tells if something went wrong. */
static void settled(void *context, bool done)
{
    (void)context, (void)done;
}

static void check(struct timer *timer)
{
    struct learning *learning = container_of(timer, struct learning, timer);
    timer_start(timer, &learning->time, learning->loop->now, check);
    if (sweep(learning))
        learning_settle(learning, settled, NULL);
    if (learned_version(learning->engine->known->learned).findings != learning->written.findings)
        write_file(learning);
}

void learning_start(struct learning *learning, struct engine *engine, struct loop *loop,
                    struct mailbox *mailbox)
{
    *learning = (struct learning){.engine = engine, .loop = loop, .mailbox = mailbox};
    timeout_class_init(&learning->time, &loop->timeouts, CHECK_MS);
    timer_start(&learning->timer, &learning->time, loop->now, check);
}

void learning_stop(struct learning *learning)
{
    if (learning->engine == NULL)
        return;
    timer_stop(&learning->timer);
    const struct learned_version now = learned_version(learning->engine->known->learned);
    if (now.findings != learning->written.findings || now.evidence != learning->written.evidence)
        write_file(learning);
}

/* ---- the operator's word ---- */

bool learning_forget(struct learning *learning, uint64_t id)
{
    const bool done = learned_forget(learning->engine->known->learned, id);
    (void)sweep(learning);
    return done;
}

bool learning_keep(struct learning *learning, uint64_t id)
{
    struct learned_finding finding;
    const bool done = learned_keep(learning->engine->known->learned, id, &finding);
    if (done)
        record(learning, &finding, "kept");
    return done;
}
