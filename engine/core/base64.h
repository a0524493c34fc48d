/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * base64.h - reads what jsonw_base64() writes (RFC 4648, section 4). A pure function. */
#ifndef CORE_BASE64_H
#define CORE_BASE64_H

#include "core/macros.h"

/* The bytes, to be freed by the caller, and a NUL behind them; NULL if it is no base64. */
char *base64_decode(const char *text, size_t length, size_t *size) must_check;

#endif
