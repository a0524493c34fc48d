/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * library.h - the library context of OpenSSL that handshakes take place in.
 *
 * Whenever OpenSSL before 3.2 reads a certificate, it asks each decoder that it has, some seventy,
 * whether it could read the public key; that is a tenth of what both handshakes take. In this
 * context there is all that OpenSSL's own provider has, but of its decoders and kinds of keys only
 * those that a handshake may need. */
#ifndef TLS_LIBRARY_H
#define TLS_LIBRARY_H

#include <openssl/types.h>

/* The same each time, and never freed. NULL, OpenSSL's own, where there is nothing to be gained, or
 * no memory. Any thread. */
OSSL_LIB_CTX *library_context(void);

#endif
