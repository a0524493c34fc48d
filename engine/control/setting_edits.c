/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/setting_edits.h"

#include "control/arguments.h"
#include "control/audit.h"
#include "control/current.h"
#include "core/log.h"
#include "policy/amend.h"

#include <string.h>

/* ---- asking ---- */

static bool is_live(const char *name)
{
    for (size_t i = 0; amend_settings[i] != NULL; i++)
        if (strcmp(amend_settings[i], name) == 0)
            return true;
    return false;
}

static void write_whence(struct jsonw *data, const struct edit *edit, const struct given *given)
{
    char place[PLACE_TEXT_SIZE];
    if (edit == NULL) {
        jsonw_string(data, "from",
                     given->place.file != NULL ? place_text(&given->place, place) : "default");
        return;
    }
    jsonw_string(data, "from", "interceptctl");
    jsonw_string(data, "note", edit->note);
    jsonw_uint(data, "uid", edit->uid);
    jsonw_bool(data, "persist", edit->persist);
    if (edit->due > 0)
        jsonw_uint(data, "expires",
                   edit->due > clock_ms() ? (edit->due - clock_ms() + 999) / 1000 : 0);
}

/* Nothing, if the key has no value. */
static void write_setting(struct jsonw *data, const struct control *control,
                          const struct schema_key *key)
{
    const struct policy *policy = control->engine->policy;
    const struct edit *edit;
    char name[64], buffer[SETTING_SIZE];
    snprintf(name, sizeof(name), "%s.%s", key->section, key->name);
    const struct edit_subject subject = {.kind = EDIT_SETTING, .text = name};
    const char *value = current_setting(policy, control->edits, &subject, &edit, buffer);
    if (value == NULL)
        return;
    jsonw_object(data, NULL);
    jsonw_string(data, "key", name);
    jsonw_string(data, "value", value);
    jsonw_bool(data, "live", is_live(name));
    write_whence(data, edit, &policy_file(policy)->given[key - schema]);
    jsonw_object_end(data);
}

void setting_edits_get(struct control *control, struct control_request *request)
{
    const char *name = argument_text(request, "key");
    const struct schema_key *only = name != NULL ? amend_key(name) : NULL;
    struct jsonw data;
    if (name != NULL && only == NULL) {
        control_refuse(request, "unknown", NULL, "there is no setting %s", name);
        return;
    }
    jsonw_init_growing(&data);
    jsonw_array(&data, NULL);
    for (size_t i = 0; i < schema_size; i++)
        if (only == NULL ? !schema_is_named(schema[i].section) : only == &schema[i])
            write_setting(&data, control, &schema[i]);
    jsonw_array_end(&data);
    control_reply(request, &data);
    jsonw_fini(&data);
}

/* ---- changing ---- */

static bool begin(struct change *change, struct edit_subject *subject, struct edit_options *options)
{
    const struct control_request *request = STAILQ_FIRST(&change->requests);
    const char *fault = argument_options(request, options);
    *subject = (struct edit_subject){.kind = EDIT_SETTING, .text = argument_text(request, "key")};
    if (subject->text == NULL)
        return change_refuse(change, "request", NULL, "key is to be a text");
    if (fault != NULL)
        return change_refuse(change, "invalid", NULL, "%s", fault);
    if (amend_key(subject->text) == NULL)
        return change_refuse(change, "unknown", NULL, "there is no setting %s", subject->text);
    change->edits = edits_copy(change->control->edits, clock_ms());
    return true;
}

static bool plan_set(struct change *change)
{
    const struct control_request *request = STAILQ_FIRST(&change->requests);
    struct edit_subject subject;
    struct edit_options options;
    if (!begin(change, &subject, &options))
        return false;
    const char *value = argument_text(request, "value");
    if (value == NULL || *value == '\0' || strlen(value) >= SETTING_SIZE)
        return change_refuse(change, "request", NULL, "value is to be a text, and not a long one");
    struct edit edit = edit_with(&subject, &options, &request->peer);
    edit.value = value;
    edits_put(change->edits, &edit);
    change_note(change, &subject);
    change_set_text(change, "%s is set", subject.text);
    return true;
}

static bool plan_unset(struct change *change)
{
    struct edit_subject subject;
    struct edit_options options;
    if (!begin(change, &subject, &options))
        return false;
    if (edits_find(change->edits, &subject) == NULL)
        return change_refuse(change, "exists", NULL, "%s is as the configuration has it already",
                             subject.text);
    edits_drop(change->edits, &subject);
    change_note(change, &subject);
    change_set_text(change, "%s is as the configuration has it", subject.text);
    return true;
}

void setting_edits_set(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_set));
}

void setting_edits_unset(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_unset));
}

/* ---- the log ---- */

static void record_level(struct control *control, const struct control_request *request,
                         const char *old, const char *new)
{
    json_t *items = json_pack("[{s:s, s:s, s:s}]", "what", "log-level", "old", old, "new", new);
    const struct audit audit = {.reason = "operator",
                                .peer = &request->peer,
                                .revision = policy_revision(control->engine->policy),
                                .items = items};
    audit_record(control->engine->control_feed, &audit);
    audit_log(&audit);
    json_decref(items);
}

void setting_edits_log_level(struct control *control, struct control_request *request)
{
    const char *old = log_level_name(log_level()), *new = argument_text(request, "level");
    enum log_level level;
    struct jsonw data;
    if (new != NULL && request->peer.read_only) {
        control_refuse(request, "permission", NULL, "this socket is for those who only ask");
        return;
    }
    if (new != NULL && !log_level_find(new, &level)) {
        control_refuse(request, "invalid", NULL, "expected error, warning, info or verbose");
        return;
    }
    if (new != NULL) {
        log_set_level(level);
        record_level(control, request, old, new);
    }
    jsonw_init_growing(&data);
    jsonw_object(&data, NULL);
    jsonw_string(&data, "level", new != NULL ? new : old);
    jsonw_string(&data, "old", new != NULL ? old : NULL);
    jsonw_object_end(&data);
    control_reply(request, &data);
    jsonw_fini(&data);
}
