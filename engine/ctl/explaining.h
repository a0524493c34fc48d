/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * explaining.h - `interceptctl explain`: by a configuration file, or by the running daemon. */
#ifndef CTL_EXPLAINING_H
#define CTL_EXPLAINING_H

#include "ctl/options.h"

/* Explains each target; "-" stands for the lines of standard input. Without a configuration among
 * the options the daemon is asked. */
enum status explaining(const struct options *options, int count, char **targets) must_check;

#endif
