/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/findings.h"

#include "control/arguments.h"
#include "control/audit.h"
#include "policy/learned_json.h"

#include <time.h>

void findings_list(struct control *control, struct control_request *request)
{
    struct engine *engine = control->engine;
    struct jsonw data;
    jsonw_init_growing(&data);
    learned_tell(&data, engine->known, policy_config(engine->policy), time(NULL));
    control_reply(request, &data);
    jsonw_fini(&data);
}

/* 0 if none is told. */
static uint64_t id_of(const struct control_request *request)
{
    const json_int_t id = json_integer_value(json_object_get(request->arguments, "id"));
    return id > 0 ? (uint64_t)id : 0;
}

static void refuse_unknown(struct control_request *request)
{
    control_refuse(request, "unknown", NULL, "there is no such finding");
}

/* One item of an audit (audit.h). */
static json_t *item_of(struct control *control, const struct learned_finding *finding,
                       const char *new)
{
    const struct learn_config *config = &policy_config(control->engine->policy)->learn;
    char what[LEARNED_HOST_SIZE + 16];
    snprintf(what, sizeof(what), "learned %s:%u", finding->host, (unsigned)finding->port);
    json_t *item =
        json_pack("{s:s, s:s}", "what", what, "old", learned_verdict(finding, config, time(NULL)));
    if (new != NULL && item != NULL)
        json_object_set_new(item, "new", json_string(new));
    return item;
}

/* ---- forgetting ---- */

/* On its way through the engine's threads, and back. */
struct forgetting {
    struct control *control;
    struct control_request *request;
    json_t *items;
};

static void settled(void *context, bool done)
{
    struct forgetting *forgetting = context;
    struct control *control = forgetting->control;
    audit_operator(control->engine->control_feed, &forgetting->request->peer,
                   policy_revision(control->engine->policy), forgetting->items);
    if (done)
        control_reply(forgetting->request, NULL);
    else
        control_refuse(forgetting->request, "failed", NULL, "the kernel refused: the log says why");
    free(forgetting);
}

static void settle(struct control *control, struct control_request *request, json_t *items)
{
    struct forgetting *forgetting = malloc(sizeof(*forgetting));
    CHECK(forgetting != NULL);
    *forgetting = (struct forgetting){control, request, items};
    learning_settle(&control->learning, settled, forgetting);
}

static json_t *forget(struct control *control, const struct learned_finding *finding, json_t *items)
{
    if (learning_forget(&control->learning, finding->id))
        json_array_append_new(items, item_of(control, finding, NULL));
    return items;
}

static void forget_all(struct control *control, struct control_request *request)
{
    struct learned_list list;
    json_t *items = json_array();
    const bool copied = learned_copy(control->engine->known->learned, &list);
    CHECK(copied);
    for (size_t i = 0; i < list.finding_count; i++)
        forget(control, &list.findings[i], items);
    learned_list_fini(&list);
    settle(control, request, items);
}

void findings_forget(struct control *control, struct control_request *request)
{
    struct learned_finding finding;
    if (argument_flag(request, "all"))
        forget_all(control, request);
    else if (learned_find(control->engine->known->learned, id_of(request), &finding))
        settle(control, request, forget(control, &finding, json_array()));
    else
        refuse_unknown(request);
}

/* ---- keeping ---- */

void findings_keep(struct control *control, struct control_request *request)
{
    struct learned_finding finding;
    const uint64_t id = id_of(request);
    if (!learned_find(control->engine->known->learned, id, &finding) ||
        !learning_keep(&control->learning, id)) {
        refuse_unknown(request);
        return;
    }
    json_t *items = json_array();
    json_array_append_new(items, item_of(control, &finding, "kept"));
    audit_operator(control->engine->control_feed, &request->peer,
                   policy_revision(control->engine->policy), items);
    control_reply(request, NULL);
}
