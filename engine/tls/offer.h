/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * offer.h - what an origin is offered: of what the device has offered, in its order, as much as our
 * OpenSSL has and policy lets through. So an origin never finds us weaker than the device, and
 * what it chooses could have been chosen for the device, too.
 *
 * A device that speaks nothing newer than TLS 1.1 is translated: the origin gets our own offer. */
#ifndef TLS_OFFER_H
#define TLS_OFFER_H

#include "core/arena.h"
#include "tls/hello.h"

#include <openssl/ssl.h>

struct offer {
    int min_version, max_version; /* as OpenSSL numbers them */
    /* Names as OpenSSL has them, with colons between; NULL: its own choice. In an arena. */
    const char *ciphers; /* up to TLS 1.2 */
    const char *suites;  /* of TLS 1.3 */
    const char *groups;
};

/* `lowest` is the lowest version that may be offered, `context` has the ciphers that may. A pure
 * function of untrusted bytes. False if the two have nothing in common, or there is no memory. */
bool offer_make(struct offer *offer, const struct hello *hello, int lowest, const SSL_CTX *context,
                struct arena *arena) must_check;

/* Sets it on the SSL for the origin. False if there is no memory. */
bool offer_apply(const struct offer *offer, SSL *ssl) must_check;

#endif
