/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * scratch.h - a directory of each test's own, and the files in it. */
#ifndef TESTS_EVENT_SCRATCH_H
#define TESTS_EVENT_SCRATCH_H

#include "core/macros.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

struct scratch {
    char path[32];
};

static inline int scratch_make(struct scratch *scratch)
{
    strcpy(scratch->path, "/tmp/event_test.XXXXXX");
    return mkdtemp(scratch->path) != NULL ? 0 : -1;
}

/* The path of a file in it, in `path`. */
#define SCRATCH_PATH_SIZE 320
static inline const char *scratch_path(const struct scratch *scratch, const char *name,
                                       char path[static SCRATCH_PATH_SIZE])
{
    snprintf(path, SCRATCH_PATH_SIZE, "%s/%s", scratch->path, name);
    return path;
}

/* With the files in it; there are no directories. */
static inline int scratch_remove(const struct scratch *scratch)
{
    char path[SCRATCH_PATH_SIZE];
    DIR *entries = opendir(scratch->path);
    if (entries == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.')
            (void)remove(scratch_path(scratch, entry->d_name, path));
    closedir(entries);
    return rmdir(scratch->path);
}

/* What is in the file, with a NUL behind, to be freed; empty if there is no file. */
static inline char *scratch_text(const struct scratch *scratch, const char *name)
{
    char path[SCRATCH_PATH_SIZE];
    FILE *file = fopen(scratch_path(scratch, name, path), "re");
    char *text = NULL;
    size_t size = 0;
    ssize_t length = file != NULL ? getdelim(&text, &size, '\0', file) : 0;
    if (file != NULL)
        fclose(file);
    if (length > 0)
        return text;
    free(text);
    return strdup("");
}

#endif
