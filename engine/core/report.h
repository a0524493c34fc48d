/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * report.h - everything that is wrong with an input, collected, so that it is all told at once.
 *
 * All-zero is a valid, empty report. One thread at a time. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/arena.h"

#include <stdbool.h>
#include <sys/queue.h>

struct report_line {
    STAILQ_ENTRY(report_line) link;
    char *text;       /* "file:line:column: what is wrong" */
    const char *what; /* the same without the place */
    unsigned column;  /* 0: not known */
};

struct report {
    struct arena arena;
    STAILQ_HEAD(report_lines, report_line) lines;
    size_t errors;
};

/* Where in an input something stands. Lines and columns count from 1; 0 is "not known". */
struct place {
    const char *file; /* or "--ignore" for the command line, or what else it comes from */
    unsigned line;
};

/* "file:line", or "file" where there is no line. Returns `text`. */
#define PLACE_TEXT_SIZE 512
const char *place_text(const struct place *place, char text[static PLACE_TEXT_SIZE]);

void report_error(struct report *report, struct place place, unsigned column, const char *format,
                  ...) printf_like(4, 5);

/* Sends every line to the log, as errors. */
void report_log(const struct report *report);

void report_fini(struct report *report);

#endif
