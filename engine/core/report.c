/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "core/report.h"

#include "core/log.h"

#include <stdarg.h>
#include <string.h>

const char *place_text(const struct place *place, char text[static PLACE_TEXT_SIZE])
{
    if (place->line == 0 || strcmp(place->file, "--ignore") == 0)
        snprintf(text, PLACE_TEXT_SIZE, "%s", place->file);
    else
        snprintf(text, PLACE_TEXT_SIZE, "%s:%u", place->file, place->line);
    return text;
}

void report_error(struct report *report, struct place place, unsigned column, const char *format,
                  ...)
{
    if (report->errors++ == 0)
        STAILQ_INIT(&report->lines);

    char where[512] = "";
    if (place.file != NULL && place.line > 0 && column > 0)
        snprintf(where, sizeof(where), "%s:%u:%u: ", place.file, place.line, column);
    else if (place.file != NULL && place.line > 0)
        snprintf(where, sizeof(where), "%s:%u: ", place.file, place.line);
    else if (place.file != NULL)
        snprintf(where, sizeof(where), "%s: ", place.file);

    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);

    size_t size = strlen(where) + strlen(what) + 1;
    struct report_line *line = arena_alloc(&report->arena, sizeof(*line));
    char *text = arena_alloc(&report->arena, size);
    if (line == NULL || text == NULL) {
        log_error("%s%s", where, what);
        return;
    }
    snprintf(text, size, "%s%s", where, what);
    line->text = text;
    line->what = text + strlen(where);
    line->column = column;
    STAILQ_INSERT_TAIL(&report->lines, line, link);
}

void report_log(const struct report *report)
{
    if (report->errors == 0)
        return;
    const struct report_line *line;
    STAILQ_FOREACH (line, &report->lines, link)
        log_error("%s", line->text);
}

void report_fini(struct report *report)
{
    arena_fini(&report->arena);
    report->errors = 0;
}
