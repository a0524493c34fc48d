/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * capture.h - decrypted streams as packets: the thread that makes them, and writes them to files,
 * to clients of the live feed, and to an interface.
 *
 * Each worker gets a feed for the bytes that it relays (capture_feed.h). What is lost there shows
 * in the packets as a hole. */
#ifndef EVENT_CAPTURE_H
#define EVENT_CAPTURE_H

#include "event/capture_feed.h"
#include "event/capture_files.h"

struct capture;

struct capture_options {
    struct address live; /* where clients may connect; family 0: nowhere */
    const char *mirror;  /* an interface; NULL: none. Copied */
    int mirror_socket;   /* borrowed; -1: there is none */
};

/* Starts the thread. NULL after the reason was logged. */
struct capture *capture_start(const struct capture_options *options, size_t feed_limit) must_check;

/* Other options from now on; the socket stays as it was. What cannot be done is logged. Control
 * thread. */
void capture_configure(struct capture *capture, const struct capture_options *options);

/* Ends the thread and all files. The feeds are gone with it. If a disk does not answer within 5 s
 * it is left at that: to be called when the process is about to end. */
void capture_stop(struct capture *capture);

/* A feed for one thread. Never more than `feed_limit` of them. Control thread. */
struct capture_feed *capture_feed(struct capture *capture) must_check;

/* ---- the capturing thread, which others reach by capture_call() ---- */

/* Calls `function(capture, context)` there. Any thread. */
void capture_call(struct capture *capture, void (*function)(struct capture *capture, void *context),
                  void *context);

/* Begins a file, as capture_files_add() does. */
const char *capture_add_file(struct capture *capture, const struct capture_file_options *options,
                             char text[static CAPTURE_FAULT_SIZE]);

/* Ends the file with this name, or with NULL all of them, and tells of what it has ended: an array
 * of objects. False if there is none. */
bool capture_end_files(struct capture *capture, const char *name, struct jsonw *json);

/* Everything there is to be told: an object. */
void capture_write(const struct capture *capture, struct jsonw *json);

#endif
