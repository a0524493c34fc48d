/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * explaining.h - `interceptctl explain`: by a configuration file, or by the running daemon. */
#ifndef CTL_EXPLAINING_H
#define CTL_EXPLAINING_H

#include "ctl/client.h"

#include <stdbool.h>

/* Explains each target; "-" stands for the lines of standard input. `config` NULL: asks the daemon.
 */
enum status explaining(const struct client *client, const char *config, bool json, int count,
                       char **targets) must_check;

#endif
