/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lists.h - `interceptctl ignore`, `allow` and `tcp`: the lists of patterns of the running daemon.
 */
#ifndef CTL_LISTS_H
#define CTL_LISTS_H

#include "ctl/options.h"

/* `name` is the list's; the arguments begin with what is to be done: list, add, del, edit, test. */
enum status lists_run(const struct options *options, const char *name, int count,
                      char **arguments) must_check;

#endif
