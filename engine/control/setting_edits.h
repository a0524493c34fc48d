/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * setting_edits.h - settings at run time.
 *
 *   get          {"key": "ignore.match"}, or all
 *   set          {"key": …, "value": …, "for": …, "note": …, "persist": …}
 *   unset        {"key": …}: as the configuration has it
 *   log-level    {"level": "verbose"}, or tells it; it is forgotten at the end */
#ifndef CONTROL_SETTING_EDITS_H
#define CONTROL_SETTING_EDITS_H

#include "control/control.h"

void setting_edits_get(struct control *control, struct control_request *request);
void setting_edits_set(struct control *control, struct control_request *request);
void setting_edits_unset(struct control *control, struct control_request *request);
void setting_edits_log_level(struct control *control, struct control_request *request);

#endif
