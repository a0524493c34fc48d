/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * har.h - `interceptctl har`: the requests of the store as an HTTP Archive, for browsers' network
 * panels and other tools. */
#ifndef CTL_HAR_H
#define CTL_HAR_H

#include "ctl/options.h"

/* Prints HAR 1.2 with the requests that the filter holds for, in the order in which they ended, one
 * after another: however many there are, they take no memory. */
enum status har_print(const struct options *options, const char *filter) must_check;

#endif
