/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * redact.h - takes credentials out of what is told of HTTP. Pure functions of untrusted bytes. */
#ifndef TAP_REDACT_H
#define TAP_REDACT_H

#include "core/text.h"

/* What stands where a credential stood. */
#define REDACTED "(redacted)"

/* True if there are credentials in the URL: a user's name and password in front of the host, or
 * parameters that are known for it (access_token, password, …) in its query or fragment. */
bool redact_finds(struct text url);

/* Writes the URL without them to `out`. Returns its length, `size` at most. */
size_t redact_url(struct text url, char *out, size_t size);

#endif
