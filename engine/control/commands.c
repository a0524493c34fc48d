/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/commands.h"

#include "control/arguments.h"
#include "control/asking.h"
#include "control/captures.h"
#include "control/control.h"
#include "control/device_edits.h"
#include "control/device_list.h"
#include "control/findings.h"
#include "control/kernel_rules.h"
#include "control/metrics.h"
#include "control/open_flows.h"
#include "control/pattern_edits.h"
#include "control/setting_edits.h"
#include "control/stats.h"
#include "policy/amend.h"

#include <string.h>

static void answer_status(struct control *control, struct control_request *request)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    stats_write(&data, NULL, control->engine, control->edits, clock_ms() - control->started);
    control_reply(request, &data);
    jsonw_fini(&data);
}

static void answer_metrics(struct control *control, struct control_request *request)
{
    struct jsonw data;
    char *page = metrics_page(control->engine, clock_ms() - control->started);
    jsonw_init_growing(&data);
    jsonw_object(&data, NULL);
    jsonw_string(&data, "text", page);
    jsonw_object_end(&data);
    control_reply(request, &data);
    jsonw_fini(&data);
    free(page);
}

static void answer_events(struct control *control, struct control_request *request)
{
    streams_follow(&control->streams, request);
}

/* ---- taking back ---- */

static bool plan_undo(struct change *change)
{
    const json_t *revision = json_object_get(STAILQ_FIRST(&change->requests)->arguments, "rev");
    struct control *control = change->control;
    const struct edit_subject *changed;
    const struct edit *about;
    struct undo_step *step = undos_find(&control->undos, (uint64_t)json_integer_value(revision));
    if (step == NULL)
        return change_refuse(change, "unknown", NULL, "there is no such change to be taken back");
    if (step->undone)
        return change_refuse(change, "exists", NULL, "this change was taken back already");
    change->edits = edits_copy(control->edits, clock_ms());
    if (!undo_apply(step, change->edits, &changed))
        return change_refuse(change, "conflict", NULL, "%s has been changed again since",
                             changed->text);
    TAILQ_FOREACH (about, &step->subjects->items, link)
        change_note(change, &about->subject);
    change->undoes = step;
    change_set_text(change, "what revision %llu had changed is taken back",
                    (unsigned long long)step->revision);
    return true;
}

static void answer_undo(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_undo));
}

/* ---- the table ---- */

enum {
    CHANGES = 1, /* not for those who may only ask */
    PRIVATE = 2, /* what devices do: for those who could read the records, too */
};

static void answer_commands(struct control *control, struct control_request *request);

#define EDIT "--for TIME --note TEXT --persist --cut --if-rev REV"
/* One list; where it may be a device's, `of` is "--device DEVICE ". */
#define PATTERNS(list, of)                                                               \
    {list ".list", 0, of, "the patterns, and where they are from", pattern_edits_list},  \
        {list ".add", CHANGES, "PATTERN " of EDIT, "one more", pattern_edits_add},       \
        {list ".del", CHANGES, "PATTERN " of EDIT, "one less, by its text or its id",    \
         pattern_edits_del},                                                             \
        {list ".replace", CHANGES, "ID PATTERN " of EDIT, "one in place of another",     \
         pattern_edits_replace},                                                         \
        {list ".change", CHANGES, of EDIT, "several at once", pattern_edits_change},     \
    {                                                                                    \
        list ".test", 0, "TARGET... --name NAME " of, "which one is found in host:port", \
            asking_test                                                                  \
    }

static const struct command {
    const char *name;
    unsigned flags;
    const char *arguments; /* as interceptctl takes them */
    const char *about;
    void (*run)(struct control *control, struct control_request *request);
} commands[] = {
    {"status", 0, "", "how interceptd is", answer_status},
    {"metrics", 0, "", "the same in numbers, for Prometheus", answer_metrics},
    {"explain", 0, "TARGET... --name NAME --device DEVICE",
     "what happens to host:port, and which pattern decides", asking_explain},
    {"reload", CHANGES, "", "read the configuration again", control_reload},
    PATTERNS("ignore", "--device DEVICE "),
    PATTERNS("allow", ""),
    PATTERNS("tcp", ""),
    {"device.list", 0, "", "sections of devices", device_edits_list},
    {"device.show", 0, "DEVICE", "one of them", device_edits_show},
    {"device.set", CHANGES, "DEVICE KEY=VALUE... " EDIT, "change or make one", device_edits_set},
    {"get", 0, "KEY", "settings, and where they are from", setting_edits_get},
    {"set", CHANGES, "KEY VALUE " EDIT, "change a setting", setting_edits_set},
    {"unset", CHANGES, "KEY", "a setting is as the configuration has it", setting_edits_unset},
    {"undo", CHANGES, "REV", "take back the last change, or that of a revision", answer_undo},
    {"devices", PRIVATE, "", "who is there, and whether it is intercepted", device_list_answer},
    {"flows", PRIVATE, "--limit NUMBER", "connections that are open", open_flows_list},
    {"cut", CHANGES, "", "end those that are decided otherwise by now", open_flows_cut},
    {"learned", PRIVATE, "", "where devices refuse our certificate", findings_list},
    {"learned.forget", CHANGES, "ID", "decide anew from now on", findings_forget},
    {"learned.keep", CHANGES, "ID", "let it pass for good", findings_keep},
    {"ignored", PRIVATE, "", "destinations that the kernel lets pass by itself", kernel_rules_list},
    {"ignored.flush", CHANGES, "", "forget them: each is decided anew", kernel_rules_flush},
    {"pcap.list", PRIVATE, "", "what is captured, and for whom", captures_list},
    {"pcap.start", CHANGES, "FILE FILTER", "decrypted packets into a file", captures_start},
    {"pcap.stop", CHANGES, "FILE", "end a capture, or all of them", captures_stop},
    {"events.follow", PRIVATE, "", "events as they are written", answer_events},
    {"log-level", 0, "LEVEL", "how much is logged", setting_edits_log_level},
    {"command-list", 0, "", "all of these", answer_commands},
};

/* ---- what there is to be said ---- */

static void write_words(struct jsonw *data, const char *key, const char *const *words)
{
    jsonw_array(data, key);
    for (; *words != NULL; words++)
        jsonw_string(data, NULL, *words);
    jsonw_array_end(data);
}

static void write_sections(struct jsonw *data, const struct device_config *device)
{
    for (; device != NULL; device = device->next)
        jsonw_string(data, NULL, device->name);
}

/* What may stand for the words in capitals, as far as we know. */
static void write_values(struct jsonw *data, const struct policy *policy)
{
    static const char *const levels[] = {"error", "warning", "info", "verbose", NULL};
    jsonw_object(data, "values");
    write_words(data, "LEVEL", levels);
    write_words(data, "KEY", amend_settings);
    write_words(data, "KEY=VALUE", amend_device_settings);
    jsonw_array(data, "DEVICE");
    write_sections(data, policy_config(policy)->overlays);
    write_sections(data, policy_config(policy)->devices);
    jsonw_array_end(data);
    jsonw_object_end(data);
}

static void answer_commands(struct control *control, struct control_request *request)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    jsonw_object(&data, NULL);
    jsonw_array(&data, "commands");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        jsonw_object(&data, NULL);
        jsonw_string(&data, "name", commands[i].name);
        jsonw_string(&data, "arguments", commands[i].arguments);
        jsonw_string(&data, "about", commands[i].about);
        jsonw_bool(&data, "changes", (commands[i].flags & CHANGES) != 0);
        jsonw_object_end(&data);
    }
    jsonw_array_end(&data);
    write_values(&data, control->engine->policy);
    jsonw_object_end(&data);
    control_reply(request, &data);
    jsonw_fini(&data);
}

/* ---- answering ---- */

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Changes that wait for their turn look again when it has come. */
static bool is_of_revision(const struct control *control, const struct control_request *request)
{
    return !request->has_revision ||
           (request->revision >= 0 &&
            (uint64_t)request->revision == policy_revision(control->engine->policy));
}

void commands_answer(void *context, struct control_request *request)
{
    struct control *control = context;
    const struct command *command = find_command(request->command);
    const struct control_peer *peer = &request->peer;
    if (command == NULL)
        control_refuse(request, "unknown", NULL, "unknown command");
    else if ((command->flags & CHANGES) != 0 && peer->read_only)
        control_refuse(request, "permission", NULL, "this socket is for those who only ask");
    else if ((command->flags & PRIVATE) != 0 && !peer->insider)
        control_refuse(request, "permission", NULL,
                       "what devices do is for those who may read the records");
    else if (!is_of_revision(control, request))
        control_refuse(request, "conflict", NULL,
                       "the policy's revision is %llu by now, and not %lld",
                       (unsigned long long)policy_revision(control->engine->policy),
                       (long long)request->revision);
    else
        command->run(control, request);
}
