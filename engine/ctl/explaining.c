/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/explaining.h"

#include "control/device_ref.h"
#include "core/jsonw.h"
#include "ctl/show.h"
#include "policy/explain.h"

#include <string.h>

/* All targets, those of standard input included. */
static json_t *collect(int count, char **targets)
{
    json_t *all = json_array();
    for (int i = 0; i < count; i++) {
        if (strcmp(targets[i], "-") != 0) {
            json_array_append_new(all, json_string_nocheck(targets[i]));
            continue;
        }
        char *line = NULL;
        size_t size = 0;
        while (getline(&line, &size, stdin) > 0) {
            line[strcspn(line, "\r\n")] = '\0';
            if (*line != '\0')
                json_array_append_new(all, json_string_nocheck(line));
        }
        free(line);
    }
    return all;
}

/* ---- by a file ---- */

static struct policy_view *open_view(const char *path)
{
    struct report report = {0};
    struct policy *policy = NULL;
    struct policy_view *view = NULL;
    struct config *config = config_load(path, NULL, 0, &report);
    if (config != NULL)
        policy = policy_new(config, 1, false, &report);
    if (policy != NULL)
        view = policy_view_new(policy, NULL);
    policy_unref(policy);
    report_log(&report);
    report_fini(&report);
    return view;
}

/* Whom the operator means, as the daemon finds it. False after that was told. */
static bool find_device(const struct options *options, const struct policy_view *view,
                        struct question *question, struct device_config *device)
{
    const struct policy *policy = policy_view_policy(view);
    char name[SECTION_NAME_SIZE];
    if (options->device == NULL)
        return true;
    if (!device_ref_find(policy, options->device, name)) {
        fprintf(stderr, "interceptctl: no device is called %s\n", options->device);
        return false;
    }
    question->device = amend_section(policy_config(policy), name);
    if (question->device == NULL && amend_identify(device, name))
        question->device = device;
    return true;
}

static bool explain_one(const struct policy_view *view, const struct question *question,
                        json_t *answers)
{
    struct explanation explanation;
    struct jsonw json;
    if (!explain_question(&explanation, view, question)) {
        fprintf(stderr, "interceptctl: %s: a target is address:port or name:port\n",
                question->target);
        return false;
    }
    jsonw_init_growing(&json);
    explanation_write(&json, question->target, &explanation);
    json_array_append_new(answers, json_loads(jsonw_text(&json), 0, NULL));
    jsonw_fini(&json);
    return true;
}

/* The answers in the form in which the daemon gives them. */
static enum status explain_by_file(const struct options *options, const json_t *targets,
                                   json_t **answers)
{
    struct policy_view *view = open_view(options->config);
    struct question question = {.names = options->names, .name_count = options->name_count};
    struct device_config device = {0};
    if (view == NULL)
        return STATUS_FAILED;
    bool good = find_device(options, view, &question, &device);
    if (good)
        *answers = json_array();
    for (size_t i = 0; *answers != NULL && i < json_array_size(targets); i++) {
        question.target = json_string_value(json_array_get(targets, i));
        good = explain_one(view, &question, *answers) && good;
    }
    policy_view_free(view);
    return good ? STATUS_DONE : STATUS_FAILED;
}

static enum status ask_daemon(const struct options *options, json_t *targets, json_t **answers)
{
    json_t *request = options_arguments(options), *names = json_array();
    for (size_t i = 0; i < options->name_count; i++)
        json_array_append_new(names, json_string_nocheck(options->names[i]));
    json_object_set(request, "targets", targets);
    json_object_set_new(request, "names", names);
    return client_ask(&options->client, "explain", request, answers);
}

enum status explaining(const struct options *options, int count, char **targets)
{
    json_t *all = collect(count, targets);
    json_t *answers = NULL;
    enum status status = options->config != NULL ? explain_by_file(options, all, &answers)
                                                 : ask_daemon(options, all, &answers);
    json_decref(all);
    if (answers != NULL && options->json)
        show_json(answers);
    else if (answers != NULL)
        show_explanations(answers);
    json_decref(answers);
    return status;
}
