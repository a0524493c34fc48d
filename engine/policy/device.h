/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * device.h - whose [device NAME] section a flow falls under. */
#ifndef POLICY_DEVICE_H
#define POLICY_DEVICE_H

#include "policy/config.h"

/* The first section, in the order of the file, that names the device's MAC address, its IP address
 * or network, or its interface; NULL if none does. `index` is the section's place. */
const struct device_config *device_find(const struct config *config, const struct flow *flow,
                                        size_t *index);

/* What becomes of this device's QUIC to what is intercepted: what its section says (NULL: it has
 * none), or what holds for all. */
enum quic device_quic(const struct config *config, const struct device_config *device);

#endif
