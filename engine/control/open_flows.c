/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/open_flows.h"

/* On its way through all threads, and back. */
struct asked {
    struct control *control;
    struct control_request *request;
};

static struct asked *ask(struct control *control, struct control_request *request)
{
    struct asked *asked = malloc(sizeof(*asked));
    CHECK(asked != NULL);
    *asked = (struct asked){control, request};
    control->rounds++;
    return asked;
}

static void reply(struct asked *asked, struct jsonw *data)
{
    asked->control->rounds--;
    control_reply(asked->request, data);
    jsonw_fini(data);
    free(asked);
}

/* ---- listing ---- */

static void tell_flows(void *context, struct flow_list *list)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    flow_list_write(list, &data, clock_wall() / 1000000);
    flow_list_free(list);
    reply(context, &data);
}

void open_flows_list(struct control *control, struct control_request *request)
{
    const json_t *limit = json_object_get(request->arguments, "limit");
    const json_int_t count = limit != NULL ? json_integer_value(limit) : FLOWS_LIMIT;
    if (count < 1 || count > FLOWS_HIGHEST_LIMIT)
        control_refuse(request, "request", NULL, "limit is to be a number from 1 to %d",
                       FLOWS_HIGHEST_LIMIT);
    else
        engine_flows(control->engine, (size_t)count, &control->mailbox, tell_flows,
                     ask(control, request));
}

/* ---- cutting ---- */

void open_flows_write_cuts(struct jsonw *data, const char *key, const struct flow_cuts *cuts)
{
    jsonw_object(data, key);
    jsonw_uint(data, "intercepted", cuts->intercepted);
    jsonw_uint(data, "passed", cuts->passed);
    jsonw_uint(data, "ignored", cuts->ignored);
    jsonw_object_end(data);
}

static void tell_cuts(void *context, const struct flow_cuts *cuts)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    open_flows_write_cuts(&data, NULL, cuts);
    reply(context, &data);
}

void open_flows_cut(struct control *control, struct control_request *request)
{
    engine_cut(control->engine, &control->mailbox, tell_cuts, ask(control, request));
}
