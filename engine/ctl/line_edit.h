/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * line_edit.h - a line of text that is being typed, in UTF-8.
 *
 * All-zero is an empty line. Pure functions of the line; whoever owns it, calls. */
#ifndef CTL_LINE_EDIT_H
#define CTL_LINE_EDIT_H

#include "core/macros.h"

#include <stdbool.h>

/* Bytes, with the NUL: as long as a pattern can be. */
#define LINE_EDIT_SIZE 4096

struct line_edit {
    char text[LINE_EDIT_SIZE];
    size_t length, cursor; /* in bytes; the cursor never stands within a character */
};

void line_edit_set(struct line_edit *line, const char *text);

/* One byte of what is typed. Control characters are not taken; nor is what does not fit. */
void line_edit_put(struct line_edit *line, char byte);

void line_edit_left(struct line_edit *line);
void line_edit_right(struct line_edit *line);
void line_edit_start(struct line_edit *line);
void line_edit_end(struct line_edit *line);
void line_edit_backspace(struct line_edit *line);
void line_edit_delete(struct line_edit *line);
void line_edit_clear_to_start(struct line_edit *line);

/* Where the part begins that fits into `width` columns with the cursor in it. A character counts as
 * one column. `column` is then the cursor's. */
const char *line_edit_view(const struct line_edit *line, size_t width, size_t *column);

#endif
