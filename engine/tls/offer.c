/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/offer.h"

#include "tls/context.h"

#include <string.h>

#define NAMES_SIZE 4096   /* all of OpenSSL's ciphers come to less */
#define CIPHERS_LIMIT 256 /* likewise */

/* Names with colons between. */
struct names {
    char text[NAMES_SIZE];
    size_t length;
};

static void add_name(struct names *names, const char *name)
{
    size_t length = strlen(name), colon = names->length > 0 ? 1 : 0;
    if (names->length + colon + length >= sizeof(names->text))
        return;
    if (colon > 0)
        names->text[names->length++] = ':';
    memcpy(names->text + names->length, name, length);
    names->length += length;
}

/* NULL if there are none. */
static const char *keep_names(const struct names *names, struct arena *arena)
{
    return names->length > 0 ? arena_copy(arena, names->text, names->length) : NULL;
}

/* ---- ciphers ---- */

static bool is_of_tls_1_3(const SSL_CIPHER *cipher)
{
    return SSL_CIPHER_get_protocol_id(cipher) >> 8 == 0x13;
}

/* The index of the cipher with this number (RFC 8446, appendix B.4); -1 if we have none such. */
static int find_cipher(const STACK_OF(SSL_CIPHER) * ours, uint16_t id)
{
    for (int i = 0; i < sk_SSL_CIPHER_num(ours) && i < CIPHERS_LIMIT; i++)
        if (SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(ours, i)) == id)
            return i;
    return -1;
}

static void pick_ciphers(struct offer *offer, const struct hello *hello, const SSL_CTX *context,
                         struct arena *arena)
{
    const STACK_OF(SSL_CIPHER) *ours = SSL_CTX_get_ciphers(context);
    struct names ciphers = {.length = 0}, suites = {.length = 0};
    bool used[CIPHERS_LIMIT] = {false};
    struct reader list = hello->ciphers;
    while (list.left >= 2) {
        int index = find_cipher(ours, read_u16(&list));
        if (index < 0 || used[index])
            continue;
        used[index] = true;
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ours, index);
        add_name(is_of_tls_1_3(cipher) ? &suites : &ciphers, SSL_CIPHER_get_name(cipher));
    }
    offer->ciphers = keep_names(&ciphers, arena);
    offer->suites = keep_names(&suites, arena);
}

/* ---- groups ---- */

/* Those that OpenSSL has (RFC 8446, section 4.2.7). */
static const struct {
    uint16_t id;
    const char *name;
} groups[] = {
    {23, "P-256"},
    {24, "P-384"},
    {25, "P-521"},
    {29, "X25519"},
    {30, "X448"},
    {256, "ffdhe2048"},
    {257, "ffdhe3072"},
    {258, "ffdhe4096"},
    {259, "ffdhe6144"},
    {260, "ffdhe8192"},
#if OPENSSL_VERSION_NUMBER >= 0x30500000L
    {0x11ec, "X25519MLKEM768"},
#endif
};

static void pick_groups(struct offer *offer, const struct hello *hello, struct arena *arena)
{
    struct names names = {.length = 0};
    bool used[ARRAY_SIZE(groups)] = {false};
    struct reader list = hello->groups;
    while (list.left >= 2) {
        uint16_t id = read_u16(&list);
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
            if (groups[i].id == id && !used[i])
                add_name(&names, groups[i].name);
            used[i] = used[i] || groups[i].id == id;
        }
    }
    offer->groups = keep_names(&names, arena);
}

/* ---- versions ---- */

/* Without a list a device may speak everything below its highest version. OpenSSL leaves no version
 * out, so a list is taken down to its first gap. */
static int lowest_version(const struct hello *hello)
{
    uint16_t version = hello->max_version;
    if (hello->versions.left == 0)
        return TLS1_VERSION;
    while (version > TLS1_VERSION && hello_list_has(hello->versions, (uint16_t)(version - 1)))
        version--;
    return version;
}

static int higher(int a, int b)
{
    return a > b ? a : b;
}

bool offer_make(struct offer *offer, const struct hello *hello, int lowest, const SSL_CTX *context,
                struct arena *arena)
{
    *offer = (struct offer){.min_version = lowest, .max_version = TLS1_3_VERSION};
    if (hello->max_version < TLS1_2_VERSION)
        return true;
    offer->min_version = higher(lowest, lowest_version(hello));
    offer->max_version = hello->max_version;
    pick_ciphers(offer, hello, context, arena);
    pick_groups(offer, hello, arena);
    if (offer->ciphers == NULL)
        offer->min_version = TLS1_3_VERSION;
    if (offer->suites == NULL && offer->max_version == TLS1_3_VERSION)
        offer->max_version = TLS1_2_VERSION;
    return offer->min_version <= offer->max_version;
}

bool offer_apply(const struct offer *offer, SSL *ssl)
{
    return tls_set_min_version(ssl, offer->min_version) &&
           SSL_set_max_proto_version(ssl, offer->max_version) == 1 &&
           (offer->ciphers == NULL || SSL_set_cipher_list(ssl, offer->ciphers) == 1) &&
           (offer->suites == NULL || SSL_set_ciphersuites(ssl, offer->suites) == 1) &&
           (offer->groups == NULL || SSL_set1_groups_list(ssl, offer->groups) == 1);
}
