/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/verified.h"

#include "tls/certificate.h"

#include <openssl/x509v3.h>
#include <string.h>

bool verified_key(X509_STORE_CTX *store, unsigned char key[static DIGEST_SIZE])
{
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(store);
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    char *address = X509_VERIFY_PARAM_get1_ip_asc(parameters);
    struct digest digest;
    digest_init(&digest);
    digest_text(&digest, X509_VERIFY_PARAM_get0_host(parameters, 0));
    digest_text(&digest, address);
    digest_certificate(&digest, X509_STORE_CTX_get0_cert(store));
    for (int i = 0; i < sk_X509_num(sent); i++)
        digest_certificate(&digest, sk_X509_value(sent, i));
    OPENSSL_free(address);
    return digest_final(&digest, key);
}

static size_t slot_of(const unsigned char *key)
{
    size_t number;
    memcpy(&number, key, sizeof(number));
    return number % VERIFIED_SLOTS;
}

/* A clock that was set back has not seen the chain good either. */
bool verified_has(const struct verified *verified, const unsigned char key[static DIGEST_SIZE],
                  time_t now)
{
    const struct verified_slot *slot = &verified->slots[slot_of(key)];
    return now >= slot->from && now < slot->until && memcmp(slot->key, key, DIGEST_SIZE) == 0;
}

void verified_keep(struct verified *verified, const unsigned char key[static DIGEST_SIZE],
                   STACK_OF(X509) * chain, time_t now)
{
    struct verified_slot *slot = &verified->slots[slot_of(key)];
    time_t until = now + VERIFIED_SECONDS;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        time_t end = certificate_time(X509_get0_notAfter(sk_X509_value(chain, i)));
        until = end < until ? end : until;
    }
    memcpy(slot->key, key, DIGEST_SIZE);
    slot->from = now;
    slot->until = until;
}
