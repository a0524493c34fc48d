/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * show.h - the daemon's answers, for people. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>

void show_json(const json_t *data);
void show_status(const json_t *data);
void show_ignored(const json_t *data);
void show_devices(const json_t *data);
void show_flows(const json_t *data);
void show_cuts(const json_t *data);
void show_explanations(const json_t *data);

#endif
