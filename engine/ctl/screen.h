/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * screen.h - interceptctl on a terminal, without a command: the connections as they come and go,
 * and the rules, to be changed where they are seen. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include "ctl/client.h"

/* Runs until the operator leaves. */
enum status screen_run(const struct client *client) must_check;

#endif
