/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/line_file.h"

#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what people are told ---- */

void line_file_complain(struct line_file *file)
{
    if (!atomic_load(&file->failing))
        log_warning("%s: %m: paused; lines are counted as lost until it works again",
                    file->path != NULL ? file->path : "standard error");
    atomic_store(&file->failing, true);
}

static void tell_recovery(struct line_file *file)
{
    if (!atomic_load(&file->failing))
        return;
    if (file->path != NULL)
        log_info("%s: works again; lines lost: %llu", file->path, (unsigned long long)file->missed);
    atomic_store(&file->failing, false);
    file->missed = 0;
}

/* ---- opening ---- */

/* The size of a regular file; -1 for anything else. */
static off_t size_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : -1;
}

/* Whoever wrote it before us was stopped by a full disk, or by the end of the machine. */
static bool ends_in_mid_line(int fd)
{
    off_t size = size_of(fd);
    char last;
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

static bool open_again(struct line_file *file)
{
    if (!file_make_parents(file->path, 0755))
        return false;
    /* A FIFO is opened though nobody reads it, and does not stop us when it is full. */
    const int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    file->fd = open(file->path, O_RDWR | flags, file->mode);
    if (file->fd < 0 && errno == EACCES)
        file->fd = open(file->path, O_WRONLY | flags, file->mode);
    file->torn = file->fd >= 0 && ends_in_mid_line(file->fd);
    file->rotate_at = file->rotation.size;
    return file->fd >= 0;
}

static void close_it(struct line_file *file)
{
    if (file->path != NULL && file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    file->torn = false;
}

void line_file_init(struct line_file *file, mode_t mode)
{
    file->path = NULL;
    file->mode = mode;
    file->fd = -1;
    atomic_init(&file->failing, false);
}

void line_file_fini(struct line_file *file)
{
    close_it(file);
    free(file->path);
}

bool line_file_open(struct line_file *file, char *path, const struct line_rotation *rotation)
{
    close_it(file);
    free(file->path);
    file->path = path;
    file->rotation = *rotation;
    return path == NULL || open_again(file);
}

/* ---- rotating ---- */

/* The files that are kept: PATH.1 is the youngest. A missing one is no matter. */
static void shift_names(const struct line_file *file)
{
    char from[PATH_MAX], to[PATH_MAX];
    for (unsigned i = file->rotation.keep; i > 1; i--) {
        snprintf(from, sizeof(from), "%s.%u", file->path, i - 1);
        snprintf(to, sizeof(to), "%s.%u", file->path, i);
        (void)rename(from, to);
    }
}

/* Where somebody else has renamed it in the meantime there is a new one to be opened, too. */
static void rotate(struct line_file *file)
{
    char first[PATH_MAX];
    snprintf(first, sizeof(first), "%s.1", file->path);
    shift_names(file);
    if (rename(file->path, first) != 0 && errno != ENOENT) {
        log_warning("%s could not be renamed to %s: %m: it grows on", file->path, first);
        file->rotate_at += file->rotation.size;
        return;
    }
    close_it(file);
    if (!open_again(file))
        line_file_complain(file);
}

static void rotate_if_large(struct line_file *file)
{
    if (file->path == NULL || file->fd < 0 || file->rotation.size == 0)
        return;
    off_t size = size_of(file->fd);
    if (size > 0 && (uint64_t)size >= file->rotate_at)
        rotate(file);
}

/* ---- writing ---- */

static size_t write_some(struct line_file *file)
{
    size_t at = 0;
    while (at < file->length) {
        ssize_t count = write(file->fd, file->buffer + at, file->length - at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            break;
        at += (size_t)count;
    }
    return at;
}

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

/* Of what was written, up to `at`, only whole lines stay. Returns how many. */
static size_t take_back_part(struct line_file *file, size_t at)
{
    const char *last = at > 0 ? memrchr(file->buffer, '\n', at) : NULL;
    size_t whole = last != NULL ? (size_t)(last - file->buffer) + 1 : 0;
    bool began_torn = file->buffer[0] == '\n'; /* no line of ours is empty */
    off_t size = size_of(file->fd);
    if (at > whole)
        file->torn = size < 0 || ftruncate(file->fd, size - (off_t)(at - whole)) != 0;
    if (whole == 0 && began_torn)
        file->torn = true;
    size_t lines = count_lines(file->buffer, whole);
    return lines > 0 && began_torn ? lines - 1 : lines;
}

struct line_counts line_file_flush(struct line_file *file)
{
    struct line_counts counts = {0};
    if (file->length == 0)
        return counts;
    bool is_open = file->fd >= 0 || (file->path != NULL && open_again(file));
    size_t at = is_open ? write_some(file) : 0;
    if (at == file->length) {
        counts.written = file->lines;
        tell_recovery(file);
        rotate_if_large(file);
    } else {
        line_file_complain(file);
        counts.written = is_open ? take_back_part(file, at) : 0;
        counts.lost = file->lines - counts.written;
        file->missed += counts.lost;
    }
    file->length = file->lines = 0;
    return counts;
}

struct line_counts line_file_add(struct line_file *file, const char *line, size_t length)
{
    struct line_counts counts = {0};
    if (length + 1 > LINE_FILE_BUFFER_SIZE) {
        counts.lost = 1;
        return counts;
    }
    if (file->length + length + 1 > LINE_FILE_BUFFER_SIZE)
        counts = line_file_flush(file);
    if (file->torn)
        file->buffer[file->length++] = '\n';
    file->torn = false;
    memcpy(file->buffer + file->length, line, length);
    file->length += length;
    file->lines++;
    return counts;
}
