/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * selfcheck.h - what can be seen to be wrong before anything is touched: one line for each. */
#ifndef CONTROL_SELFCHECK_H
#define CONTROL_SELFCHECK_H

#include "policy/config.h"

/* True if this process may change the network (CAP_NET_ADMIN). */
bool selfcheck_privilege(void);

/* Warns of what would spoil the result; false, after the reason was logged, if there is no point in
 * starting. */
bool selfcheck(void) must_check;

/* Makes sure that this is the only instance with this control socket: a lock beside it, held until
 * the process ends. False after the reason was logged. */
bool selfcheck_lock(const struct config *config) must_check;

#endif
