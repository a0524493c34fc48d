/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dns_tap.h - reads DNS over TLS (RFC 7858), and tells each query and each answer.
 *
 * Memory: in each direction the message that is read, up to DNS_MESSAGE_LIMIT; and the numbers of
 * the last DNS_QUERIES queries, so that an answer is told with the number of its query. */
#ifndef TAP_DNS_TAP_H
#define TAP_DNS_TAP_H

#include "tap/tap.h"

#define DNS_QUERIES 64

extern const struct tap_kind dns_tap;

#endif
