/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * file.h - whole files, read and written in one go. */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include "core/macros.h"

#include <stdbool.h>
#include <sys/types.h>

/* No file we read is larger: 64 MiB. */
#define FILE_SIZE_LIMIT ((size_t)64 << 20)

/* The content, with a NUL behind, to be freed by the caller; NULL with errno. */
char *file_read(const char *path, size_t *length) must_check;

/* The same, but only a regular file of root's or of our own, and through no link: what somebody
 * else has put in its place is refused with EPERM. */
char *file_read_own(const char *path, size_t *length) must_check;

/* Replaces the file's content or leaves it as it was: a new file with this mode is written beside
 * it, made durable, and renamed. False with errno. */
bool file_replace(const char *path, const void *content, size_t length, mode_t mode) must_check;

/* The same, but never over a file that is there: then false with EEXIST. */
bool file_create(const char *path, const void *content, size_t length, mode_t mode) must_check;

/* Makes the directory that `path` lies in, and those above it. Mode as mkdir(2). */
bool file_make_parents(const char *path, mode_t mode) must_check;

#endif
