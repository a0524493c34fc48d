/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * flows.h - what goes round all threads that have connections: to list them, and to cut those that
 * the policy decides otherwise by now.
 *
 * Each thread does its share in its own time, one after another; nobody waits. The answer comes
 * through the mailbox, in the thread that it belongs to. The engine must not be stopped before. */
#ifndef CONTROL_FLOWS_H
#define CONTROL_FLOWS_H

#include "control/engine.h"

#define FLOWS_LIMIT 1000          /* that are listed, unless somebody asks for another number; */
#define FLOWS_HIGHEST_LIMIT 10000 /* at most */

/* Lists the connections that are open: those of the workers, and those that pass in the kernel; the
 * `limit` youngest at most. `done` takes the list over. */
void engine_flows(struct engine *engine, size_t limit, struct mailbox *mailbox,
                  void (*done)(void *context, struct flow_list *list), void *context);

/* Connections that were cut. */
struct flow_cuts {
    uint64_t intercepted; /* and would pass now */
    uint64_t passed;      /* through a worker, and would be intercepted now */
    uint64_t ignored;     /* likewise, in the kernel */
};

/* Ends every connection that the policy in force would decide otherwise; after engine_apply() it is
 * the new one. */
void engine_cut(struct engine *engine, struct mailbox *mailbox,
                void (*done)(void *context, const struct flow_cuts *cuts), void *context);

#endif
