/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * detect.h - which protocol is spoken: by what was agreed on, by its first bytes, by the port. Pure
 * functions of untrusted bytes. */
#ifndef TAP_DETECT_H
#define TAP_DETECT_H

#include "core/text.h"

/* The name that Suricata gives the protocol (`app_proto`), or "failed" if it is none that is known.
 * `to_server` says who sent the bytes; they need not be all. */
const char *detect_protocol(const uint8_t *bytes, size_t length, bool to_server);

/* By the name that was agreed on in TLS (ALPN, RFC 7301); NULL if that tells nothing. */
const char *detect_by_alpn(struct text alpn);

/* By the server's port, for TLS that nothing else tells about; NULL if that tells nothing either.
 */
const char *detect_by_port(uint16_t port);

#endif
