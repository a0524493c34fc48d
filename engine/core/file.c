/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_all(int fd, size_t *length)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return NULL;
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return NULL;
    }
    size_t capacity = status.st_size > 0 ? (size_t)status.st_size + 1 : 4096;
    size_t used = 0;
    char *content = NULL;
    for (;;) {
        if (capacity > FILE_SIZE_LIMIT) {
            errno = EFBIG;
            break;
        }
        char *larger = realloc(content, capacity + 1);
        if (larger == NULL)
            break;
        content = larger;
        ssize_t count = read(fd, content + used, capacity - used);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            break;
        if (count == 0) {
            content[used] = '\0';
            *length = used;
            return content;
        }
        used += (size_t)count;
        if (used == capacity)
            capacity *= 2;
    }
    free(content);
    return NULL;
}

char *file_read(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *content = read_all(fd, length);
    int error = errno;
    close(fd);
    errno = error;
    return content;
}

static bool is_own(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    errno = S_ISDIR(status.st_mode) ? EISDIR : EPERM;
    return S_ISREG(status.st_mode) && (status.st_uid == 0 || status.st_uid == geteuid());
}

char *file_read_own(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *content = is_own(fd) ? read_all(fd, length) : NULL;
    int error = errno;
    close(fd);
    errno = error;
    return content;
}

static bool write_all(int fd, const char *content, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, content, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        content += count;
        length -= (size_t)count;
    }
    return true;
}

/* Writes a new file under a name of its own; `publish` then gives it the name it is for. */
static bool write_then(const char *path, const void *content, size_t length, mode_t mode,
                       int (*publish)(const char *from, const char *to))
{
    char temporary[PATH_MAX];
    int size = snprintf(temporary, sizeof(temporary), "%s.new-%d", path, (int)getpid());
    if (size < 0 || (size_t)size >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return false;
    }
    /* Never open wider than asked, not even for a moment; O_EXCL never follows a link. */
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0600);
    if (fd < 0)
        return false;
    bool done = write_all(fd, content, length) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (done && publish(temporary, path) != 0) {
        error = errno;
        done = false;
    }
    (void)unlink(temporary);
    errno = error;
    return done;
}

bool file_replace(const char *path, const void *content, size_t length, mode_t mode)
{
    return write_then(path, content, length, mode, rename);
}

bool file_create(const char *path, const void *content, size_t length, mode_t mode)
{
    return write_then(path, content, length, mode, link);
}

bool file_make_parents(const char *path, mode_t mode)
{
    char directory[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof(directory)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(directory, path, length + 1);
    for (char *slash = strchr(directory + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(directory, mode) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return true;
}
