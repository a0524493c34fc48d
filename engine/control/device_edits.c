/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/device_edits.h"

#include "control/arguments.h"
#include "control/current.h"
#include "control/device_ref.h"

#include <string.h>

#define NAME_LIMIT 40 /* as in the file */

/* ---- asking ---- */

static bool is_of_file(const struct control *control, const char *name)
{
    const struct device_config *device = policy_file(control->engine->policy)->devices;
    char own[SECTION_NAME_SIZE];
    while (device != NULL && strcmp(amend_section_name(device, own), name) != 0)
        device = device->next;
    return device != NULL;
}

static void write_settings(struct jsonw *data, const struct control *control, const char *name)
{
    for (size_t i = 0; amend_device_settings[i] != NULL; i++) {
        const struct edit_subject subject = {
            .kind = EDIT_SETTING, .device = name, .text = amend_device_settings[i]};
        const struct edit *edit;
        char buffer[SETTING_SIZE];
        const char *value =
            current_setting(control->engine->policy, control->edits, &subject, &edit, buffer);
        if (value == NULL)
            continue;
        jsonw_object(data, amend_device_settings[i]);
        jsonw_string(data, "value", value);
        jsonw_string(data, "from", edit != NULL ? "interceptctl" : "configuration");
        if (edit != NULL) {
            jsonw_string(data, "note", edit->note);
            jsonw_bool(data, "persist", edit->persist);
        }
        if (edit != NULL && edit->due > 0)
            jsonw_uint(data, "expires",
                       edit->due > clock_ms() ? (edit->due - clock_ms() + 999) / 1000 : 0);
        jsonw_object_end(data);
    }
}

static void write_section(struct jsonw *data, const struct control *control,
                          const struct device_config *device)
{
    char name[SECTION_NAME_SIZE], known_by[KNOWN_BY_SIZE], place[PLACE_TEXT_SIZE];
    const struct policy *policy = control->engine->policy;
    amend_section_name(device, name);
    jsonw_object(data, NULL);
    jsonw_string(data, "device", name);
    jsonw_string(data, "name", device->name);
    if (device->has_mac || device->has_address)
        jsonw_string(data, "known_by", amend_device_text(device, known_by));
    jsonw_string(data, "interface", device->interface);
    jsonw_string(data, "from",
                 is_of_file(control, name) ? place_text(&device->scope.place, place)
                                           : "interceptctl");
    jsonw_uint(data, "patterns", patterns_count(policy_list(policy, LIST_IGNORE, name)));
    jsonw_object(data, "settings");
    write_settings(data, control, name);
    jsonw_object_end(data);
    jsonw_object_end(data);
}

void device_edits_list(struct control *control, struct control_request *request)
{
    const struct config *config = policy_config(control->engine->policy);
    const struct device_config *device;
    struct jsonw data;
    jsonw_init_growing(&data);
    jsonw_array(&data, NULL);
    for (device = config->overlays; device != NULL; device = device->next)
        write_section(&data, control, device);
    for (device = config->devices; device != NULL; device = device->next)
        write_section(&data, control, device);
    jsonw_array_end(&data);
    control_reply(request, &data);
    jsonw_fini(&data);
}

void device_edits_show(struct control *control, struct control_request *request)
{
    const struct policy *policy = control->engine->policy;
    const char *text = argument_text(request, "device");
    const struct device_config *device = NULL;
    char name[SECTION_NAME_SIZE];
    struct jsonw data;
    if (text != NULL && device_ref_find(policy, text, name))
        device = amend_section(policy_config(policy), name);
    if (device == NULL) {
        control_refuse(request, "unknown", NULL, "there is no section for %s",
                       text != NULL ? text : "nobody");
        return;
    }
    jsonw_init_growing(&data);
    write_section(&data, control, device);
    control_reply(request, &data);
    jsonw_fini(&data);
}

/* ---- changing ---- */

static bool is_setting(const char *key)
{
    for (size_t i = 0; amend_device_settings[i] != NULL; i++)
        if (strcmp(amend_device_settings[i], key) == 0)
            return true;
    return false;
}

static bool is_identity(const char *key)
{
    return strcmp(key, "mac") == 0 || strcmp(key, "address") == 0;
}

/* One that is new, by a name that is no address: it must be said what it is known by. */
static bool is_new_name(const json_t *set, const char *name)
{
    return strlen(name) <= NAME_LIMIT && *name != '\0' && strpbrk(name, "]\n\r\t") == NULL &&
           (json_object_get(set, "mac") != NULL || json_object_get(set, "address") != NULL);
}

static bool find_device(struct change *change, const json_t *set, char name[SECTION_NAME_SIZE])
{
    const struct control *control = change->control;
    const char *text = argument_text(STAILQ_FIRST(&change->requests), "device");
    if (text == NULL || json_object_size(set) == 0)
        return change_refuse(change, "request", NULL,
                             "device is to be a text, and set an object with values");
    if (!device_ref_find(control->engine->policy, text, name) && !is_new_name(set, name))
        return change_refuse(change, "unknown", NULL,
                             "no device is called %s: say what it is known by, with mac or address",
                             text);
    return true;
}

static bool set_one(struct change *change, const struct edit_options *options, const char *name,
                    const char *key, const char *value)
{
    const struct control_request *request = STAILQ_FIRST(&change->requests);
    const struct edit_subject subject = {.kind = EDIT_SETTING, .device = name, .text = key};
    if (!is_setting(key))
        return change_refuse(change, "unknown", NULL,
                             "there is no %s of a device: known are address, intercept, mac, name "
                             "and quic",
                             key);
    if (value == NULL || strlen(value) >= SETTING_SIZE)
        return change_refuse(change, "request", NULL, "%s is to be a text, and not a long one",
                             key);
    if (is_identity(key) && is_of_file(change->control, name))
        return change_refuse(change, "invalid", NULL,
                             "what [device %s] is known by stands in the configuration", name);
    if (*value == '\0' && edits_find(change->edits, &subject) == NULL)
        return change_refuse(change, "exists", NULL, "%s is as the configuration has it already",
                             key);
    if (*value == '\0') {
        edits_drop(change->edits, &subject);
    } else {
        struct edit edit = edit_with(&subject, options, &request->peer);
        edit.value = value;
        edits_put(change->edits, &edit);
    }
    change_note(change, &subject);
    return true;
}

static bool plan_set(struct change *change)
{
    struct control_request *request = STAILQ_FIRST(&change->requests);
    json_t *set = json_object_get(request->arguments, "set"), *value;
    struct edit_options options;
    char name[SECTION_NAME_SIZE];
    const char *key, *fault = argument_options(request, &options);
    if (fault != NULL)
        return change_refuse(change, "invalid", NULL, "%s", fault);
    if (!find_device(change, set, name))
        return false;
    change->edits = edits_copy(change->control->edits, clock_ms());
    json_object_foreach(set, key, value)
    {
        if (!set_one(change, &options, name, key, json_string_value(value)))
            return false;
    }
    change_set_text(change, "device %s is changed", name);
    return true;
}

void device_edits_set(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_set));
}
