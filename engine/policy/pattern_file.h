/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pattern_file.h - lists of patterns: a pattern a line, blank lines and # comments between. */
#ifndef POLICY_PATTERN_FILE_H
#define POLICY_PATTERN_FILE_H

#include "policy/config.h"

/* Appends one pattern; text and place are borrowed for as long as the list lives. False if there is
 * no memory. */
bool pattern_list_add(struct pattern_list *list, struct arena *arena,
                      struct pattern_source source) must_check;

/* Appends the patterns in `text`, copied into the arena. Blanks around a pattern do not belong to
 * it. What is wrong goes into the report. */
void pattern_file_parse(struct pattern_list *list, struct arena *arena, const char *text,
                        size_t length, const char *name, struct report *report);

/* The same from a file. False with errno if it cannot be read. */
bool pattern_file_load(struct pattern_list *list, struct arena *arena, const char *path,
                       struct report *report) must_check;

#endif
