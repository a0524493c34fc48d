/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * event.h - what is in an event: in a line of the records, as an object.
 *
 * Pure functions. An event may be anything: what is not there, or no text, is not known. */
#ifndef POLICY_EVENT_H
#define POLICY_EVENT_H

#include "core/text.h"

#include <jansson.h>

/* The value under the keys of nested objects, as in "tls.sni"; NULL if there is none. */
const json_t *event_value(const json_t *event, const char *path);

/* A text: its `at` is NULL if there is none, and there is a NUL behind it. */
struct text event_text(const json_t *event, const char *path);

#endif
