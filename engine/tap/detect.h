/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * detect.h - which protocol is spoken, by its first bytes. A pure function of untrusted bytes. */
#ifndef TAP_DETECT_H
#define TAP_DETECT_H

#include "core/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* The name that Suricata gives the protocol (`app_proto`), or "failed" if it is none that is known.
 * `to_server` says who sent the bytes; they need not be all. */
const char *detect_protocol(const uint8_t *bytes, size_t length, bool to_server);

#endif
