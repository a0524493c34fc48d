/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * constraints.h - which names our CA may vouch for (RFC 5280, 4.2.1.10).
 *
 * Pure functions; the constraints are OpenSSL's, as they stand in a CA's certificate. */
#ifndef TLS_CONSTRAINTS_H
#define TLS_CONSTRAINTS_H

#include "core/macros.h"

#include <openssl/x509v3.h>
#include <stdbool.h>

/* Permits these domains and all names below them, and no other name; with a dot in front only what
 * is below. To be freed with NAME_CONSTRAINTS_free(). NULL, which permits all, if no domain is
 * given. */
NAME_CONSTRAINTS *constraints_new(const char *const *domains, size_t count) must_check;

/* True if a DNS name is within the constraints; NULL permits every name. */
bool constraints_permit(const NAME_CONSTRAINTS *constraints, const char *name, size_t length);

#endif
