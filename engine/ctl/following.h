/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * following.h - `interceptctl flows --follow`: what happens to connections, as it happens. */
#ifndef CTL_FOLLOWING_H
#define CTL_FOLLOWING_H

#include "ctl/options.h"

/* Prints a line an event, until the daemon ends or the reader does: decisions, handshakes, ends and
 * changes, as far as the filter (filter.h; "" is everything) holds for them. With --json the lines
 * of the records as they are. */
enum status following(const struct options *options, const char *filter) must_check;

#endif
