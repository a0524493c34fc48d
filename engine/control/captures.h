/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * captures.h - packets of what was decrypted, as the operator asks for them: files that are begun
 * and ended at run time, and what the configuration says. The control thread's. */
#ifndef CONTROL_CAPTURES_H
#define CONTROL_CAPTURES_H

#include "control/control.h"
#include "event/capture.h"

/* Starts the capturing thread, by the configuration; and has it do as another one says. False after
 * the reason was logged. */
bool captures_open(struct engine *engine, const struct config *config) must_check;
void captures_configure(struct engine *engine, const struct config *config);

/* The socket for [capture] mirror, while there is the right to open it: in *fd, or -1 where none is
 * wanted. False after the reason was logged. */
bool captures_open_mirror(const struct config *config, int *fd) must_check;

/* Commands: what is captured; a file begins; a file, or all of them, end. */
void captures_list(struct control *control, struct control_request *request);
void captures_start(struct control *control, struct control_request *request);
void captures_stop(struct control *control, struct control_request *request);

#endif
