/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * device_edits.h - sections of devices at run time.
 *
 *   device.list  all sections, those made at run time first
 *   device.show  {"device": "cam"}
 *   device.set   {"device": "cam", "set": {"intercept": "no"}, "for": …, "note": …, "persist": …}
 *
 * A device without a section gets one by its MAC or IP address, or with `mac` or `address` set, by
 * any name. A value of "" is unset: the configuration holds again. */
#ifndef CONTROL_DEVICE_EDITS_H
#define CONTROL_DEVICE_EDITS_H

#include "control/control.h"

void device_edits_list(struct control *control, struct control_request *request);
void device_edits_show(struct control *control, struct control_request *request);
void device_edits_set(struct control *control, struct control_request *request);

#endif
