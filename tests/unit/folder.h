/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * folder.h - files in a folder that is gone afterwards. cmocka.h must be included before. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct folder {
    char path[64];
};

static inline struct folder make_folder(void)
{
    struct folder folder = {"/tmp/interceptd-test-XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static inline int remove_entry(const char *path, const struct stat *status, int type,
                               struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static inline void remove_folder(const struct folder *folder)
{
    assert_int_equal(nftw(folder->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

struct path {
    char text[128];
};

static inline struct path path_in(const struct folder *folder, const char *name)
{
    struct path path;
    snprintf(path.text, sizeof(path.text), "%s/%s", folder->path, name);
    return path;
}

/* What is in the file, with a NUL behind, to be freed; empty if there is no file. */
static inline char *text_in(const struct folder *folder, const char *name)
{
    FILE *file = fopen(path_in(folder, name).text, "re");
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

static inline mode_t mode_of(const struct path *path)
{
    struct stat status;
    assert_int_equal(stat(path->text, &status), 0);
    return status.st_mode & 07777;
}

#endif
