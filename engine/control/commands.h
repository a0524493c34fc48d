/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * commands.h - what can be asked over the control sockets. */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include "control/socket.h"

/* A control_answer; `context` is the struct control. */
void commands_answer(void *context, struct control_request *request);

#endif
