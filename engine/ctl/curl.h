/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * curl.h - `interceptctl curl`: a request of the store as a command that makes it again. */
#ifndef CTL_CURL_H
#define CTL_CURL_H

#include "ctl/options.h"

/* Prints the command for the request with this id; what is missing in it is told on standard error.
 */
enum status curl_print(const struct options *options, const char *id) must_check;

#endif
