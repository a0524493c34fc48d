/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * verified.h - chains that were found good, so that the next handshake with the same certificates
 * need not verify their signatures again.
 *
 * Nothing but what has no fault at all is kept, for some minutes, and never beyond the end of a
 * certificate of the chain. It is an answer to one question: these certificates, for this name or
 * address, by the rules of one context (verify.h), which owns the table. One worker's. */
#ifndef TLS_VERIFIED_H
#define TLS_VERIFIED_H

#include "core/macros.h"
#include "tls/digest.h"

#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <time.h>

#define VERIFIED_SLOTS 256
#define VERIFIED_SECONDS 300

/* Where two chains fall on one slot, the later one has it. */
struct verified {
    struct verified_slot {
        unsigned char key[DIGEST_SIZE];
        time_t from, until; /* by the calendar; 0, 0: empty */
    } slots[VERIFIED_SLOTS];
};

/* Of what is to be verified: what was sent, and whose it should be. False if there is no memory. */
bool verified_key(X509_STORE_CTX *store, unsigned char key[static DIGEST_SIZE]) must_check;

bool verified_has(const struct verified *verified, const unsigned char key[static DIGEST_SIZE],
                  time_t now);

/* Keeps that `chain`, as it was completed, is good now. */
void verified_keep(struct verified *verified, const unsigned char key[static DIGEST_SIZE],
                   STACK_OF(X509) * chain, time_t now);

#endif
