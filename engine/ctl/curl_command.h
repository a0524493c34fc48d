/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * curl_command.h - a request as a command of curl(1) that makes it again. Pure functions. */
#ifndef CTL_CURL_COMMAND_H
#define CTL_CURL_COMMAND_H

#include "core/macros.h"

#include <jansson.h>
#include <stdbool.h>

struct curl_command {
    char *text;        /* for a shell: the caller's, to be freed; NULL: the event is no request */
    bool redacted;     /* what was redacted is missing */
    bool headers_cut;  /* headers are missing, or parts of them */
    bool body_missing; /* the body, or a part of it */
};

/* Of an `http` event. What is in it is quoted: it can neither end the command nor steer a terminal.
 * Needs a shell that knows $'...' only where there are control characters in it. */
struct curl_command curl_command_make(const json_t *event) must_check;

#endif
