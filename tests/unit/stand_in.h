/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * stand_in.h - a file in the place of standard error, and what was written to it. cmocka.h must be
 * included before. */
#ifndef TESTS_STAND_IN_H
#define TESTS_STAND_IN_H

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct stand_in {
    int fd, kept;
};

static inline void replace_stderr(struct stand_in *file)
{
    file->fd = memfd_create("stderr", MFD_CLOEXEC);
    file->kept = dup(STDERR_FILENO);
    assert_true(file->fd >= 0 && file->kept >= 0);
    /* Without this, a memfd's position is nobody's to lock. */
    assert_int_equal(fcntl(file->fd, F_SETFL, O_APPEND), 0);
    dup2(file->fd, STDERR_FILENO);
}

/* What was written, with a NUL behind. */
static inline void restore_stderr(struct stand_in *file, char *text, size_t size)
{
    dup2(file->kept, STDERR_FILENO);
    close(file->kept);
    ssize_t length = pread(file->fd, text, size - 1, 0);
    close(file->fd);
    assert_true(length >= 0);
    text[length] = '\0';
}

#endif
