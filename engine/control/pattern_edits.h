/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pattern_edits.h - the lists of patterns at run time: ignore, allow, tcp.
 *
 *   LIST.list     {"device": "cam"}
 *   LIST.add      {"pattern": "^a", "device": …, "for": "1h", "note": "…", "persist": true}
 *   LIST.del      {"pattern": "^a"} or {"id": "3f9a2c1b"}, and the same
 *   LIST.replace  {"id": …, "pattern": …}: one comes in the place of another
 *   LIST.change   {"add": ["^a", …], "del": ["^b", …]}: several at once, or none
 *
 * Patterns of the configuration are not touched: one that is taken out is masked. */
#ifndef CONTROL_PATTERN_EDITS_H
#define CONTROL_PATTERN_EDITS_H

#include "control/control.h"

void pattern_edits_list(struct control *control, struct control_request *request);
void pattern_edits_add(struct control *control, struct control_request *request);
void pattern_edits_del(struct control *control, struct control_request *request);
void pattern_edits_replace(struct control *control, struct control_request *request);
void pattern_edits_change(struct control *control, struct control_request *request);

/* The list that a command is about: its first word. */
enum edit_list pattern_edits_list_of(const char *command);

#endif
