/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * log.h - lines for the operator, on standard error.
 *
 * Any thread may log; a line is written at once, so lines never mix. Control characters in a line
 * are escaped here, once for everybody, because names from the wire end up in it. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/macros.h"

#include <stdbool.h>

/* In the order of what is shown: a level shows itself and all above it. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_VERBOSE };

/* Call before threads start, or again at any time: it is one atomic store. */
void log_set_level(enum log_level level);

enum log_level log_level(void);

/* "error", "warning", "info", "verbose". */
const char *log_level_name(enum log_level level);
bool log_level_find(const char *name, enum log_level *level);

/* True if a line of this level would be shown: for callers that would have to format first. */
bool log_shows(enum log_level level);

/* Where the calling thread's lines go from now on, instead of standard error: a thread that must
 * not wait for a terminal hands them to one that may. `line` ends with a newline. */
typedef void log_sink(void *context, const char *line, size_t length);
void log_redirect(log_sink *sink, void *context);

void log_error(const char *format, ...) printf_like(1, 2);
void log_warning(const char *format, ...) printf_like(1, 2);
void log_info(const char *format, ...) printf_like(1, 2);
void log_verbose(const char *format, ...) printf_like(1, 2);

#endif
