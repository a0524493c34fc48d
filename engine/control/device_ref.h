/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * device_ref.h - which device an operator means, by the name of its section or what it is called,
 * by its MAC or IP address, or by its network. */
#ifndef CONTROL_DEVICE_REF_H
#define CONTROL_DEVICE_REF_H

#include "policy/amend.h"
#include "policy/policy.h"

/* The name under which edits know it. False if nobody is called so, and it is no address: then
 * `name` is the text itself, cut. */
bool device_ref_find(const struct policy *policy, const char *text,
                     char name[static SECTION_NAME_SIZE]) must_check;

#endif
