/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/asking.h"

#include "control/arguments.h"
#include "control/current.h"
#include "control/device_ref.h"
#include "control/pattern_edits.h"
#include "policy/explain.h"

#include <string.h>

#define ASKED_NAMES_LIMIT 16
/* Of those who may only ask, which is everybody: answers take time and memory. */
#define ASKED_TARGETS_LIMIT 1000

/* A question, and what its answers need. */
struct asked {
    struct control *control;
    const struct control_request *request;
    struct question question;
    const char *names[ASKED_NAMES_LIMIT];
    struct device_config device; /* where it has no section */
    struct policy_view *view;
    struct jsonw data;
};

static const char *take_names(struct asked *asked)
{
    const json_t *names = json_object_get(asked->request->arguments, "names");
    if (json_array_size(names) > ASKED_NAMES_LIMIT)
        return "more than 16 names";
    for (size_t i = 0; i < json_array_size(names); i++) {
        asked->names[i] = json_string_value(json_array_get(names, i));
        if (asked->names[i] == NULL || strlen(asked->names[i]) >= EXPLAIN_TARGET_LIMIT)
            return "a name is a text of less than 300 bytes";
        asked->question.name_count++;
    }
    asked->question.names = asked->names;
    return NULL;
}

static const char *take_device(struct asked *asked)
{
    const struct policy *policy = asked->control->engine->policy;
    const char *text = argument_text(asked->request, "device");
    char name[SECTION_NAME_SIZE];
    if (text == NULL)
        return NULL;
    if (!device_ref_find(policy, text, name))
        return "no device is called so";
    asked->question.device = amend_section(policy_config(policy), name);
    if (asked->question.device == NULL && amend_identify(&asked->device, name))
        asked->question.device = &asked->device;
    return NULL;
}

/* Calls `answer` for each target. */
static const char *answer_all(struct asked *asked, const char *(*answer)(struct asked *asked))
{
    const json_t *targets = json_object_get(asked->request->arguments, "targets");
    if (!json_is_array(targets))
        return "targets is to be an array";
    if (asked->request->peer.read_only && json_array_size(targets) > ASKED_TARGETS_LIMIT)
        return "more than 1000 targets at once";
    jsonw_array(&asked->data, NULL);
    for (size_t i = 0; i < json_array_size(targets); i++) {
        asked->question.target = json_string_value(json_array_get(targets, i));
        const char *error = asked->question.target != NULL
                                ? answer(asked)
                                : "a target is address:port or name:port";
        if (error != NULL)
            return error;
    }
    jsonw_array_end(&asked->data);
    return NULL;
}

/* Strangers are told what the rules say, and not what devices have done. */
static void ask(struct control *control, struct control_request *request,
                const char *(*answer)(struct asked *asked))
{
    struct asked asked = {.control = control, .request = request};
    struct known *known = request->peer.insider ? control->engine->known : NULL;
    asked.view = policy_view_new(control->engine->policy, known);
    jsonw_init_growing(&asked.data);
    const char *error = asked.view == NULL ? "out of memory" : take_names(&asked);
    if (error == NULL)
        error = take_device(&asked);
    if (error == NULL)
        error = answer_all(&asked, answer);
    if (error == NULL)
        control_reply(request, &asked.data);
    else
        control_refuse(request, "request", NULL, "%s", error);
    jsonw_fini(&asked.data);
    policy_view_free(asked.view);
}

/* ---- what would happen ---- */

static const char *explain_one(struct asked *asked)
{
    struct explanation explanation;
    if (!explain_question(&explanation, asked->view, &asked->question))
        return "a target is address:port or name:port";
    explanation_write(&asked->data, asked->question.target, &explanation);
    return NULL;
}

void asking_explain(struct control *control, struct control_request *request)
{
    ask(control, request, explain_one);
}

/* ---- what one list says ---- */

static const char *test_one(struct asked *asked)
{
    const enum edit_list list = pattern_edits_list_of(asked->request->command);
    char name[EXPLAIN_TARGET_LIMIT], place[RULE_PLACE_SIZE];
    struct jsonw *data = &asked->data;
    struct flow flow;
    if (!question_flow(&asked->question, &flow, name))
        return "a target is address:port or name:port";
    const struct pattern_source *found = explain_list(asked->view, list, &flow);
    jsonw_object(data, NULL);
    jsonw_string(data, "target", asked->question.target);
    jsonw_bool(data, "found", found != NULL);
    if (found != NULL) {
        jsonw_string(data, "pattern", found->text);
        jsonw_string(data, "place", rule_place(found, place));
    }
    jsonw_object_end(data);
    return NULL;
}

void asking_test(struct control *control, struct control_request *request)
{
    ask(control, request, test_one);
}
