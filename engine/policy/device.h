/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * device.h - the [device NAME] sections: which one a flow falls under, and what the kernel has to
 * know of them. */
#ifndef POLICY_DEVICE_H
#define POLICY_DEVICE_H

#include "gate/exclusions.h"
#include "policy/config.h"

/* The first section of the file, in the order of the file, that names the device's MAC address, its
 * IP address or network, or its interface; NULL if none does. `index` is the section's place. */
const struct device_config *device_find(const struct config *config, const struct flow *flow,
                                        size_t *index);

/* The sections that were made at run time: they go before those of the file, and what one leaves
 * open is for the next one to say. The first that is meant, or behind `device` the next one; NULL
 * if there is none. `index` goes along: it starts as 0. */
const struct device_config *device_next_overlay(const struct config *config,
                                                const struct device_config *device,
                                                const struct flow *flow, size_t *index);

/* False if the device is excluded from all interception. */
bool device_is_intercepted(const struct config *config, const struct flow *flow);

/* What becomes of this flow's QUIC to what is intercepted: what its device's section says, or what
 * holds for all. */
enum quic device_quic(const struct config *config, const struct flow *flow);

/* What the operator calls the device: the name of the first section that is for this one alone, by
 * its MAC address or by one IP address; NULL if there is none. */
const char *device_name(const struct config *config, const struct flow *flow);

/* Which devices never reach us, for the kernel; to be freed by the caller. */
struct exclusions *device_exclusions(const struct config *config) must_check;

#endif
