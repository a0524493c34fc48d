/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/change.h"

#include "control/arguments.h"
#include "control/audit.h"
#include "control/control.h"
#include "control/current.h"
#include "control/kept.h"
#include "control/open_flows.h"
#include "core/log.h"
#include "core/thread.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

static void begin_next(struct control *control);

/* ---- a change, from its wish to its end ---- */

struct change *change_new(struct control *control, struct control_request *request,
                          bool (*plan)(struct change *change))
{
    struct change *change = calloc(1, sizeof(*change));
    CHECK(change != NULL);
    change->control = control;
    change->plan = plan;
    change->reason = "operator";
    change->items = json_array();
    change->subjects = edits_new();
    STAILQ_INIT(&change->requests);
    if (request != NULL) {
        STAILQ_INSERT_TAIL(&change->requests, request, link);
        change->peer = request->peer;
        change->by_peer = true;
        change->cut = argument_flag(request, "cut");
    }
    return change;
}

void change_free(struct change *change)
{
    edits_free(change->edits);
    json_decref(change->items);
    edits_free(change->subjects);
    free(change->text);
    free(change->advice);
    policy_unref(change->basis.policy);
    engine_tls_free(change->basis.tls);
    json_decref(change->basis.warnings);
    report_fini(&change->report);
    free(change);
}

void change_enqueue(struct change *change)
{
    struct control *control = change->control;
    STAILQ_INSERT_TAIL(&control->waiting, change, link);
    if (control->changing == NULL)
        begin_next(control);
}

bool change_is_busy(const struct control *control)
{
    return control->changing != NULL || !STAILQ_EMPTY(&control->waiting);
}

/* ---- planning ---- */

static char *format_text(const char *format, va_list arguments)
{
    char *text = NULL;
    CHECK(vasprintf(&text, format, arguments) >= 0);
    return text;
}

void change_set_text(struct change *change, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(change->text);
    change->text = format_text(format, arguments);
    va_end(arguments);
}

void change_set_advice(struct change *change, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(change->advice);
    change->advice = format_text(format, arguments);
    va_end(arguments);
}

bool change_refuse(struct change *change, const char *code, struct jsonw *data, const char *format,
                   ...)
{
    struct control_request *request;
    va_list arguments;
    va_start(arguments, format);
    char *error = format_text(format, arguments);
    va_end(arguments);
    while ((request = STAILQ_FIRST(&change->requests)) != NULL) {
        STAILQ_REMOVE_HEAD(&change->requests, link);
        control_refuse(request, code, data, "%s", error);
    }
    free(error);
    return false;
}

/* What an edit says, as text; NULL: that there is nothing. */
static const char *state_of(const struct control *control, const struct edits *edits,
                            const struct edit_subject *subject, char buffer[static SETTING_SIZE])
{
    const struct policy *policy = control->engine->policy;
    struct current_pattern pattern;
    const struct edit *edit;
    if (subject->kind == EDIT_SETTING)
        return current_setting(policy, edits, subject, &edit, buffer);
    return current_pattern(&pattern, policy, edits, subject) && pattern.enabled ? subject->text
                                                                                : NULL;
}

static void add_text(json_t *item, const char *key, const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    if (text != NULL && value == NULL)
        value = json_string("(not UTF-8)");
    if (value != NULL)
        json_object_set_new(item, key, value);
}

void change_note(struct change *change, const struct edit_subject *subject)
{
    const struct control *control = change->control;
    const struct edit *edit = edits_find(change->edits, subject);
    char old[SETTING_SIZE], new[SETTING_SIZE];
    json_t *item = json_object();
    add_text(item, "what",
             subject->kind == EDIT_PATTERN ? edit_list_names[subject->list] : subject->text);
    add_text(item, "device", subject->device);
    add_text(item, "old", state_of(control, control->edits, subject, old));
    add_text(item, "new", state_of(control, change->edits, subject, new));
    if (edit != NULL) {
        add_text(item, "note", edit->note);
        if (edit->due > 0)
            json_object_set_new(item, "for",
                                json_integer((json_int_t)((edit->due - clock_ms() + 999) / 1000)));
        if (edit->persist)
            json_object_set_new(item, "persist", json_true());
    }
    json_array_append_new(change->items, item);
    edits_put(change->subjects, &(struct edit){.subject = *subject});
    change->save = change->save || edits_persist(control->edits, subject) ||
                   edits_persist(change->edits, subject);
}

/* ---- making, in a thread of its own ---- */

static bool save(struct change *change)
{
    const struct engine *engine = change->control->engine;
    char path[PATH_MAX];
    if (!change->save)
        return true;
    kept_path(policy_config(engine->policy)->state_directory, path, sizeof(path));
    if (kept_save(path, change->edits))
        return true;
    if (change->cannot_wait) {
        log_warning("%s: %m: what has expired still stands there", path);
        return true;
    }
    report_error(&change->report, (struct place){.file = path}, 0, "%s", strerror(errno));
    return false;
}

static void *make(void *context)
{
    struct change *change = context;
    struct engine *engine = change->control->engine;
    thread_begin("change");
    const struct policy *base =
        change->basis.policy != NULL ? change->basis.policy : engine->policy;
    struct policy *policy =
        policy_edit(base, engine->policy, change->edits, change->revision, &change->report);
    struct engine_tls *tls = change->basis.tls;
    if (policy != NULL) {
        change->basis.tls = NULL;
        change->made = engine_prepare(engine, policy, tls);
        if (change->made == NULL)
            report_error(&change->report, (struct place){0}, 0, "there is not enough memory");
    }
    if (change->made != NULL && !save(change)) {
        engine_discard(change->made);
        change->made = NULL;
    }
    mailbox_post(&change->control->mailbox, &change->message);
    return NULL;
}

/* ---- telling ---- */

static void write_json(struct jsonw *data, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    if (text != NULL)
        jsonw_raw(data, key, text);
    free(text);
}

static void write_undo(struct jsonw *data, uint64_t revision)
{
    jsonw_object(data, "undo");
    jsonw_string(data, "cmd", "undo");
    jsonw_object(data, "args");
    jsonw_uint(data, "rev", revision);
    jsonw_object_end(data);
    jsonw_object_end(data);
}

static void write_told(struct jsonw *data, const struct change *change)
{
    jsonw_object(data, NULL);
    jsonw_string(data, "text", change->text);
    jsonw_string(data, "advice", change->advice);
    if (json_array_size(change->items) > 0)
        write_json(data, "changes", change->items);
    if (change->basis.warnings != NULL)
        write_json(data, "warnings", change->basis.warnings);
    if (change->cut)
        open_flows_write_cuts(data, "cut", &change->cuts);
    if (change->can_undo)
        write_undo(data, change->revision);
    jsonw_object_end(data);
}

static void reply_to_all(struct change *change)
{
    struct control_request *request;
    struct jsonw data;
    jsonw_init_growing(&data);
    write_told(&data, change);
    while ((request = STAILQ_FIRST(&change->requests)) != NULL) {
        STAILQ_REMOVE_HEAD(&change->requests, link);
        control_reply(request, &data);
    }
    jsonw_fini(&data);
}

static void finish(struct change *change)
{
    struct control *control = change->control;
    const bool is_reload = change->basis.policy != NULL;
    change_free(change);
    if (is_reload)
        control_reload_ended(control);
}

void change_refuse_waiting(struct control *control)
{
    struct change *change;
    while ((change = STAILQ_FIRST(&control->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&control->waiting, link);
        change_refuse(change, "failed", NULL, "interceptd is about to stop");
        finish(change);
    }
}

static void end(struct change *change)
{
    struct control *control = change->control;
    control->changing = NULL;
    finish(change);
    begin_next(control);
}

/* What was wrong, each with its place; of a pattern that somebody has just typed that is a column.
 */
static void refuse_made(struct change *change)
{
    struct report_line *line, *first = STAILQ_FIRST(&change->report.lines);
    struct jsonw data;
    if (change->basis.policy != NULL)
        report_log(&change->report);
    jsonw_init_growing(&data);
    jsonw_object(&data, NULL);
    if (first->column > 0)
        jsonw_uint(&data, "column", first->column);
    jsonw_array(&data, "errors");
    STAILQ_FOREACH (line, &change->report.lines, link)
        jsonw_string(&data, NULL, line->text);
    jsonw_array_end(&data);
    jsonw_object_end(&data);
    change_refuse(change, "invalid", &data, "%s", first->what);
    jsonw_fini(&data);
    end(change);
}

/* So that it can be taken back. */
static void remember(struct change *change)
{
    struct control *control = change->control;
    const struct edit *about;
    struct undo_step step = {.revision = change->revision,
                             .is_undo = change->undoes != NULL,
                             .subjects = change->subjects,
                             .before = edits_new(),
                             .after = edits_new()};
    TAILQ_FOREACH (about, &change->subjects->items, link) {
        edits_take(step.before, control->edits, &about->subject, 0);
        edits_take(step.after, change->edits, &about->subject, 0);
    }
    if (change->undoes != NULL)
        change->undoes->undone = true;
    undos_add(&control->undos, &step);
    change->subjects = NULL;
    change->can_undo = true;
}

static void tell(struct change *change)
{
    reply_to_all(change);
    end(change);
}

static void all_cut(void *context, const struct flow_cuts *cuts)
{
    struct change *change = context;
    change->cuts = *cuts;
    tell(change);
}

static void in_force(void *context)
{
    struct change *change = context;
    struct control *control = change->control;
    const struct audit audit = {.reason = change->reason,
                                .peer = change->by_peer ? &change->peer : NULL,
                                .revision = change->revision,
                                .items = change->items};
    if (change->subjects->count > 0 && change->by_peer)
        remember(change);
    edits_free(control->edits);
    control->edits = change->edits;
    change->edits = NULL;
    control_socket_set_revision(control->socket, change->revision);
    audit_record(control->engine->control_feed, &audit);
    if (change->basis.policy != NULL)
        log_info("reloaded %s: policy revision %llu", control->source.path,
                 (unsigned long long)change->revision);
    else
        audit_log(&audit);
    control_changed(control);
    if (change->cut)
        engine_cut(control->engine, &control->mailbox, all_cut, change);
    else
        tell(change);
}

static void deliver_made(struct message *message, void *receiver)
{
    struct change *change = container_of(message, struct change, message);
    struct control *control = receiver;
    if (change->made == NULL)
        refuse_made(change);
    else
        engine_apply(control->engine, change->made, &control->mailbox, in_force, change);
}

/* ---- the queue ---- */

static bool start_making(struct change *change)
{
    pthread_t thread;
    const struct policy *policy = change->control->engine->policy;
    change->revision = policy_revision(policy) + 1;
    change->message.deliver = deliver_made;
    int error = pthread_create(&thread, NULL, make, change);
    if (error != 0)
        return change_refuse(change, "failed", NULL, "a change could not be started: %s",
                             strerror(error));
    pthread_detach(thread);
    return true;
}

/* Who asks for a change of one revision gets no other. */
static bool has_right_revision(struct change *change)
{
    const struct control_request *request = STAILQ_FIRST(&change->requests);
    const uint64_t revision = policy_revision(change->control->engine->policy);
    if (request == NULL || !request->has_revision ||
        (request->revision >= 0 && (uint64_t)request->revision == revision))
        return true;
    return change_refuse(change, "conflict", NULL,
                         "the policy's revision is %llu by now, and not %lld",
                         (unsigned long long)revision, (long long)request->revision);
}

static void begin_next(struct control *control)
{
    struct change *change;
    while (control->changing == NULL && (change = STAILQ_FIRST(&control->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&control->waiting, link);
        if (has_right_revision(change) && change->plan(change) && start_making(change))
            control->changing = change;
        else
            finish(change);
    }
}
