/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * filter.h - mitmproxy's filter expressions, for our events.
 *
 *   ~d REGEX    host name           ~u REGEX    URL
 *   ~dst REGEX  destination         ~m REGEX    HTTP method
 *   ~src REGEX  source              ~t REGEX    content type
 *   ~dev REGEX  device              ~h REGEX    a header, "name: value"
 *   ~c CODE     HTTP status         ~b REGEX    a body, or a message
 *   ~q  without a response, ~s  with one, ~e  that has failed, ~http, ~websocket, ~all
 *
 * With a q behind, ~t, ~h and ~b are about the request, or what goes to the server; with an s,
 * about the response.
 *
 * A regular expression by itself is looked for in the URL, or where there is none in the host. `!`,
 * `&`, `|` and parentheses as usual; what stands side by side has to hold all. A regular expression
 * is Python's, found anywhere, whatever the case; it ends at a blank, a parenthesis, a tilde or a
 * quote, or is quoted. Pure functions. */
#ifndef POLICY_FILTER_H
#define POLICY_FILTER_H

#include "core/macros.h"

#include <jansson.h>
#include <stdbool.h>

struct filter;

/* What is wrong with an expression. */
struct filter_fault {
    unsigned column; /* from 1 */
    char what[160];
};

/* NULL, with the fault, if it is none. An empty one is found in everything. */
struct filter *filter_new(const char *text, struct filter_fault *fault) must_check;
void filter_free(struct filter *filter);

/* True if it holds for the event: one line of the records, as an object. */
bool filter_matches(const struct filter *filter, const json_t *event);

/* The first operator in it that is about what is known only once something was said inside a
 * connection, without its tilde; NULL if it can be told when the connection begins. */
const char *filter_asks_later(const struct filter *filter);

#endif
