/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/captures.h"

#include "control/arguments.h"
#include "control/audit.h"
#include "core/log.h"
#include "event/mirror.h"
#include "policy/filter.h"

#include <limits.h>
#include <string.h>

#define NAME_LIMIT 200

/* ---- the configuration ---- */

static struct capture_options options_of(const struct engine *engine, const struct config *config)
{
    return (struct capture_options){.live = config->capture.live,
                                    .mirror = config->capture.mirror,
                                    .mirror_socket = engine->mirror_socket};
}

bool captures_open(struct engine *engine, const struct config *config)
{
    const struct capture_options options = options_of(engine, config);
    engine->capture = capture_start(&options, engine->worker_count);
    return engine->capture != NULL;
}

void captures_configure(struct engine *engine, const struct config *config)
{
    const struct capture_options options = options_of(engine, config);
    capture_configure(engine->capture, &options);
}

bool captures_open_mirror(const struct config *config, int *fd)
{
    *fd = -1;
    if (config->capture.mirror == NULL)
        return true;
    *fd = mirror_socket();
    if (*fd < 0)
        log_error("[capture] mirror = %s: no packet can be sent: %m (a service has to be given the "
                  "right to: see interceptd.conf(5))",
                  config->capture.mirror);
    return *fd >= 0;
}

/* ---- questions ---- */

/* On its way to the capturing thread, and back. */
struct asked {
    struct control *control;
    struct control_request *request;
    const char *name; /* of the file; NULL: all. Borrowed from the request */
    char directory[PATH_MAX];
    struct capture_file_options options; /* of one that begins */
    const char *complaint;               /* NULL: it was done */
    char text[CAPTURE_FAULT_SIZE];
    struct jsonw data;
};

static void ask(struct asked *asked, void (*function)(struct capture *capture, void *context))
{
    jsonw_init_growing(&asked->data);
    asked->control->rounds++;
    capture_call(asked->control->engine->capture, function, asked);
}

static struct asked *new_asked(struct control *control, struct control_request *request)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    CHECK(asked != NULL);
    asked->control = control;
    asked->request = request;
    return asked;
}

static void finish(struct asked *asked)
{
    asked->control->rounds--;
    if (asked->complaint == NULL)
        control_reply(asked->request, &asked->data);
    else
        control_refuse(asked->request, "failed", NULL, "%s", asked->complaint);
    jsonw_fini(&asked->data);
    free(asked);
}

/* Who has looked into what devices say is to be known afterwards. `key` is "new" for what begins,
 * and "old" for what has ended. */
static void note(const struct asked *asked, const char *key, const char *name)
{
    const struct engine *engine = asked->control->engine;
    json_t *item = json_pack("{s:s, s:s}", "what", "capture", key, name);
    if (item != NULL && asked->options.filter_text != NULL)
        json_object_set_new(item, "note", json_string(asked->options.filter_text));
    audit_operator(engine->control_feed, &asked->request->peer, policy_revision(engine->policy),
                   json_pack("[o]", item));
}

/* ---- listing ---- */

static void listed(void *context)
{
    finish(context);
}

static void list(struct capture *capture, void *context)
{
    struct asked *asked = context;
    capture_write(capture, &asked->data);
    mailbox_call(&asked->control->mailbox, listed, asked);
}

void captures_list(struct control *control, struct control_request *request)
{
    ask(new_asked(control, request), list);
}

/* ---- beginning ---- */

static bool matches(void *filter, const char *event, size_t length)
{
    json_t *object = json_loadb(event, length, 0, NULL);
    const bool found = object != NULL && filter_matches(filter, object);
    json_decref(object);
    return found;
}

static void free_filter(void *filter)
{
    filter_free(filter);
}

/* NULL after the request was refused. An empty filter is one, too. */
static struct filter *read_filter(struct control_request *request, const char *text)
{
    struct filter_fault fault;
    struct filter *filter = filter_new(text, &fault);
    const char *later = filter != NULL ? filter_asks_later(filter) : NULL;
    if (filter == NULL) {
        control_refuse(request, "invalid", NULL, "column %u of the filter: %s", fault.column,
                       fault.what);
        return NULL;
    }
    if (later == NULL)
        return filter;
    control_refuse(request, "invalid", NULL,
                   "~%s is about what is not known yet when a connection begins: packets are "
                   "filtered by ~d, ~dst, ~src and ~dev",
                   later);
    filter_free(filter);
    return NULL;
}

/* A name in our own directory, and no way out of it. */
static bool is_name(const char *name)
{
    const size_t length = strlen(name);
    return length > 0 && length <= NAME_LIMIT && name[0] != '.' && strchr(name, '/') == NULL &&
           argument_pattern_fault(name) == NULL;
}

static void started(void *context)
{
    struct asked *asked = context;
    if (asked->complaint == NULL)
        note(asked, "new", asked->name);
    finish(asked);
}

static void start(struct capture *capture, void *context)
{
    struct asked *asked = context;
    asked->complaint = capture_add_file(capture, &asked->options, asked->text);
    jsonw_object(&asked->data, NULL);
    char path[PATH_MAX + NAME_LIMIT + 2];
    snprintf(path, sizeof(path), "%s/%s", asked->directory, asked->name);
    jsonw_string(&asked->data, "file", path);
    jsonw_string(&asked->data, "filter", asked->options.filter_text);
    jsonw_object_end(&asked->data);
    mailbox_call(&asked->control->mailbox, started, asked);
}

static void set_directory(struct asked *asked, const struct config *config)
{
    if (config->capture.directory != NULL)
        snprintf(asked->directory, sizeof(asked->directory), "%s", config->capture.directory);
    else
        snprintf(asked->directory, sizeof(asked->directory), "%s/captures",
                 config->state_directory);
}

void captures_start(struct control *control, struct control_request *request)
{
    const char *name = argument_text(request, "file"), *text = argument_text(request, "filter");
    const struct config *config = policy_config(control->engine->policy);
    struct filter *filter = NULL;
    if (name == NULL || !is_name(name)) {
        control_refuse(request, "request", NULL,
                       "file is to be the name of a file, without a path and with no dot in front");
        return;
    }
    if (text != NULL && *text != '\0' && (filter = read_filter(request, text)) == NULL)
        return;
    struct asked *asked = new_asked(control, request);
    asked->name = name;
    set_directory(asked, config);
    asked->options = (struct capture_file_options){
        .directory = asked->directory,
        .name = name,
        .limit = config->capture.limit,
        .filter_text = filter != NULL ? text : NULL,
        .matches = matches,
        .free_filter = free_filter,
        .filter = filter,
    };
    ask(asked, start);
}

/* ---- ending ---- */

static void stopped(void *context)
{
    struct asked *asked = context;
    if (asked->complaint == NULL)
        note(asked, "old", asked->name != NULL ? asked->name : "all");
    finish(asked);
}

static void stop(struct capture *capture, void *context)
{
    struct asked *asked = context;
    if (!capture_end_files(capture, asked->name, &asked->data))
        asked->complaint = "there is no such capture";
    mailbox_call(&asked->control->mailbox, stopped, asked);
}

void captures_stop(struct control *control, struct control_request *request)
{
    struct asked *asked = new_asked(control, request);
    asked->name = argument_text(request, "file");
    ask(asked, stop);
}
