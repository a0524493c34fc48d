/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fingerprint.h - what a TLS client is known by: its ClientHello, hashed. Two ways are in use, and
 * tools ask for either. Of a server's ServerHello there is the same. */
#ifndef TLS_FINGERPRINT_H
#define TLS_FINGERPRINT_H

#include "core/macros.h"
#include "tls/hello.h"
#include "tls/server_hello.h"

/* "t13d1516h2_8daaf6152771_e5627efa2ab1": FoxIO's JA4 specification (this part of it is BSD-3). */
#define JA4_SIZE 37
void fingerprint_ja4(const struct hello *hello, char text[static JA4_SIZE]);

/* "ada70206e40642a3e4461f35503241d5": the MD5 of versions, ciphers, extensions, groups and point
 * formats in the order they came (salesforce/ja3). False if this OpenSSL refuses to compute MD5. */
#define JA3_SIZE 33
bool fingerprint_ja3(const struct hello *hello, char text[static JA3_SIZE]) must_check;

/* The same of what a server answers: version, cipher and extensions. It depends on what the client
 * has offered, too. */
bool fingerprint_ja3s(const struct server_hello *hello, char text[static JA3_SIZE]) must_check;

#endif
