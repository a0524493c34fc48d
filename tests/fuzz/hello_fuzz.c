/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "tls/fingerprint.h"
#include "tls/hello.h"
#include "tls/offer.h"

#include <string.h>

static uint8_t message[HELLO_LIMIT], part_message[HELLO_LIMIT];

static void must_lie_in_message(struct reader part)
{
    if (part.left == 0)
        return;
    must_hold(part.at >= message && part.at + part.left <= message + sizeof message);
}

/* No more than the hello has, and nothing that OpenSSL would not take. */
static void check_offer(const struct hello *hello)
{
    static SSL_CTX *context;
    struct arena arena = {0};
    struct offer offer;
    if (context == NULL)
        context = SSL_CTX_new(TLS_client_method());
    must_hold(context != NULL);
    if (offer_make(&offer, hello, TLS1_VERSION, context, &arena)) {
        SSL *ssl = SSL_new(context);
        must_hold(offer.min_version <= offer.max_version);
        must_hold(offer.max_version <= hello->max_version || hello->max_version < TLS1_2_VERSION);
        must_hold(ssl != NULL && offer_apply(&offer, ssl));
        SSL_free(ssl);
    }
    arena_fini(&arena);
}

static void check_hello(const struct hello *hello)
{
    must_lie_in_message(hello->ciphers);
    must_lie_in_message(hello->extensions);
    must_lie_in_message(hello->groups);
    must_lie_in_message(hello->signatures);
    must_lie_in_message(hello->versions);
    must_lie_in_message(hello->alpn);
    must_hold(memchr(hello->name, '\0', sizeof hello->name) != NULL);
    must_hold(hello->has_sni || hello->name[0] == '\0');
    must_hold(hello->max_version <= 0x0304);
    check_offer(hello);
    (void)hello_takes_ecdsa(hello, 0x0303);
    (void)hello_takes_ecdsa(hello, 0x0304);
    char ja4[JA4_SIZE], ja3[JA3_SIZE];
    fingerprint_ja4(hello, ja4);
    must_hold(strlen(ja4) == JA4_SIZE - 1 && ja4[10] == '_' && ja4[23] == '_');
    must_hold(fingerprint_ja3(hello, ja3) && strlen(ja3) == JA3_SIZE - 1);
}

/* Bytes that came in two parts are what they are: the first part never says more than the whole. */
static void check_prefix(const uint8_t *bytes, size_t cut, enum hello_result whole_result,
                         const struct hello *whole)
{
    struct hello part;
    enum hello_result result = hello_parse(&part, bytes, cut, part_message);
    if (result == HELLO_MORE)
        must_hold(part.need > cut);
    else
        must_hold(result == whole_result);
    if (result == HELLO_COMPLETE)
        must_hold(strcmp(part.name, whole->name) == 0 && part.ciphers.left == whole->ciphers.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct hello whole;
    enum hello_result result = hello_parse(&whole, bytes, length, message);
    if (result == HELLO_COMPLETE)
        check_hello(&whole);
    else if (result == HELLO_MORE)
        must_hold(whole.need > length);
    size_t step = length / 64 + 1;
    for (size_t cut = 0; cut < length; cut += step)
        check_prefix(bytes, cut, result, &whole);
    return 0;
}
