/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kernel_rules.h - destinations that the kernel lets pass by itself: `ignored`, `ignored.flush`. */
#ifndef CONTROL_KERNEL_RULES_H
#define CONTROL_KERNEL_RULES_H

#include "control/control.h"

void kernel_rules_list(struct control *control, struct control_request *request);

/* Forgets them all: each is decided anew. Answered when they are gone. */
void kernel_rules_flush(struct control *control, struct control_request *request);

#endif
