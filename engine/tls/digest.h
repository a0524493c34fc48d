/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * digest.h - one SHA-256 over several values, each with its length, so that no two lists of values
 * are the same bytes. Errors are told at the end. */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include "core/address.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#define DIGEST_SIZE 32

struct digest {
    EVP_MD_CTX *context; /* from init to final */
    bool good;
};

void digest_init(struct digest *digest);
void digest_bytes(struct digest *digest, const void *bytes, size_t length);
void digest_text(struct digest *digest, const char *text); /* NULL is not "" */
void digest_number(struct digest *digest, uint64_t number);
void digest_address(struct digest *digest, const struct address *address);
void digest_certificate(struct digest *digest, const X509 *certificate); /* NULL is none */

/* False if anything has failed. */
bool digest_final(struct digest *digest, unsigned char out[static DIGEST_SIZE]) must_check;

#endif
