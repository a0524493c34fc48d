/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * recorder.h - the thread that writes files and the store, so that nobody else waits for a disk.
 *
 * Each thread that has something to write gets a feed: a ring that it alone fills. What does not
 * fit is dropped and counted. An output that fails (a full disk) is paused, its lines are counted
 * as lost, and it is tried again; traffic never notices. */
#ifndef EVENT_RECORDER_H
#define EVENT_RECORDER_H

#include "core/counter.h"
#include "core/macros.h"
#include "event/line_file.h"
#include "event/store.h"

#include <stdbool.h>

enum output {
    OUTPUT_EVENTS, /* eve.json */
    OUTPUT_KEYLOG, /* TLS secrets: readable by the owner only */
    OUTPUT_LOG,    /* standard error */
};
#define OUTPUTS 3

/* Longer lines are lost. */
#define RECORDER_LINE_LIMIT LINE_FILE_BUFFER_SIZE

struct recorder;
struct recorder_feed;

/* Where lines go: NULL for an output that is not wanted. Copied. */
struct recorder_paths {
    const char *events, *keylog;
    struct line_rotation rotation; /* of events */
    struct store_settings store;   /* events go there, too */
};

struct recorder_counters {
    struct counter written; /* lines, of all outputs */
    struct counter lost;    /* lines that an output could not take */
};

/* Opens the files and starts the thread. NULL after the reason was logged. */
struct recorder *recorder_start(const struct recorder_paths *paths, size_t feed_limit) must_check;

/* Writes what is still there, ends the thread, closes the files. The feeds are gone with it. If the
 * disk does not answer within 5 s it is left at that, and the thread with what it holds: to be
 * called when the process is about to end. */
void recorder_stop(struct recorder *recorder);

/* Opens the files anew, under these names: after a rotation, or another configuration. Control
 * thread. */
void recorder_reopen(struct recorder *recorder, const struct recorder_paths *paths);

/* From now on the events are also put into a ring of limited size, whether there is a file for them
 * or not. Returns a descriptor that is readable when there are some, and stays the recorder's; -1
 * with errno. One thread follows, and stops to. */
int recorder_follow(struct recorder *recorder) must_check;
void recorder_unfollow(struct recorder *recorder);

/* The next line that was put there, with its end; valid until recorder_followed(). NULL if there is
 * none for now: then `*lost` is how many found no room since it was asked for. To be called until
 * it is NULL. */
const char *recorder_next(struct recorder *recorder, size_t *length, uint64_t *lost);
void recorder_followed(struct recorder *recorder);

/* A feed for one thread. Never more than `feed_limit` of them. Control thread. */
struct recorder_feed *recorder_feed(struct recorder *recorder) must_check;

/* True if somebody wants these lines: for callers that would have to format first. */
bool recorder_wants(const struct recorder_feed *feed, enum output output);

/* True if lines of so many bytes would not be dropped: for callers that can wait. The feed's thread
 * only. */
bool recorder_has_room(const struct recorder_feed *feed, size_t length);

/* Hands over one line, which ends with a newline. The feed's thread only; never waits. */
void recorder_put(struct recorder_feed *feed, enum output output, const char *line, size_t length);

/* Counts a line that could not even be made. The feed's thread only. */
void recorder_drop(struct recorder_feed *feed);

/* Lines that did not fit into the feeds' rings, or were never made. */
uint64_t recorder_dropped(const struct recorder *recorder);
const struct recorder_counters *recorder_counters(const struct recorder *recorder);
const struct store_counters *recorder_store_counters(const struct recorder *recorder);

/* True while an output takes nothing. Any thread. */
bool recorder_fails(const struct recorder *recorder, enum output output);

/* A log_sink: makes a feed's thread log through the recorder. `context` is the feed. */
void recorder_log_sink(void *feed, const char *line, size_t length);

/* Writes what was handed over before, and calls `pong(context)` from the recorder's thread: it is
 * alive. Any thread. */
void recorder_ping(struct recorder *recorder, void (*pong)(void *context), void *context);

#endif
