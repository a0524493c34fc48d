/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * editing.h - `interceptctl ignore edit`: a list of patterns in the operator's editor. */
#ifndef CTL_EDITING_H
#define CTL_EDITING_H

#include "ctl/options.h"

/* Writes the list to a file, a pattern a line, and has it edited; what is different then is applied
 * as one change, if nobody else has changed anything meanwhile. What is refused stays in the file,
 * which is told. */
enum status editing(const struct options *options, const char *list) must_check;

#endif
