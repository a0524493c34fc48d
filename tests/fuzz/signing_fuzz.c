/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A request to the signer, whose certificate is the input; every input is also tried as the whole
 * request. Whatever it signs must be a leaf. */
#include "fuzz.h"
#include "tls/signing.h"

#include <string.h>

#define HEADER_SIZE (4 + SIGNING_DIGEST_SIZE)

static uint8_t request[SIGNING_MESSAGE_LIMIT], answer[SIGNING_MESSAGE_LIMIT];

/* On P-256: RSA would take most of the time. */
static const struct authority *any_authority(void)
{
    static struct authority authority;
    if (authority.issuer.key == NULL) {
        must_hold(issuer_make(&authority.issuer, EVP_EC_gen("P-256"), "fuzz", NULL));
        must_hold(issuer_prepare(&authority.issuer));
    }
    return &authority;
}

static void check_leaf(const struct signing_answer *given)
{
    const unsigned char *at = given->content;
    X509 *leaf = d2i_X509(NULL, &at, (long)given->length);
    must_hold(leaf != NULL && at == given->content + given->length);
    must_hold(X509_check_ca(leaf) == 0);
    must_hold((X509_get_key_usage(leaf) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) == 0);
    must_hold(X509_get_extended_key_usage(leaf) == XKU_SSL_SERVER);
    must_hold(X509_verify(leaf, any_authority()->issuer.key) == 1);
    X509_free(leaf);
}

static void ask(size_t length)
{
    struct signing signing;
    struct signing_answer given;
    must_hold(signing_init(&signing, any_authority(), NULL));
    memcpy(request + 4, signing.digest, SIGNING_DIGEST_SIZE);
    size_t size = signing_answer(&signing, 0, request, length, answer);
    must_hold(size <= sizeof(answer) && (size > 0) == (length >= HEADER_SIZE));
    if (size > 0)
        must_hold(signing_read_answer(&given, answer, size));
    if (size > 0 && given.status == SIGNING_DONE)
        check_leaf(&given);
    signing_fini(&signing);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct signing_answer given;
    if (length > sizeof(request) - HEADER_SIZE)
        return 0;
    memcpy(request + HEADER_SIZE, bytes, length);
    ask(HEADER_SIZE + length);
    memcpy(request, bytes, length);
    ask(length);
    (void)signing_read_answer(&given, bytes, length);
    return 0;
}
