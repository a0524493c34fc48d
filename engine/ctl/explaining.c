/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/explaining.h"

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

/* The answers in the form in which the daemon gives them. */
static enum status explain_by_file(const char *path, const json_t *targets, json_t **answers)
{
    struct policy_view *view = open_view(path);
    enum status status = STATUS_DONE;
    if (view == NULL)
        return STATUS_FAILED;
    *answers = json_array();
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const char *target = json_string_value(json_array_get(targets, i));
        struct explanation explanation;
        if (!explain_target(&explanation, view, target)) {
            fprintf(stderr, "interceptctl: %s: a target is address:port or name:port\n", target);
            status = STATUS_FAILED;
            continue;
        }
        struct jsonw json;
        jsonw_init_growing(&json);
        explanation_write(&json, target, &explanation);
        json_array_append_new(*answers, json_loads(jsonw_text(&json), 0, NULL));
        jsonw_fini(&json);
    }
    policy_view_free(view);
    return status;
}

enum status explaining(const struct client *client, const char *config, bool json, int count,
                       char **targets)
{
    json_t *all = collect(count, targets);
    json_t *answers = NULL;
    enum status status = config != NULL ? explain_by_file(config, all, &answers)
                                        : client_ask(client, "explain",
                                                     json_pack("{s:O}", "targets", all), &answers);
    json_decref(all);
    if (answers != NULL && json)
        show_json(answers);
    else if (answers != NULL)
        show_explanations(answers);
    json_decref(answers);
    return status;
}
