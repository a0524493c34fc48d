/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * importing.h - `interceptctl import`: mitmproxy's configuration as a list of patterns. */
#ifndef CTL_IMPORTING_H
#define CTL_IMPORTING_H

#include "ctl/client.h"

/* Prints the patterns that a config.yaml of mitmproxy's has under `key` ("ignore_hosts",
 * "allow_hosts"), in the form that `file =` reads. On failure the reason has been told on standard
 * error. */
enum status importing(const char *path, const char *key) must_check;

#endif
