/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * har_cookies.h - the cookies of a request and its response (RFC 6265), as HAR has them. What was
 * redacted is none. Pure functions; the arrays are the caller's. */
#ifndef CTL_HAR_COOKIES_H
#define CTL_HAR_COOKIES_H

#include "core/macros.h"

#include <jansson.h>

/* Of all Cookie headers; and of all Set-Cookie headers, with their attributes. */
json_t *har_cookies_sent(const json_t *event) must_check;
json_t *har_cookies_set(const json_t *event) must_check;

#endif
