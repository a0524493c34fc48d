/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * naming.h - finds out how devices are called, and who made them: from the leases of DHCP servers,
 * from what devices say by multicast DNS, and from the list of vendors.
 *
 * The files of leases are looked at every two seconds, and read when they have changed. The control
 * thread's. */
#ifndef CONTROL_NAMING_H
#define CONTROL_NAMING_H

#include "control/engine.h"
#include "core/loop.h"

struct naming;

/* Begins, by the engine's policy. NULL after the reason was logged. */
struct naming *naming_open(struct loop *loop, struct engine *engine) must_check;

/* The loop must not turn any more. */
void naming_close(struct naming *naming);

/* Goes by the engine's policy, which is another one now. */
void naming_reload(struct naming *naming);

#endif
