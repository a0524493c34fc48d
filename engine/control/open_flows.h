/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * open_flows.h - the connections that are open: to list them, and to cut those that are decided
 * otherwise by now.
 *
 *   flows  {"limit": 1000}
 *   cut */
#ifndef CONTROL_OPEN_FLOWS_H
#define CONTROL_OPEN_FLOWS_H

#include "control/control.h"
#include "control/flows.h"

void open_flows_list(struct control *control, struct control_request *request);
void open_flows_cut(struct control *control, struct control_request *request);

/* The members of "cut", an object in `data`. */
void open_flows_write_cuts(struct jsonw *data, const char *key, const struct flow_cuts *cuts);

#endif
