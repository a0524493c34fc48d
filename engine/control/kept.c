/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/kept.h"

#include "core/file.h"
#include "core/jsonw.h"
#include "core/log.h"
#include "core/loop.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct kept_now kept_now(void)
{
    return (struct kept_now){.monotonic = clock_ms(), .real = (int64_t)time(NULL)};
}

const char *kept_path(const char *state_directory, char *path, size_t size)
{
    snprintf(path, size, "%s/runtime.json", state_directory);
    return path;
}

/* ---- writing ---- */

static void write_edit(struct jsonw *json, const struct edit *edit, const struct kept_now *now)
{
    const struct edit_subject *subject = &edit->subject;
    jsonw_object(json, NULL);
    if (subject->kind == EDIT_PATTERN) {
        jsonw_string(json, "list", edit_list_names[subject->list]);
        jsonw_string(json, "pattern", subject->text);
        jsonw_bool(json, "present", edit->present);
    } else {
        jsonw_string(json, "setting", subject->text);
        jsonw_string(json, "value", edit->value);
    }
    jsonw_string(json, "device", subject->device);
    jsonw_string(json, "note", edit->note);
    jsonw_uint(json, "uid", edit->uid);
    jsonw_int(json, "made", edit->made);
    if (edit->due > now->monotonic)
        jsonw_int(json, "until", now->real + (int64_t)((edit->due - now->monotonic + 999) / 1000));
    jsonw_object_end(json);
}

char *kept_write(const struct edits *edits, const struct kept_now *now)
{
    struct jsonw json;
    const struct edit *edit;
    jsonw_init_growing(&json);
    jsonw_object(&json, NULL);
    jsonw_uint(&json, "version", 1);
    jsonw_array(&json, "edits");
    TAILQ_FOREACH (edit, &edits->items, link)
        if (edit->persist && (edit->due == 0 || edit->due > now->monotonic))
            write_edit(&json, edit, now);
    jsonw_array_end(&json);
    jsonw_object_end(&json);
    CHECK(jsonw_text(&json) != NULL);
    return json.text;
}

/* ---- reading ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool find_list(const char *name, enum edit_list *list)
{
    for (size_t i = 0; name != NULL && i < EDIT_LISTS; i++) {
        if (strcmp(name, edit_list_names[i]) != 0)
            continue;
        *list = (enum edit_list)i;
        return true;
    }
    return false;
}

/* A time that a clock of ours could have shown: before the year 36812. */
static bool read_time(const json_t *object, const char *key, int64_t *time)
{
    *time = json_integer_value(json_object_get(object, key));
    return *time >= 0 && *time < INT64_C(1) << 40;
}

/* What of the time that it was given is left, in s: never more than it was given, whatever the
 * clock says by now. */
static int64_t time_left(int64_t made, int64_t until, int64_t now)
{
    const int64_t left = until - now, all = until - made;
    return left < all ? left : all;
}

/* False if it is no edit. */
static bool read_edit(struct edit *edit, const json_t *object, const struct kept_now *now)
{
    struct edit_subject *subject = &edit->subject;
    int64_t until;
    *edit = (struct edit){.persist = true};
    subject->device = text_of(object, "device");
    edit->note = text_of(object, "note");
    edit->uid = (uint32_t)json_integer_value(json_object_get(object, "uid"));
    if (!read_time(object, "made", &edit->made) || !read_time(object, "until", &until))
        return false;
    if (until > 0) {
        const int64_t left = time_left(edit->made, until, now->real);
        edit->due = left > 0 ? now->monotonic + (uint64_t)left * 1000 : 1;
    }
    if (edit->made > now->real) /* the clock was set back since */
        edit->made = now->real;
    subject->text = text_of(object, "pattern");
    if (subject->text != NULL) {
        subject->kind = EDIT_PATTERN;
        edit->present = json_is_true(json_object_get(object, "present"));
        return find_list(text_of(object, "list"), &subject->list);
    }
    subject->kind = EDIT_SETTING;
    subject->text = text_of(object, "setting");
    edit->value = text_of(object, "value");
    return subject->text != NULL && edit->value != NULL;
}

/* With `edits` NULL they are only checked. */
static bool read_all(struct edits *edits, const json_t *list, const struct kept_now *now)
{
    size_t index;
    const json_t *object;
    json_array_foreach(list, index, object)
    {
        struct edit edit;
        if (!read_edit(&edit, object, now))
            return false;
        if (edits != NULL && (edit.due == 0 || edit.due > now->monotonic))
            edits_put(edits, &edit);
    }
    return json_is_array(list);
}

bool kept_read(struct edits *edits, const char *text, size_t length, const struct kept_now *now,
               const char **why)
{
    json_error_t problem;
    json_t *root = json_loadb(text, length, 0, &problem);
    const json_t *list = json_object_get(root, "edits");
    *why = "it is no JSON";
    bool good = false;
    if (root != NULL && json_integer_value(json_object_get(root, "version")) != 1)
        *why = "it is of another version";
    else if (root != NULL && !read_all(NULL, list, now))
        *why = "what it says is no list of edits";
    else if (root != NULL)
        good = read_all(edits, list, now);
    json_decref(root);
    return good;
}

/* ---- the file ---- */

static bool keeps_any(const struct edits *edits)
{
    const struct edit *edit;
    TAILQ_FOREACH (edit, &edits->items, link)
        if (edit->persist)
            return true;
    return false;
}

bool kept_save(const char *path, const struct edits *edits)
{
    if (!keeps_any(edits))
        return unlink(path) == 0 || errno == ENOENT;
    const struct kept_now now = kept_now();
    char *text = kept_write(edits, &now);
    bool done = file_replace(path, text, strlen(text), 0640);
    int error = errno;
    free(text);
    errno = error;
    return done;
}

bool kept_load(const char *path, struct edits *edits)
{
    const struct kept_now now = kept_now();
    size_t length;
    const char *why;
    char *text = file_read_own(path, &length);
    if (text == NULL && errno == ENOENT)
        return true;
    bool good = text != NULL && kept_read(edits, text, length, &now, &why);
    if (text == NULL)
        log_error("%s: %m: what was changed at run time is not restored", path);
    else if (!good)
        log_error("%s: %s: what was changed at run time is not restored", path, why);
    free(text);
    return good;
}
