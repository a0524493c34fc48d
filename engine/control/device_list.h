/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * device_list.h - the devices that are there, and what is known of them, for the operator. */
#ifndef CONTROL_DEVICE_LIST_H
#define CONTROL_DEVICE_LIST_H

#include "control/control.h"

/* `devices`: those that we were asked about, and those that the kernel knows to be on the devices'
 * interfaces. The last seen comes first. */
void device_list_answer(struct control *control, struct control_request *request);

#endif
