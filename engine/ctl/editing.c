/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/editing.h"

#include "core/file.h"
#include "ctl/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A list on its way to the editor, and back. */
struct edited {
    const struct options *options;
    const char *list;
    char path[PATH_MAX];
    json_int_t revision;
    json_t *before; /* patterns that are on, in order */
    json_t *after;  /* {pattern, line} */
};

/* ---- to the editor ---- */

static enum status fetch(struct edited *edited, struct connection *connection)
{
    const struct options *options = edited->options;
    const json_t *pattern;
    json_t *answer, *arguments = json_object();
    char command[32];
    size_t index;
    snprintf(command, sizeof(command), "%s.list", edited->list);
    if (options->device != NULL)
        json_object_set_new(arguments, "device", json_string(options->device));
    enum status status =
        client_request(&options->client, connection, command, arguments, -1, &answer);
    edited->revision = json_integer_value(json_object_get(answer, "rev"));
    edited->before = json_array();
    json_array_foreach(json_object_get(answer, "data"), index, pattern)
    {
        const bool is_ours = options->device != NULL || json_object_get(pattern, "device") == NULL;
        if (is_ours && json_is_true(json_object_get(pattern, "enabled")))
            json_array_append(edited->before, json_object_get(pattern, "pattern"));
    }
    if (status != STATUS_DONE)
        (void)client_complain(status, answer);
    json_decref(answer);
    return status;
}

static void write_list(const struct edited *edited, FILE *file)
{
    size_t index;
    const json_t *pattern;
    fprintf(file,
            "# %s patterns%s%s, one a line; lines that start with # do not count.\n"
            "# What is different when the editor is left holds from then on; an empty file changes "
            "nothing.\n",
            edited->list, edited->options->device != NULL ? " of " : "",
            edited->options->device != NULL ? edited->options->device : "");
    json_array_foreach(edited->before, index, pattern)
        fprintf(file, "%s\n", json_string_value(pattern));
}

static bool write_file(struct edited *edited)
{
    const char *directory = getenv("TMPDIR");
    snprintf(edited->path, sizeof(edited->path), "%s/interceptctl-%s.XXXXXX",
             directory != NULL && directory[0] == '/' ? directory : "/tmp", edited->list);
    int fd = mkstemp(edited->path); /* for nobody else's eyes */
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL)
        return false;
    write_list(edited, file);
    return fclose(file) == 0;
}

static bool run_editor(const char *path)
{
    const char *editor = getenv("VISUAL");
    char command[PATH_MAX + 256];
    if (editor == NULL || *editor == '\0')
        editor = getenv("EDITOR");
    if (editor == NULL || *editor == '\0')
        editor = access("/usr/bin/editor", X_OK) == 0 ? "editor" : "vi";
    snprintf(command, sizeof(command), "%s '%s'", editor, path);
    fflush(stdout);
    int status = system(command); // NOLINT: the operator's own editor, with the options it has
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- and back ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void add_line(struct edited *edited, const char *start, const char *end, int line)
{
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    if (start == end || *start == '#')
        return;
    json_t *pattern = json_stringn(start, (size_t)(end - start));
    if (pattern == NULL)
        pattern = json_string("(not UTF-8"); /* which is no good pattern, either */
    json_array_append_new(edited->after, json_pack("{s:o, s:i}", "pattern", pattern, "line", line));
}

static bool read_file(struct edited *edited)
{
    size_t length;
    char *text = file_read(edited->path, &length);
    if (text == NULL)
        return false;
    edited->after = json_array();
    int line = 1;
    for (const char *at = text, *end = text + length; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        add_line(edited, at, stop, line);
        at = stop + 1;
    }
    free(text);
    return true;
}

/* How often each pattern is there, by its text. */
static json_t *count_texts(const json_t *patterns, bool with_lines)
{
    json_t *counts = json_object();
    size_t index;
    const json_t *item;
    json_array_foreach(patterns, index, item)
    {
        const char *text = with_lines ? text_of(item, "pattern") : json_string_value(item);
        json_object_set_new(counts, text,
                            json_integer(json_integer_value(json_object_get(counts, text)) + 1));
    }
    return counts;
}

/* What was there and is not any more. */
static json_t *find_taken(const struct edited *edited, const json_t *now)
{
    json_t *taken = json_array(), *seen = json_object();
    size_t index;
    const json_t *pattern;
    json_array_foreach(edited->before, index, pattern)
    {
        const char *text = json_string_value(pattern);
        if (json_object_get(now, text) == NULL && json_object_get(seen, text) == NULL)
            json_array_append(taken, (json_t *)pattern);
        json_object_set_new(seen, text, json_true());
    }
    json_decref(seen);
    return taken;
}

/* What is there and was not before; `lines` are their places in the file. */
static json_t *find_added(const struct edited *edited, json_t *lines)
{
    json_t *added = json_array(), *known = count_texts(edited->before, false);
    size_t index;
    const json_t *item;
    json_array_foreach(edited->after, index, item)
    {
        const char *text = text_of(item, "pattern");
        if (json_object_get(known, text) == NULL) {
            json_array_append(added, json_object_get(item, "pattern"));
            json_array_append(lines, json_object_get(item, "line"));
        }
        json_object_set_new(known, text, json_true());
    }
    json_decref(known);
    return added;
}

/* ---- applying ---- */

/* Where in the file the trouble is, and that the work is not lost. */
static void complain(const struct edited *edited, enum status status, const json_t *answer,
                     const json_t *lines)
{
    const json_t *index = json_object_get(json_object_get(answer, "data"), "index");
    const json_t *line =
        index != NULL ? json_array_get(lines, (size_t)json_integer_value(index)) : NULL;
    (void)client_complain(status, answer);
    if (line != NULL)
        fprintf(stderr, "  line %lld of %s\n", (long long)json_integer_value(line), edited->path);
    fprintf(stderr, "interceptctl: nothing was changed; what you have edited is in %s\n",
            edited->path);
}

static enum status apply(struct edited *edited, struct connection *connection)
{
    const struct options *options = edited->options;
    json_t *now = count_texts(edited->after, true), *lines = json_array(), *answer = NULL;
    json_t *taken = find_taken(edited, now), *added = find_added(edited, lines);
    enum status status = STATUS_DONE;
    char command[32];
    json_decref(now);
    if (json_array_size(edited->after) == 0 ||
        json_array_size(taken) + json_array_size(added) == 0) {
        puts("nothing was changed");
        json_decref(taken);
        json_decref(added);
    } else {
        json_t *arguments = options_arguments(options);
        snprintf(command, sizeof(command), "%s.change", edited->list);
        json_object_set_new(arguments, "del", taken);
        json_object_set_new(arguments, "add", added);
        status = client_request(&options->client, connection, command, arguments, edited->revision,
                                &answer);
        if (status == STATUS_DONE)
            options_show_change(options, json_object_get(answer, "data"));
        else
            complain(edited, status, answer, lines);
    }
    if (status == STATUS_DONE)
        (void)unlink(edited->path);
    json_decref(lines);
    json_decref(answer);
    return status;
}

static enum status edit(struct edited *edited, struct connection *connection)
{
    enum status status = fetch(edited, connection);
    if (status != STATUS_DONE)
        return status;
    if (connection->read_only) {
        fprintf(stderr, "interceptctl: you may not change anything\n");
        return STATUS_NO_PERMISSION;
    }
    if (!write_file(edited)) {
        fprintf(stderr, "interceptctl: %s: %s\n", edited->path, strerror(errno));
        return STATUS_FAILED;
    }
    if (!run_editor(edited->path)) {
        fprintf(stderr, "interceptctl: the editor has failed: nothing was changed\n");
        (void)unlink(edited->path);
        return STATUS_FAILED;
    }
    if (!read_file(edited)) {
        fprintf(stderr, "interceptctl: %s: %s\n", edited->path, strerror(errno));
        return STATUS_FAILED;
    }
    return apply(edited, connection);
}

enum status editing(const struct options *options, const char *list)
{
    struct edited edited = {.options = options, .list = list};
    struct connection connection;
    enum status status = client_connect(&options->client, &connection);
    if (status != STATUS_DONE)
        return status;
    status = edit(&edited, &connection);
    client_disconnect(&connection);
    json_decref(edited.before);
    json_decref(edited.after);
    return status;
}
