/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * completing.h - `interceptctl command-list`: what the daemon can be asked, for people and for
 * shells that complete words. */
#ifndef CTL_COMPLETING_H
#define CTL_COMPLETING_H

#include "ctl/options.h"

/* Without an argument a line a command, as it is typed: `ignore add PATTERN --for TIME`. With one,
 * what may stand for that word in capitals, a line each. */
enum status completing(const struct options *options, int count, char **arguments) must_check;

#endif
