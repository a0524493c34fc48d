/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * signing.h - what is asked of the signer, and what it answers.
 *
 * A request is a number, chosen by who asks; the SHA-256 of the CA's certificate that is meant; and
 * the certificate to sign, as DER, with any signature. An answer is the request's number, a
 * status, and the signed certificate, or the reason why there is none. Both go in one message of a
 * SOCK_SEQPACKET socket; numbers are in network byte order. No one sees them but the two processes,
 * yet the signer believes nothing: whoever takes over the engine must not get more than leaves out
 * of it. */
#ifndef TLS_SIGNING_H
#define TLS_SIGNING_H

#include "core/bucket.h"
#include "tls/authority.h"

#include <stdint.h>

/* No message is longer. Certificates beyond 100 KB are refused by TLS stacks anyway. */
#define SIGNING_MESSAGE_LIMIT ((size_t)112 << 10)
#define SIGNING_DIGEST_SIZE 32

/* Total validity that devices take (F6 and F12 of the checklist: Chromium's 200 days). */
#define SIGNING_VALID_DAYS 200

/* Leaves a second, and at once after a pause: what a network asks for at most, when all of it comes
 * back at once; and all that whoever takes over the engine gets. */
#define SIGNING_RATE 1000
#define SIGNING_BURST 2000

enum signing_status {
    SIGNING_DONE,
    SIGNING_REFUSED, /* it is none that we sign */
    SIGNING_BUSY,    /* too many in too short a time: later, perhaps */
    SIGNING_FAILED,  /* no memory */
};

/* The signer's side; one thread. */
struct signing {
    const struct authority *authority;   /* borrowed */
    const NAME_CONSTRAINTS *constraints; /* beside those in the CA's certificate; may be NULL */
    NAME_CONSTRAINTS *own_constraints;   /* those */
    unsigned char digest[SIGNING_DIGEST_SIZE];
    struct bucket signed_leaves;
};

bool signing_init(struct signing *signing, const struct authority *authority,
                  const NAME_CONSTRAINTS *constraints) must_check;
void signing_fini(struct signing *signing);

/* Answers a request. The answer's length; 0 if it was too short to be one. `now` is in ms. */
size_t signing_answer(struct signing *signing, uint64_t now, const uint8_t *request, size_t length,
                      uint8_t answer[static SIGNING_MESSAGE_LIMIT]);

/* The asking side. The request's length; 0 if the certificate is too large. */
size_t signing_request(uint8_t request[static SIGNING_MESSAGE_LIMIT], uint32_t number,
                       const uint8_t digest[static SIGNING_DIGEST_SIZE], X509 *draft);

struct signing_answer {
    uint32_t number;
    enum signing_status status;
    const uint8_t *content; /* DER or text, within the message */
    size_t length;
};

/* False if it is no answer. */
bool signing_read_answer(struct signing_answer *answer, const uint8_t *message, size_t length);

#endif
