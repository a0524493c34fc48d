/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * stored.h - `interceptctl flows FILTER`: what the store has; and how it is found. */
#ifndef CTL_STORED_H
#define CTL_STORED_H

#include "ctl/options.h"
#include "event/store_reader.h"
#include "policy/filter.h"

/* Opens the store that was given with --store, or that the daemon writes. On failure the reason has
 * been told. */
enum status stored_open(const struct options *options, struct store_reader **reader) must_check;

/* Tells what has failed while it was read; STATUS_DONE if nothing has. */
enum status stored_finish(const struct store_reader *reader) must_check;

/* NULL after the fault has been told. */
struct filter *stored_filter(const char *text) must_check;

/* Prints what the filter holds for, the youngest first: a line an event, with its id in front; with
 * --json an array of the events, each with its id as `store_id`. */
enum status stored_flows(const struct options *options, const char *filter) must_check;

#endif
