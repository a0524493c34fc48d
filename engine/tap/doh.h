/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * doh.h - tells the DNS messages in an HTTP exchange: DNS over HTTPS (RFC 8484).
 *
 * Pure functions of untrusted bytes. What is no DNS message, whatever its type says, is not told:
 * the exchange is. */
#ifndef TAP_DOH_H
#define TAP_DOH_H

#include "tap/tap.h"

/* True of the one type that RFC 8484 defines, with or without parameters. */
bool doh_is(struct text content_type);

/* Where the messages are. Of a text that is not known there is none. */
struct doh {
    struct tap *tap;
    unsigned version; /* of HTTP, as in struct http_exchange */
    uint64_t number;  /* of the exchange */
    uint32_t stream;
    struct text url;                      /* of GET: there is a query in "?dns=" */
    struct text query, answer;            /* bodies, or their starts; */
    uint64_t query_length, answer_length; /* theirs */
    bool has_wait;
    uint64_t wait; /* ms from query to answer */
};

void doh_tell(const struct doh *doh);

#endif
