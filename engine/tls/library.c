/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/library.h"

#include "core/macros.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* From this version on OpenSSL remembers which decoders are of use. */
#define DECODERS_ARE_CACHED (OPENSSL_VERSION_NUMBER >= 0x30200000L)

#define ALGORITHMS_LIMIT 64 /* OpenSSL has fewer that are picked */

static OSSL_LIB_CTX *lean;
static OSSL_PROVIDER *whole; /* in OpenSSL's own context */
/* What is picked of it; behind the last is an empty one. */
static OSSL_ALGORITHM decoders[ALGORITHMS_LIMIT + 1], ciphers[ALGORITHMS_LIMIT + 1];

/* ---- what is picked ---- */

/* By its first name, as providers give it: "RSA:rsaEncryption:1.2.840...". */
static bool is_one_of(const OSSL_ALGORITHM *algorithm, const char *const *names, size_t count)
{
    size_t length = strcspn(algorithm->algorithm_names, ":");
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == length && memcmp(names[i], algorithm->algorithm_names, length) == 0)
            return true;
    return false;
}

static bool is_decoder_of_certificates(const OSSL_ALGORITHM *decoder)
{
    static const char *const names[] = {"EC", "RSA", "RSA-PSS", "ED25519", "ED448", "DSA"};
    return is_one_of(decoder, names, ARRAY_SIZE(names)) &&
           strstr(decoder->property_definition, "structure=SubjectPublicKeyInfo") != NULL;
}

/* Each time, OpenSSL goes through everything that it has ever fetched; and with one cipher it
 * fetches all of them, of which TLS has no use for most. */
static bool is_cipher_of_tls(const OSSL_ALGORITHM *cipher)
{
    static const char *const modes[] = {"-GCM", "-CCM", "-CBC", "ChaCha20-Poly1305", "NULL"};
    const char *names = cipher->algorithm_names;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (strstr(names, modes[i]) != NULL)
            return strstr(names, "DES") == NULL && strstr(names, "-CTS") == NULL;
    return false;
}

static bool pick(OSSL_ALGORITHM *picked, int operation, bool (*is_wanted)(const OSSL_ALGORITHM *))
{
    int uncached;
    size_t count = 0;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(whole, operation, &uncached);
    for (; all != NULL && all->algorithm_names != NULL; all++)
        if (is_wanted(all) && count < ALGORITHMS_LIMIT)
            picked[count++] = *all;
    return count > 0;
}

static bool pick_all(void)
{
    return pick(decoders, OSSL_OP_DECODER, is_decoder_of_certificates) &&
           pick(ciphers, OSSL_OP_CIPHER, is_cipher_of_tls);
}

/* ---- a provider that has nothing of its own (provider-base(7)) ---- */

static const OSSL_ALGORITHM *query(void *context, int operation, int *uncached)
{
    (void)context;
    *uncached = 0;
    if (operation == OSSL_OP_DECODER)
        return decoders;
    if (operation == OSSL_OP_CIPHER)
        return ciphers;
    return OSSL_PROVIDER_query_operation(whole, operation, uncached);
}

static int get_capabilities(void *context, const char *capability, OSSL_CALLBACK *callback,
                            void *argument)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(whole, capability, callback, argument);
}

static int get_params(void *context, OSSL_PARAM *parameters)
{
    (void)context;
    return OSSL_PROVIDER_get_params(whole, parameters);
}

/* An OSSL_provider_init_fn. What is passed on works by the context of who has it. */
static int init_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params},
        {0, NULL},
    };
    (void)handle, (void)in;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(whole);
    return 1;
}

/* ---- the context ---- */

static void make_context(void)
{
    /* An administrator may have chosen another provider, such as FIPS's: then it is that one. */
    if (DECODERS_ARE_CACHED || OSSL_PROVIDER_available(NULL, "default") != 1)
        return;
    whole = OSSL_PROVIDER_load(NULL, "default");
    lean = whole != NULL && pick_all() ? OSSL_LIB_CTX_new() : NULL;
    if (lean != NULL && (OSSL_PROVIDER_add_builtin(lean, "lean", init_provider) != 1 ||
                         OSSL_PROVIDER_load(lean, "lean") == NULL)) {
        OSSL_LIB_CTX_free(lean);
        lean = NULL;
    }
    ERR_clear_error();
}

OSSL_LIB_CTX *library_context(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_context);
    return lean;
}
