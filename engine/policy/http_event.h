/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http_event.h - what an event says of HTTP: of a line of the records, as an object.
 *
 * Pure functions. An event may be anything: what is not there, or no text, is not known. */
#ifndef POLICY_HTTP_EVENT_H
#define POLICY_HTTP_EVENT_H

#include "policy/event.h"

enum http_side { HTTP_REQUEST, HTTP_RESPONSE };

/* The request's whole URL (RFC 9110, section 7.1), to be freed by the caller; NULL if the event is
 * about no request. Where no host was named it has the destination's address. */
char *http_event_url(const json_t *event) must_check;

/* "http" or "https". */
const char *http_event_scheme(const json_t *event);

/* Its headers, an array of objects with name and value; NULL if none are known. */
const json_t *http_event_headers(const json_t *event, enum http_side side);

/* The value of the last header of this name; or unknown. */
struct text http_event_header(const json_t *event, enum http_side side, const char *name);

/* A body as the event has it, in base64; or unknown. */
struct text http_event_coded_body(const json_t *event, enum http_side side);

/* A body that was kept. */
struct http_event_body {
    char *bytes; /* to be freed by the caller; there is a NUL behind them */
    size_t length;
    bool cut;     /* there was more */
    bool encoded; /* Content-Encoding is not undone */
};

/* False if it was not kept. */
bool http_event_body(const json_t *event, enum http_side side,
                     struct http_event_body *body) must_check;

#endif
