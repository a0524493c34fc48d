/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * amend.h - a configuration as edits at run time leave it: settings of their own, and devices that
 * have no section in the file. Patterns are not its matter (policy.h). */
#ifndef POLICY_AMEND_H
#define POLICY_AMEND_H

#include "policy/config.h"
#include "policy/edits.h"
#include "policy/schema.h"

/* What can be set at run time, for all and for a device; NULL-terminated. */
extern const char *const amend_settings[], *const amend_device_settings[];

/* The key of a setting, "section.key", whether it can be set at run time or not; NULL if there is
 * none. */
const struct schema_key *amend_key(const char *setting);

/* True if any edit is about more than patterns for all devices. */
bool amend_is_needed(const struct edits *edits);

/* A copy of the configuration, which is borrowed for the copy's life, with the edits in it; to be
 * freed with config_free(). NULL if a setting is bad: then why is in the report. */
struct config *amend_config(const struct config *config, const struct edits *edits,
                            struct report *report) must_check;

/* The section with this name in its title, of the file's or made at run time; NULL if there is
 * none.
 */
struct device_config *amend_section(const struct config *config, const char *name);

/* The name in its title, which is not what it is called if that was changed. Returns `name`. */
#define SECTION_NAME_SIZE 160
const char *amend_section_name(const struct device_config *device,
                               char name[static SECTION_NAME_SIZE]);

/* A device that is meant by its MAC or IP address, or by its network: fills in what it is known by.
 * False if the text is nothing of the kind. */
bool amend_identify(struct device_config *device, const char *text);

/* The one way to write what a device is known by: equal ones have equal texts. Returns `text`. */
#define KNOWN_BY_SIZE 80
const char *amend_device_text(const struct device_config *device, char text[static KNOWN_BY_SIZE]);

#endif
