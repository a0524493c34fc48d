/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * arguments.h - what a request says beside its command. Everything is borrowed from the request. */
#ifndef CONTROL_ARGUMENTS_H
#define CONTROL_ARGUMENTS_H

#include "control/socket.h"
#include "policy/edits.h"

/* The longest pattern and note that are taken at run time: they go into records, which have a limit
 * of their own. */
#define PATTERN_LIMIT 8192
#define NOTE_LIMIT 200

/* NULL if it is not there, or no text. */
const char *argument_text(const struct control_request *request, const char *key);
bool argument_flag(const struct control_request *request, const char *key);

/* What every edit may be told. */
struct edit_options {
    const char *note; /* NULL: none */
    uint32_t seconds; /* that it lives; 0: it lasts */
    bool persist;
};

/* NULL, or what is wrong with them. */
const char *argument_options(const struct control_request *request, struct edit_options *options);

/* An edit of a subject with these options, made now by whoever asks. */
struct edit edit_with(const struct edit_subject *subject, const struct edit_options *options,
                      const struct control_peer *peer);

/* NULL, or why the text is no pattern that could stand in a file, on a line of its own. */
const char *argument_pattern_fault(const char *pattern);

#endif
