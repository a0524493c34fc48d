/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * capture_files.h - the files that packets are written to: those that run, and of those that have
 * ended by themselves what became of them. The capturing thread's. */
#ifndef EVENT_CAPTURE_FILES_H
#define EVENT_CAPTURE_FILES_H

#include "event/capture_file.h"

#define CAPTURE_FILES_LIMIT 8

struct capture_files {
    struct packet_sinks *sinks; /* borrowed */
    struct capture_file *items[CAPTURE_FILES_LIMIT];
};

/* Begins a file; the options' filter goes over. NULL, or why not, as a sentence's end, perhaps in
 * `text`. */
#define CAPTURE_FAULT_SIZE 256
const char *capture_files_add(struct capture_files *files,
                              const struct capture_file_options *options,
                              char text[static CAPTURE_FAULT_SIZE]);

/* With NULL: any at all. */
bool capture_files_has(const struct capture_files *files, const char *name);

/* Ends and forgets the file with this name, or with NULL all of them, and tells of each: in an
 * array that is open; `json` may be NULL. `why` is static. */
void capture_files_end(struct capture_files *files, const char *name, const char *why,
                       struct jsonw *json);

/* Tells of all of them, in an array that is open. */
void capture_files_write(const struct capture_files *files, struct jsonw *json);

#endif
