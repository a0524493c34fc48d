/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * event_line.h - one event of the records as a line for people. */
#ifndef CTL_EVENT_LINE_H
#define CTL_EVENT_LINE_H

#include <jansson.h>
#include <stdbool.h>

/* True if there is a line for it: what is told of TLS by itself, and of us, is for programs.
 */
bool event_line_is_shown(const json_t *event);

/* Prints it, with the newline. In front is what is printed by the caller. */
void event_line_print(const json_t *event);

#endif
