/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * log_capture.h - what the calling thread logs, as text that a test can look at. */
#ifndef TESTS_CORE_LOG_CAPTURE_H
#define TESTS_CORE_LOG_CAPTURE_H

#include "core/log.h"

#include <string.h>

struct log_capture {
    char text[8192]; /* all lines, one after the other */
    size_t length, lines;
};

static inline void log_capture_line(void *context, const char *line, size_t length)
{
    struct log_capture *capture = context;
    CHECK(capture->length + length < sizeof(capture->text));
    memcpy(capture->text + capture->length, line, length);
    capture->length += length;
    capture->text[capture->length] = '\0';
    capture->lines++;
}

/* From here on; ended by log_redirect(NULL, NULL). */
static inline void log_capture_start(struct log_capture *capture)
{
    *capture = (struct log_capture){.length = 0};
    log_redirect(log_capture_line, capture);
}

#endif
