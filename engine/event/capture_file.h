/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * capture_file.h - one file of packets, in pcapng: a sink of limited size.
 *
 * A file that cannot be written any more, or has become as long as it may, is whole up to there.
 * The capturing thread's. */
#ifndef EVENT_CAPTURE_FILE_H
#define EVENT_CAPTURE_FILE_H

#include "core/jsonw.h"
#include "event/packet_sinks.h"

/* What is wanted of a file. Texts are copied. */
struct capture_file_options {
    const char *directory, *name;
    uint64_t limit; /* bytes */
    /* Which connections, as the operator says it; NULL: all. */
    const char *filter_text;
    /* True if it is one of them, by the event that tells of its beginning. */
    bool (*matches)(void *filter, const char *event, size_t length);
    void (*free_filter)(void *filter);
    void *filter; /* taken over, also on failure; NULL: all */
};

struct capture_file;

/* Makes the file, for its owner's eyes alone. NULL with errno: EEXIST if there is one. */
struct capture_file *capture_file_new(const struct capture_file_options *options) must_check;

/* Ends it, if it has not ended yet, and forgets about it. */
void capture_file_free(struct capture_file *file);

/* Writes what is to be written, and closes. `why` is static. Harmless if it has ended. */
void capture_file_end(struct capture_file *file, const char *why);

struct packet_sink *capture_file_sink(struct capture_file *file);
const char *capture_file_name(const struct capture_file *file);
bool capture_file_has_ended(const struct capture_file *file);

/* {"file": …, "state": …, …} */
void capture_file_write(const struct capture_file *file, struct jsonw *json);

#endif
