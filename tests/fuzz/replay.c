/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * replay FOLDER...   gives a fuzz target every file of its corpus, without libFuzzer: `make check`
 * does so with each. A corpus that is missing or empty is an error. */
#include "core/file.h"
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

/* In memory of just its size, so that a sanitizer sees a read past the end. */
static void replay_file(const char *path)
{
    size_t length;
    char *content = file_read(path, &length);
    if (content == NULL) {
        perror(path);
        exit(1);
    }
    uint8_t *bytes = malloc(length);
    must_hold(bytes != NULL || length == 0);
    if (length > 0)
        memcpy(bytes, content, length);
    free(content);
    LLVMFuzzerTestOneInput(bytes, length);
    free(bytes);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct dirent **entries;
        int count = scandir(argv[i], &entries, is_visible, alphasort);
        if (count <= 0) {
            fprintf(stderr, "%s: no corpus\n", argv[i]);
            return 1;
        }
        for (int j = 0; j < count; j++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entries[j]->d_name);
            replay_file(path);
            free(entries[j]);
        }
        free(entries);
        printf("%s: %d inputs replayed\n", argv[i], count);
    }
    return 0;
}
