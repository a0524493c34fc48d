/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/findings.h"

#include "control/arguments.h"
#include "control/audit.h"
#include "control/kernel_rules.h"
#include "policy/learned_json.h"

void findings_list(struct control *control, struct control_request *request)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    learned_write(&data, control->engine->known->learned, true);
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
static json_t *item_of(const struct learned_finding *finding, const char *new)
{
    static const char *const states[] = {
        [LEARNED_COUNTING] = "counting", [LEARNED_FOUND] = "found", [LEARNED_KEPT] = "kept"};
    char what[LEARNED_HOST_SIZE + 16];
    snprintf(what, sizeof(what), "learned %s:%u", finding->host, (unsigned)finding->port);
    json_t *item = json_pack("{s:s, s:s}", "what", what, "old", states[finding->state]);
    if (new != NULL && item != NULL)
        json_object_set_new(item, "new", json_string(new));
    return item;
}

static void add_item(const struct learned_finding *finding, void *context)
{
    json_array_append_new(context, item_of(finding, NULL));
}

/* The kernel may have been told by it. */
void findings_forget(struct control *control, struct control_request *request)
{
    struct learned *learned = control->engine->known->learned;
    const bool all = argument_flag(request, "all");
    const uint64_t id = all ? 0 : id_of(request);
    struct learned_finding finding;
    json_t *items = json_array();
    if (all)
        learned_each(learned, add_item, items);
    else if (id > 0 && learned_find(learned, id, &finding))
        add_item(&finding, items);
    if ((all || id > 0) && learned_forget(learned, id)) {
        kernel_rules_forget(control, request, items);
        return;
    }
    refuse_unknown(request);
    json_decref(items);
}

void findings_keep(struct control *control, struct control_request *request)
{
    struct learned *learned = control->engine->known->learned;
    const uint64_t id = id_of(request);
    struct learned_finding finding;
    if (id == 0 || !learned_find(learned, id, &finding) || !learned_keep(learned, id)) {
        refuse_unknown(request);
        return;
    }
    json_t *items = json_array();
    json_array_append_new(items, item_of(&finding, "kept"));
    audit_operator(control->engine->control_feed, &request->peer,
                   policy_revision(control->engine->policy), items);
    control_reply(request, NULL);
}
