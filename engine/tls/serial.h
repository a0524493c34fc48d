/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * serial.h - serial numbers of certificates. */
#ifndef TLS_SERIAL_H
#define TLS_SERIAL_H

#include <openssl/x509.h>
#include <stdbool.h>

/* 126 random bits, positive and not 0: never the same twice, also over restarts (RFC 5280, 4.1.2.2;
 * CA/Browser Forum: at least 64 bits). False if there is no randomness or memory. */
bool serial_set_random(X509 *certificate);

#endif
