/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * settings.h - `interceptctl get`, `set`, `unset`, `device` and `log-level`: settings of the
 * running daemon. */
#ifndef CTL_SETTINGS_H
#define CTL_SETTINGS_H

#include "ctl/options.h"

enum status settings_get(const struct options *options, int count, char **arguments) must_check;
enum status settings_set(const struct options *options, int count, char **arguments) must_check;
enum status settings_unset(const struct options *options, int count, char **arguments) must_check;
enum status settings_device(const struct options *options, int count, char **arguments) must_check;
enum status settings_log_level(const struct options *options, int count,
                               char **arguments) must_check;

#endif
