/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/tickets.h"

#include "core/loop.h"
#include "tls/digest.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

/* How long a device may come back with a ticket, in seconds. */
#define TICKET_LIFE 7200

/* After a full handshake of TLS 1.3. Each is used once, and replaced then, so a device that opens
 * some connections at a time soon has as many: a second one would be made and sent for few. */
#define TICKETS_AT_FIRST 1

static int keys_index_value;

static void make_keys_index(void)
{
    keys_index_value = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int keys_index(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_keys_index);
    return keys_index_value;
}

bool ticket_secret_make(struct ticket_secret *secret)
{
    secret->made = clock_ms();
    return RAND_priv_bytes(secret->bytes, sizeof(secret->bytes)) == 1;
}

void ticket_secret_wipe(struct ticket_secret *secret)
{
    OPENSSL_cleanse(secret, sizeof(*secret));
}

/* ---- keys ---- */

/* HMAC-SHA256 as a one-way function: nothing leads back from its result. */
static bool derive(const unsigned char chain[static TICKET_SECRET_SIZE], const char *what,
                   unsigned char *out, size_t size)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t length;
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, chain, TICKET_SECRET_SIZE,
                  (const unsigned char *)what, strlen(what), mac, sizeof(mac), &length) == NULL ||
        length < size)
        return false;
    memcpy(out, mac, size);
    OPENSSL_cleanse(mac, sizeof(mac));
    return true;
}

static bool derive_current(struct tickets *tickets)
{
    struct ticket_key *key = &tickets->current;
    return derive(tickets->chain, "name", key->name, sizeof(key->name)) &&
           derive(tickets->chain, "cipher", key->cipher, sizeof(key->cipher)) &&
           derive(tickets->chain, "mac", key->mac, sizeof(key->mac)) &&
           derive(tickets->chain, "next", tickets->chain, sizeof(tickets->chain));
}

static bool rotate(struct tickets *tickets, uint64_t now)
{
    while (now - tickets->begun >= TICKET_KEY_TIME) {
        tickets->previous = tickets->current;
        tickets->has_previous = true;
        tickets->begun += TICKET_KEY_TIME;
        if (!derive_current(tickets))
            return false;
    }
    return true;
}

static const struct ticket_key *find_key(const struct tickets *tickets, const unsigned char *name)
{
    if (memcmp(name, tickets->current.name, sizeof(tickets->current.name)) == 0)
        return &tickets->current;
    if (tickets->has_previous &&
        memcmp(name, tickets->previous.name, sizeof(tickets->previous.name)) == 0)
        return &tickets->previous;
    return NULL;
}

static bool set_mac_key(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
    char digest[] = "SHA256";
    unsigned char copy[sizeof(key->mac)];
    memcpy(copy, key->mac, sizeof(copy));
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy, sizeof(copy)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool done = EVP_MAC_CTX_set_params(mac, parameters) == 1;
    OPENSSL_cleanse(copy, sizeof(copy));
    return done;
}

/* OpenSSL's answers to a ticket_key callback. */
enum { KEY_ERROR = -1, KEY_UNKNOWN = 0, KEY_GOOD = 1, KEY_OLD = 2 };

static int use_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac, int encrypt)
{
    struct tickets *tickets = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index());
    if (!rotate(tickets, clock_ms()))
        return KEY_ERROR;
    const struct ticket_key *key = encrypt ? &tickets->current : find_key(tickets, name);
    if (key == NULL)
        return KEY_UNKNOWN;
    if (encrypt) {
        memcpy(name, key->name, sizeof(key->name));
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return KEY_ERROR;
    }
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) != 1 ||
        !set_mac_key(mac, key))
        return KEY_ERROR;
    /* A device uses a ticket of TLS 1.3 once (RFC 8446, appendix C.4): so each is replaced. */
    bool lasts = key == &tickets->current && SSL_version(ssl) < TLS1_3_VERSION;
    return encrypt || lasts ? KEY_GOOD : KEY_OLD;
}

bool tickets_init(struct tickets *tickets, SSL_CTX *context, const struct ticket_secret *secret)
{
    *tickets = (struct tickets){.begun = secret->made};
    memcpy(tickets->chain, secret->bytes, sizeof(tickets->chain));
    SSL_CTX_set_timeout(context, TICKET_LIFE);
    return SSL_CTX_set_num_tickets(context, TICKETS_AT_FIRST) == 1 && derive_current(tickets) &&
           SSL_CTX_set_ex_data(context, keys_index(), tickets) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_key) == 1;
}

void tickets_fini(struct tickets *tickets)
{
    OPENSSL_cleanse(tickets, sizeof(*tickets));
}

/* ---- scope ---- */

bool tickets_bind(SSL *ssl, const struct ticket_scope *scope)
{
    unsigned char id[DIGEST_SIZE];
    struct address device = *scope->device;
    struct digest digest;
    device.port = 0;
    digest_init(&digest);
    digest_address(&digest, &device);
    digest_address(&digest, scope->origin);
    digest_text(&digest, scope->name);
    digest_text(&digest, scope->leaf);
    digest_number(&digest, scope->revision);
    return digest_final(&digest, id) && SSL_set_session_id_context(ssl, id, sizeof(id)) == 1;
}
