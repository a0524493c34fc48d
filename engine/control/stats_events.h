/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * stats_events.h - now and then a record of how the engine is. The control thread's. */
#ifndef CONTROL_STATS_EVENTS_H
#define CONTROL_STATS_EVENTS_H

#include "control/control.h"

/* To be called once, and after each change of the policy: they come at its interval from now on. */
void stats_events_start(struct control *control);

#endif
