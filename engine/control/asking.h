/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * asking.h - questions about what would happen.
 *
 *   explain    {"targets": ["192.0.2.1:443", …], "names": ["a.example"], "device": "cam"}
 *   LIST.test  the same: what one list alone says */
#ifndef CONTROL_ASKING_H
#define CONTROL_ASKING_H

#include "control/control.h"

void asking_explain(struct control *control, struct control_request *request);
void asking_test(struct control *control, struct control_request *request);

#endif
