/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * har_entry.h - one request and its response as an entry of HAR 1.2.
 *
 * http://www.softwareishard.com/blog/har-12-spec/ is the format. What only we know has an
 * underscore in front, as that asks for. Pure functions. */
#ifndef CTL_HAR_ENTRY_H
#define CTL_HAR_ENTRY_H

#include "core/macros.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The entry of an `http` event, which has this id in the store; the caller's. NULL if nothing was
 * asked: then there is none. */
json_t *har_entry_new(const json_t *event, int64_t id) must_check;

/* True if WebSocket was spoken after it. */
bool har_entry_is_websocket(const json_t *event);

/* The message of a `websocket` event, in the form that Chromium has for it; the caller's. */
json_t *har_entry_message(const json_t *event) must_check;

#endif
