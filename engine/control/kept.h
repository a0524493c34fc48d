/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kept.h - the file of edits that survive a restart: JSON, in the state directory.
 *
 *   {"version": 1, "edits": [
 *     {"list": "ignore", "pattern": "^a", "present": true, "device": "cam", "note": "…",
 *      "uid": 0, "made": 1700000000, "until": 1700003600},
 *     {"setting": "tls.upstream", "value": "verify", …}]}
 *
 * `made` and `until` are seconds since 1970; they are the only times here that outlive the machine.
 */
#ifndef CONTROL_KEPT_H
#define CONTROL_KEPT_H

#include "policy/edits.h"

/* What now is, on both clocks. */
struct kept_now {
    uint64_t monotonic; /* ms, as of clock_ms() */
    int64_t real;       /* s since 1970 */
};
struct kept_now kept_now(void);

/* Where the file is, by the state directory. Returns `path`. */
const char *kept_path(const char *state_directory, char *path, size_t size);

/* The edits that are to be kept, as text to be freed. */
char *kept_write(const struct edits *edits, const struct kept_now *now) must_check;

/* Adds the edits of the text that have not expired. False if it is none of ours: `*why` says what
 * is wrong, and nothing was added. */
bool kept_read(struct edits *edits, const char *text, size_t length, const struct kept_now *now,
               const char **why) must_check;

/* Replaces the file, or removes it where nothing is to be kept. False with errno. */
bool kept_save(const char *path, const struct edits *edits) must_check;

/* Reads it, if it is there. False after the reason was logged: then nothing was added. */
bool kept_load(const char *path, struct edits *edits);

#endif
