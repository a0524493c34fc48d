/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tickets.h - what devices resume their sessions by: stateless tickets (RFC 5077; RFC 8446, section
 * 4.6.1).
 *
 * Their keys are in memory only. Each worker derives them for itself from a secret that all of them
 * were given, so a ticket of one is good for another, and nobody locks. A key serves for half a
 * day, the next is derived from it and not the other way round, and it is accepted for another half
 * day before it is wiped. A new policy has a new secret. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include "core/address.h"

#include <openssl/ssl.h>
#include <stdbool.h>

#define TICKET_SECRET_SIZE 32
#define TICKET_KEY_TIME ((uint64_t)12 * 3600 * 1000) /* ms */

struct ticket_secret {
    unsigned char bytes[TICKET_SECRET_SIZE];
    uint64_t made; /* ms, of clock_ms() */
};

/* False if there is no randomness to be had. Any thread. */
bool ticket_secret_make(struct ticket_secret *secret) must_check;
void ticket_secret_wipe(struct ticket_secret *secret);

struct ticket_key {
    unsigned char name[16], cipher[32], mac[32];
};

/* A worker's keys. */
struct tickets {
    unsigned char chain[TICKET_SECRET_SIZE]; /* what the next key is derived from */
    uint64_t begun;                          /* of the current key's time, ms */
    struct ticket_key current, previous;
    bool has_previous;
};

/* Lets a server context give tickets. The keys must live as long as it does. False if there is no
 * memory. */
bool tickets_init(struct tickets *tickets, SSL_CTX *context,
                  const struct ticket_secret *secret) must_check;
void tickets_fini(struct tickets *tickets);

/* What a session is good for: a ticket that comes back where any of it is different leads to a full
 * handshake. */
struct ticket_scope {
    const struct address *device; /* but for its port */
    const struct address *origin;
    const char *name;  /* SNI, or NULL */
    const char *leaf;  /* fingerprint of the certificate that the device is shown */
    uint64_t revision; /* of the policy */
};

/* Before the handshake. */
bool tickets_bind(SSL *ssl, const struct ticket_scope *scope) must_check;

#endif
