/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/digest.h"

#include <string.h>

void digest_init(struct digest *digest)
{
    digest->context = EVP_MD_CTX_new();
    digest->good =
        digest->context != NULL && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1;
}

void digest_bytes(struct digest *digest, const void *bytes, size_t length)
{
    uint64_t prefix = length;
    digest->good = digest->good &&
                   EVP_DigestUpdate(digest->context, &prefix, sizeof(prefix)) == 1 &&
                   (length == 0 || EVP_DigestUpdate(digest->context, bytes, length) == 1);
}

void digest_text(struct digest *digest, const char *text)
{
    if (text == NULL)
        digest_bytes(digest, NULL, 0);
    else
        digest_bytes(digest, text, strlen(text) + 1);
}

void digest_number(struct digest *digest, uint64_t number)
{
    digest_bytes(digest, &number, sizeof(number));
}

void digest_address(struct digest *digest, const struct address *address)
{
    digest_number(digest, address->family);
    digest_bytes(digest, &address->ip, address_ip_size(address));
    digest_number(digest, address->port);
}

void digest_certificate(struct digest *digest, const X509 *certificate)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (certificate != NULL && X509_digest(certificate, EVP_sha256(), hash, &length) != 1)
        digest->good = false;
    digest_bytes(digest, hash, length);
}

bool digest_final(struct digest *digest, unsigned char out[static DIGEST_SIZE])
{
    bool good = digest->good && EVP_DigestFinal_ex(digest->context, out, NULL) == 1;
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
    return good;
}
