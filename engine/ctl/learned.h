/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * learned.h - `interceptctl learned`: which apps are pinned, by what their devices have done. */
#ifndef CTL_LEARNED_H
#define CTL_LEARNED_H

#include "ctl/options.h"

/* `learned [list]`, `learned forget ID|all`, `learned keep ID`. */
enum status learned_command(const struct options *options, int count, char **arguments) must_check;

/* Why a destination passes, of a finding as the daemon tells it: "learned (device …)". */
void learned_print_reason(const json_t *finding);

#endif
