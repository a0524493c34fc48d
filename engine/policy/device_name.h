/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * device_name.h - names that devices give themselves, made fit to be shown. */
#ifndef POLICY_DEVICE_NAME_H
#define POLICY_DEVICE_NAME_H

#include "core/macros.h"

#include <stdbool.h>

/* As long as a label in DNS, and a NUL. */
#define DEVICE_NAME_SIZE 64

/* Letters, digits, '-', '_' and '.' stay as they are; a run of anything else becomes one '-', and
 * at the ends there is none of these. What is too long is cut. False if nothing is left. */
bool device_name_take(char name[static DEVICE_NAME_SIZE], const void *bytes,
                      size_t length) must_check;

#endif
