/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/pattern_edits.h"

#include "control/arguments.h"
#include "control/current.h"
#include "control/device_ref.h"

#include <string.h>

enum edit_list pattern_edits_list_of(const char *command)
{
    const size_t length = strcspn(command, ".");
    for (size_t i = 0; i < EDIT_LISTS; i++)
        if (strlen(edit_list_names[i]) == length &&
            memcmp(edit_list_names[i], command, length) == 0)
            return (enum edit_list)i;
    return LIST_IGNORE;
}

/* ---- listing ---- */

static void write_pattern(const struct current_pattern *pattern, void *context)
{
    struct jsonw *data = context;
    const struct edit_subject *subject = &pattern->subject;
    const struct edit *edit = pattern->edit;
    char id[PATTERN_ID_SIZE], place[PLACE_TEXT_SIZE];
    jsonw_object(data, NULL);
    jsonw_string(data, "id", pattern_id(subject->list, subject->device, subject->text, id));
    jsonw_string(data, "pattern", subject->text);
    jsonw_bool(data, "enabled", pattern->enabled);
    jsonw_string(data, "place", current_place(pattern, place));
    jsonw_string(data, "device", subject->device);
    if (edit != NULL) {
        jsonw_string(data, "note", edit->note);
        jsonw_uint(data, "uid", edit->uid);
        jsonw_int(data, "made", edit->made);
        jsonw_bool(data, "persist", edit->persist);
        if (edit->due > 0)
            jsonw_uint(data, "expires",
                       edit->due > clock_ms() ? (edit->due - clock_ms() + 999) / 1000 : 0);
    }
    jsonw_object_end(data);
}

void pattern_edits_list(struct control *control, struct control_request *request)
{
    const struct policy *policy = control->engine->policy;
    const char *device = argument_text(request, "device");
    char name[SECTION_NAME_SIZE];
    struct jsonw data;
    if (device != NULL && !device_ref_find(policy, device, name)) {
        control_refuse(request, "unknown", NULL, "no device is called %s", device);
        return;
    }
    jsonw_init_growing(&data);
    jsonw_array(&data, NULL);
    current_patterns(policy, control->edits, pattern_edits_list_of(request->command),
                     device != NULL ? name : NULL, true, write_pattern, &data);
    jsonw_array_end(&data);
    control_reply(request, &data);
    jsonw_fini(&data);
}

/* ---- changing ---- */

/* Changes of one list that are made at once: all of them, or none. */
struct batch {
    struct change *change;
    struct control_request *request;
    enum edit_list list;
    const char *device; /* NULL: for all */
    char device_name[SECTION_NAME_SIZE];
    struct edit_options options;
    size_t index;        /* of the one that is looked at */
    size_t added, taken; /* so many */
};

static bool begin_batch(struct batch *batch, struct change *change)
{
    struct control *control = change->control;
    *batch = (struct batch){.change = change, .request = STAILQ_FIRST(&change->requests)};
    const char *device = argument_text(batch->request, "device");
    const char *fault = argument_options(batch->request, &batch->options);
    batch->list = pattern_edits_list_of(batch->request->command);
    if (fault != NULL)
        return change_refuse(change, "invalid", NULL, "%s", fault);
    if (device != NULL && batch->list != LIST_IGNORE)
        return change_refuse(change, "invalid", NULL,
                             "patterns of one device are for ignore alone");
    if (device != NULL && !device_ref_find(control->engine->policy, device, batch->device_name))
        return change_refuse(change, "unknown", NULL, "no device is called %s", device);
    batch->device = device != NULL ? batch->device_name : NULL;
    change->edits = edits_copy(control->edits, clock_ms());
    return true;
}

/* Which one is wrong, and where, for whoever has many to choose from. */
static bool refuse_one(const struct batch *batch, const char *code, unsigned column,
                       const char *what)
{
    struct jsonw data;
    jsonw_init_growing(&data);
    jsonw_object(&data, NULL);
    jsonw_uint(&data, "index", batch->index);
    if (column > 0)
        jsonw_uint(&data, "column", column);
    jsonw_object_end(&data);
    if (column > 0)
        change_refuse(batch->change, code, &data, "column %u: %s", column, what);
    else
        change_refuse(batch->change, code, &data, "%s", what);
    jsonw_fini(&data);
    return false;
}

static bool is_good_pattern(const struct batch *batch, const char *pattern)
{
    const char *fault = argument_pattern_fault(pattern);
    if (fault != NULL)
        return refuse_one(batch, "invalid", 0, fault);
    const struct pattern_source source = {.text = pattern, .column = 1};
    struct report report = {0};
    bool good = compiled_check(&source, &report);
    if (!good) {
        const struct report_line *line = STAILQ_FIRST(&report.lines);
        refuse_one(batch, "invalid", line->column, line->what);
    }
    report_fini(&report);
    return good;
}

static struct current_pattern state_of(const struct batch *batch,
                                       const struct edit_subject *subject)
{
    struct current_pattern pattern;
    (void)current_pattern(&pattern, batch->change->control->engine->policy, batch->change->edits,
                          subject);
    return pattern;
}

/* Whether something new is said of a pattern that is there already: that it lasts, say. */
static bool says_more(const struct batch *batch, const struct current_pattern *pattern)
{
    const struct edit *edit = pattern->edit;
    const struct edit_options *options = &batch->options;
    if (edit == NULL)
        return false;
    if (options->seconds > 0)
        return edit->due > 0;
    return edit->due > 0 || options->persist != edit->persist || options->note != NULL;
}

static void put(const struct batch *batch, const struct edit_subject *subject, bool present)
{
    struct edit edit = edit_with(subject, &batch->options, &batch->request->peer);
    edit.present = present;
    edits_put(batch->change->edits, &edit);
}

static bool add_one(struct batch *batch, const char *text)
{
    const struct edit_subject subject = {EDIT_PATTERN, batch->list, batch->device, text};
    char place[PLACE_TEXT_SIZE], what[PLACE_TEXT_SIZE + 64];
    if (!is_good_pattern(batch, text))
        return false;
    const struct current_pattern pattern = state_of(batch, &subject);
    if (pattern.enabled && !says_more(batch, &pattern)) {
        snprintf(what, sizeof(what), "this pattern is there already (%s)",
                 current_place(&pattern, place));
        return refuse_one(batch, "exists", 0, what);
    }
    if (pattern.source != NULL && batch->options.seconds == 0)
        edits_drop(batch->change->edits, &subject);
    else
        put(batch, &subject, true);
    change_note(batch->change, &subject);
    batch->added++;
    return true;
}

/* ---- which one is meant ---- */

struct search {
    const char *id;
    size_t found;
    struct current_pattern pattern;
    char device[SECTION_NAME_SIZE];
};

static void match_id(const struct current_pattern *pattern, void *context)
{
    struct search *search = context;
    const struct edit_subject *subject = &pattern->subject;
    char id[PATTERN_ID_SIZE];
    pattern_id(subject->list, subject->device, subject->text, id);
    if (strcmp(id, search->id) != 0 ||
        (search->found > 0 && edit_subject_equal(subject, &search->pattern.subject)))
        return;
    search->pattern = *pattern;
    if (subject->device != NULL) {
        snprintf(search->device, sizeof(search->device), "%s", subject->device);
        search->pattern.subject.device = search->device;
    }
    search->found++;
}

/* A pattern by its text, or else by its id: that says of which device it is. */
static bool find_one(const struct batch *batch, struct search *search, const char *which)
{
    const struct policy *policy = batch->change->control->engine->policy;
    const struct edits *edits = batch->change->edits;
    const struct edit_subject subject = {EDIT_PATTERN, batch->list, batch->device, which};
    *search = (struct search){.id = which};
    if (current_pattern(&search->pattern, policy, edits, &subject))
        return true;
    current_patterns(policy, edits, batch->list, batch->device, true, match_id, search);
    if (search->found == 1)
        return true;
    return refuse_one(batch, search->found > 1 ? "ambiguous" : "unknown", 0,
                      search->found > 1 ? "several patterns have this id: say which by its text"
                                        : "there is no such pattern, and none with such an id");
}

/* Where it is to be taken out for good. */
static void advise(const struct batch *batch, const struct current_pattern *pattern)
{
    char place[PLACE_TEXT_SIZE];
    if (batch->change->advice == NULL && pattern->source != NULL && batch->options.seconds == 0)
        change_set_advice(batch->change, "to take it out for good: %s",
                          current_place(pattern, place));
}

static bool take_one(struct batch *batch, const char *which)
{
    struct search search;
    if (!find_one(batch, &search, which))
        return false;
    const struct edit_subject *subject = &search.pattern.subject;
    if (!search.pattern.enabled && (batch->options.seconds > 0 || search.pattern.edit->due == 0))
        return refuse_one(batch, "exists", 0, "this pattern was taken out already");
    if (search.pattern.source == NULL && batch->options.seconds == 0)
        edits_drop(batch->change->edits, subject);
    else
        put(batch, subject, false);
    change_note(batch->change, subject);
    advise(batch, &search.pattern);
    batch->taken++;
    return true;
}

/* ---- the end of a batch ---- */

struct count {
    size_t lasting;
};

static void count_lasting(const struct current_pattern *pattern, void *context)
{
    struct count *count = context;
    count->lasting += pattern->enabled && (pattern->edit == NULL || pattern->edit->due == 0);
}

/* Without any allow pattern everything is intercepted: that is not what taking one out is for. */
static bool leaves_allowed(const struct batch *batch)
{
    const struct policy *policy = batch->change->control->engine->policy;
    struct count count = {0};
    if (batch->list != LIST_ALLOW || batch->taken == 0 ||
        patterns_base_count(policy_list(policy, LIST_ALLOW, NULL)) == 0)
        return true;
    current_patterns(policy, batch->change->edits, LIST_ALLOW, NULL, false, count_lasting, &count);
    if (count.lasting > 0)
        return true;
    return change_refuse(batch->change, "invalid", NULL,
                         "no allow pattern would be left: everything would be intercepted");
}

static bool end_batch(struct batch *batch)
{
    struct change *change = batch->change;
    const char *name = edit_list_names[batch->list];
    if (!leaves_allowed(batch))
        return false;
    if (batch->added + batch->taken == 0)
        return change_refuse(change, "invalid", NULL, "nothing is to be changed");
    if (batch->added > 0 && batch->taken > 0)
        change_set_text(change, "%s: %zu added, %zu taken out", name, batch->added, batch->taken);
    else
        change_set_text(change, "%s: %zu %s", name, batch->added + batch->taken,
                        batch->added > 0 ? "added" : "taken out");
    return true;
}

static const char *which_of(const struct control_request *request)
{
    const char *id = argument_text(request, "id");
    return id != NULL ? id : argument_text(request, "pattern");
}

static bool plan_add(struct change *change)
{
    struct batch batch;
    if (!begin_batch(&batch, change))
        return false;
    const char *pattern = argument_text(batch.request, "pattern");
    if (pattern == NULL)
        return change_refuse(change, "request", NULL, "pattern is to be a text");
    return add_one(&batch, pattern) && end_batch(&batch);
}

static bool plan_del(struct change *change)
{
    struct batch batch;
    if (!begin_batch(&batch, change))
        return false;
    const char *which = which_of(batch.request);
    if (which == NULL)
        return change_refuse(change, "request", NULL, "id or pattern is to be a text");
    return take_one(&batch, which) && end_batch(&batch);
}

static bool plan_replace(struct change *change)
{
    struct batch batch;
    if (!begin_batch(&batch, change))
        return false;
    const char *id = argument_text(batch.request, "id"),
               *pattern = argument_text(batch.request, "pattern");
    if (id == NULL || pattern == NULL)
        return change_refuse(change, "request", NULL, "id and pattern are to be texts");
    return take_one(&batch, id) && add_one(&batch, pattern) && end_batch(&batch);
}

static bool each_text(struct batch *batch, const char *key,
                      bool (*use)(struct batch *batch, const char *text))
{
    const json_t *list = json_object_get(batch->request->arguments, key);
    for (batch->index = 0; batch->index < json_array_size(list); batch->index++) {
        const char *text = json_string_value(json_array_get(list, batch->index));
        if (text == NULL)
            return change_refuse(batch->change, "request", NULL, "%s is to be a list of texts",
                                 key);
        if (!use(batch, text))
            return false;
    }
    return true;
}

static bool plan_change(struct change *change)
{
    struct batch batch;
    return begin_batch(&batch, change) && each_text(&batch, "del", take_one) &&
           each_text(&batch, "add", add_one) && end_batch(&batch);
}

void pattern_edits_add(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_add));
}

void pattern_edits_del(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_del));
}

void pattern_edits_replace(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_replace));
}

void pattern_edits_change(struct control *control, struct control_request *request)
{
    change_enqueue(change_new(control, request, plan_change));
}
