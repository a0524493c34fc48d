/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/commands.h"

#include "control/control.h"
#include "control/device_list.h"
#include "control/flows.h"
#include "control/stats.h"
#include "gate/decided.h"
#include "policy/explain.h"
#include "policy/learned_json.h"

#include <errno.h>
#include <string.h>

static const char *answer_status(struct control *control, const json_t *arguments,
                                 struct jsonw *data)
{
    (void)arguments;
    stats_write(data, control->engine, clock_ms() - control->started);
    return NULL;
}

/* ---- the kernel's rules ---- */

static void write_entry(const struct decided_entry *entry, void *context)
{
    struct jsonw *data = context;
    const struct decided *decided = &entry->decided;
    char ip[INET6_ADDRSTRLEN];
    jsonw_object(data, NULL);
    jsonw_string(data, "address", address_ip_text(&decided->origin, ip));
    jsonw_uint(data, "port", decided->origin.port);
    if (decided->device.family != 0)
        jsonw_string(data, "device", address_ip_text(&decided->device, ip));
    jsonw_string(data, "protocol", decided->protocol == IPPROTO_UDP ? "udp" : "tcp");
    uint64_t left = entry->expires_ms < entry->timeout_ms ? entry->expires_ms : entry->timeout_ms;
    jsonw_uint(data, "age", (entry->timeout_ms - left) / 1000);
    jsonw_uint(data, "timeout", entry->timeout_ms / 1000);
    jsonw_uint(data, "expires", entry->expires_ms / 1000);
    jsonw_uint(data, "packets", entry->packets);
    jsonw_uint(data, "bytes", entry->bytes);
    jsonw_string(data, "rule", decided->comment);
    jsonw_object_end(data);
}

static const char *answer_ignored(struct control *control, const json_t *arguments,
                                  struct jsonw *data)
{
    (void)arguments;
    const uint32_t timeout = gate_pass_timeout(control->engine->gate);
    struct netlink netlink;
    if (!netlink_open(&netlink, NETLINK_NETFILTER, 0))
        return strerror(errno);
    jsonw_array(data, NULL);
    bool done = decided_list(&netlink, timeout, write_entry, data);
    jsonw_array_end(data);
    int error = errno;
    netlink_close(&netlink);
    return done ? NULL : strerror(error);
}

static const char *answer_devices(struct control *control, const json_t *arguments,
                                  struct jsonw *data)
{
    (void)arguments;
    device_list_write(data, control->engine);
    return NULL;
}

/* ---- the connections that are open ---- */

/* An answer that comes when all threads have done their share. */
struct pending {
    struct control *control;
    struct control_ticket ticket;
};

static struct pending *defer(struct control *control)
{
    struct pending *pending = malloc(sizeof(*pending));
    CHECK(pending != NULL);
    *pending = (struct pending){control, control_socket_defer(control->socket)};
    control->rounds++;
    return pending;
}

static void reply(struct pending *pending, struct jsonw *data)
{
    pending->control->rounds--;
    if (pending->control->socket != NULL)
        control_socket_reply(pending->control->socket, &pending->ticket, NULL, data);
    jsonw_fini(data);
    free(pending);
}

static void tell_flows(void *context, struct flow_list *list)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    flow_list_write(list, &data, clock_wall() / 1000000);
    flow_list_free(list);
    reply(context, &data);
}

/* An answer without content. */
static void tell_done(void *context)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    reply(context, &data);
}

static const char *answer_flows(struct control *control, const json_t *arguments,
                                struct jsonw *data)
{
    (void)data;
    const json_t *limit = json_object_get(arguments, "limit");
    json_int_t count = limit != NULL ? json_integer_value(limit) : FLOWS_LIMIT;
    if (count < 1 || count > FLOWS_HIGHEST_LIMIT)
        return "limit is to be a number from 1 to 10000";
    engine_flows(control->engine, (size_t)count, &control->mailbox, tell_flows, defer(control));
    return NULL;
}

static void tell_cuts(void *context, const struct flow_cuts *cuts)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    jsonw_object(&data, NULL);
    jsonw_uint(&data, "intercepted", cuts->intercepted);
    jsonw_uint(&data, "passed", cuts->passed);
    jsonw_uint(&data, "ignored", cuts->ignored);
    jsonw_object_end(&data);
    reply(context, &data);
}

static const char *answer_cut(struct control *control, const json_t *arguments, struct jsonw *data)
{
    (void)arguments, (void)data;
    engine_cut(control->engine, &control->mailbox, tell_cuts, defer(control));
    return NULL;
}

/* ---- what was learned ---- */

static const char *answer_learned(struct control *control, const json_t *arguments,
                                  struct jsonw *data)
{
    struct engine *engine = control->engine;
    (void)arguments;
    learned_tell(data, engine->known, policy_config(engine->policy), time(NULL));
    return NULL;
}

static const char *answer_learned_forget(struct control *control, const json_t *arguments,
                                         struct jsonw *data)
{
    const char *error = learning_forget(&control->learning, arguments);
    (void)data;
    if (error == NULL)
        learning_settle(&control->learning, tell_done, defer(control));
    return error;
}

static const char *answer_learned_keep(struct control *control, const json_t *arguments,
                                       struct jsonw *data)
{
    (void)data;
    return learning_keep(&control->learning, arguments);
}

/* ---- questions ---- */

static const char *answer_explain(struct control *control, const json_t *arguments,
                                  struct jsonw *data)
{
    const json_t *targets = json_object_get(arguments, "targets");
    struct policy_view *view = policy_view_new(control->engine->policy, control->engine->known);
    const char *error = NULL;
    if (!json_is_array(targets))
        error = "targets is to be an array";
    if (view == NULL)
        return "out of memory";
    jsonw_array(data, NULL);
    for (size_t i = 0; i < json_array_size(targets) && error == NULL; i++) {
        const char *target = json_string_value(json_array_get(targets, i));
        struct explanation explanation;
        if (target != NULL && explain_target(&explanation, view, target))
            explanation_write(data, target, &explanation);
        else
            error = "a target is address:port or name:port";
    }
    jsonw_array_end(data);
    policy_view_free(view);
    return error;
}

static const char *answer_reload(struct control *control, const json_t *arguments,
                                 struct jsonw *data)
{
    (void)arguments, (void)data;
    control_reload(control);
    return NULL;
}

static const struct {
    const char *name;
    const char *(*answer)(struct control *control, const json_t *arguments, struct jsonw *data);
} commands[] = {
    {"status", answer_status},
    {"ignored", answer_ignored},
    {"devices", answer_devices},
    {"flows", answer_flows},
    {"cut", answer_cut},
    {"explain", answer_explain},
    {"learned", answer_learned},
    {"learned.forget", answer_learned_forget},
    {"learned.keep", answer_learned_keep},
    {"reload", answer_reload},
};

const char *commands_answer(void *context, const char *command, const json_t *arguments,
                            struct jsonw *data)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, command) == 0)
            return commands[i].answer(context, arguments, data);
    return "unknown command";
}
