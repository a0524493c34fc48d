/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * commands.h - what can be asked over the control socket. */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include "control/socket.h"

/* A control_answer; `context` is the struct control. */
const char *commands_answer(void *context, const char *command, const json_t *arguments,
                            struct jsonw *data);

#endif
