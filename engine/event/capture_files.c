/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/capture_files.h"

#include <errno.h>
#include <string.h>

static bool is_called(const struct capture_file *file, const char *name)
{
    return file != NULL && (name == NULL || strcmp(capture_file_name(file), name) == 0);
}

bool capture_files_has(const struct capture_files *files, const char *name)
{
    for (size_t i = 0; i < CAPTURE_FILES_LIMIT; i++)
        if (is_called(files->items[i], name))
            return true;
    return false;
}

static void drop(struct capture_files *files, struct capture_file **place)
{
    packet_sinks_remove(files->sinks, capture_file_sink(*place));
    capture_file_free(*place);
    *place = NULL;
}

/* A place for one more: where there was none, or one that has ended. */
static struct capture_file **find_place(struct capture_files *files)
{
    for (size_t i = 0; i < CAPTURE_FILES_LIMIT; i++)
        if (files->items[i] == NULL)
            return &files->items[i];
    for (size_t i = 0; i < CAPTURE_FILES_LIMIT; i++) {
        if (!capture_file_has_ended(files->items[i]))
            continue;
        drop(files, &files->items[i]);
        return &files->items[i];
    }
    return NULL;
}

static const char *refuse(const struct capture_file_options *options, const char *why)
{
    if (options->filter != NULL)
        options->free_filter(options->filter);
    return why;
}

const char *capture_files_add(struct capture_files *files,
                              const struct capture_file_options *options,
                              char text[static CAPTURE_FAULT_SIZE])
{
    struct capture_file **place = find_place(files);
    if (place == NULL)
        return refuse(options, "eight captures are running already");
    struct capture_file *file = capture_file_new(options);
    if (file == NULL) {
        snprintf(text, CAPTURE_FAULT_SIZE, "%.100s/%.100s: %s", options->directory, options->name,
                 strerror(errno));
        return text;
    }
    if (!packet_sinks_add(files->sinks, capture_file_sink(file))) {
        capture_file_free(file);
        return "too much is captured already";
    }
    *place = file;
    return NULL;
}

void capture_files_end(struct capture_files *files, const char *name, const char *why,
                       struct jsonw *json)
{
    for (size_t i = 0; i < CAPTURE_FILES_LIMIT; i++) {
        struct capture_file **place = &files->items[i];
        if (!is_called(*place, name))
            continue;
        capture_file_end(*place, why);
        if (json != NULL)
            capture_file_write(*place, json);
        drop(files, place);
    }
}

void capture_files_write(const struct capture_files *files, struct jsonw *json)
{
    for (size_t i = 0; i < CAPTURE_FILES_LIMIT; i++)
        if (files->items[i] != NULL)
            capture_file_write(files->items[i], json);
}
