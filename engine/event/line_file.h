/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * line_file.h - a file that lines are added to: gathered, and written together.
 *
 * While the file takes nothing (a full disk), lines are lost, and counted; it is tried again with
 * the next ones. What is in a regular file is whole lines: of one that was cut, the part is taken
 * back. When the file has grown large it becomes PATH.1, that PATH.2, and so on, and the oldest
 * goes. One thread, but for `failing`. */
#ifndef EVENT_LINE_FILE_H
#define EVENT_LINE_FILE_H

#include "core/macros.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A longer line is lost. */
#define LINE_FILE_BUFFER_SIZE ((size_t)256 << 10)

struct line_rotation {
    uint64_t size; /* bytes from which on a file is large; 0: none is */
    unsigned keep; /* files beside the one that is written, at least one */
};

struct line_file {
    char *path; /* owned; NULL: there is none, or it is standard error */
    mode_t mode;
    int fd; /* -1: not open */
    struct line_rotation rotation;
    atomic_bool failing;
    uint64_t missed;    /* lines lost since it fails */
    uint64_t rotate_at; /* bytes */
    bool torn;          /* the last line was cut: the next must start on a line of its own */
    size_t length, lines;
    char buffer[LINE_FILE_BUFFER_SIZE];
};

/* What has become of lines. */
struct line_counts {
    uint64_t written, lost;
};

/* Not open. `mode` is for a file that is made. */
void line_file_init(struct line_file *file, mode_t mode);
void line_file_fini(struct line_file *file);

/* Takes the path over (NULL: none), in place of the one before. False with errno if it cannot be
 * opened: it will be tried again. Lines are to be flushed before. */
bool line_file_open(struct line_file *file, char *path,
                    const struct line_rotation *rotation) must_check;

/* Adds a line, which ends with a newline; may write those before it. */
struct line_counts line_file_add(struct line_file *file, const char *line, size_t length);

/* Writes what was added. */
struct line_counts line_file_flush(struct line_file *file);

/* Says, with errno, that it does not work: once, until it does again. */
void line_file_complain(struct line_file *file);

#endif
