/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * findings.h - what was learned of pinned apps, and the operator's word on it.
 *
 *   learned
 *   learned.forget  {"id": 7} or {"all": true}
 *   learned.keep    {"id": 7} */
#ifndef CONTROL_FINDINGS_H
#define CONTROL_FINDINGS_H

#include "control/control.h"

void findings_list(struct control *control, struct control_request *request);

/* Answered when the kernel has forgotten it, too. */
void findings_forget(struct control *control, struct control_request *request);

void findings_keep(struct control *control, struct control_request *request);

#endif
