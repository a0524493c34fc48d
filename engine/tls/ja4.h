/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ja4.h - the JA4 fingerprint of a TLS client (FoxIO's JA4 specification; this part is BSD-3). */
#ifndef TLS_JA4_H
#define TLS_JA4_H

#include "tls/hello.h"

#define JA4_SIZE 37 /* "t13d1516h2_8daaf6152771_e5627efa2ab1" and a NUL */

void ja4_fingerprint(const struct hello *hello, char text[static JA4_SIZE]);

#endif
