/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a forged certificate costs: made anew, and from the cache; by a CA with an RSA key, as those
 * that interceptd makes, and by one with an ECDSA key, as an operator may have given it. Targets:
 * 300 us made and signed, 5 us from the cache. */
#include "tls/leaf_cache.h"

#include "tls/serial.h"
#include "tls/signing.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <time.h>

#define FORGERIES 2000
#define LOOKUPS 200000

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* An origin as there are many: two names, RSA, ninety days. */
static X509 *make_origin(void)
{
    X509 *origin = X509_new();
    EVP_PKEY *key = EVP_RSA_gen(2048);
    CHECK(origin != NULL && key != NULL && X509_set_version(origin, X509_VERSION_3) == 1);
    CHECK(serial_set_random(origin) && X509_set_pubkey(origin, key) == 1);
    X509_gmtime_adj(X509_getm_notBefore(origin), -86400);
    X509_gmtime_adj(X509_getm_notAfter(origin), 90L * 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(origin), "CN", MBSTRING_ASC,
                               (const unsigned char *)"www.example.com", -1, -1, 0);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                                "DNS:www.example.com,DNS:example.com");
    CHECK(names != NULL && X509_add_ext(origin, names, -1) == 1);
    X509_EXTENSION_free(names);
    CHECK(X509_sign(origin, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return origin;
}

static void measure(const struct authority *authority, const struct leaf_maker *maker,
                    struct leaf_request *request, const char *kind)
{
    bool rsa = request->key == LEAF_KEY_RSA;
    static uint8_t message[SIGNING_MESSAGE_LIMIT], answer[SIGNING_MESSAGE_LIMIT];
    struct signing signing;
    struct leaf_cache *cache = leaf_cache_new(100);
    struct leaf_cache_key key;
    CHECK(cache != NULL && leaf_cache_key(request, &key) &&
          signing_init(&signing, authority, NULL));
    struct leaf *leaf = NULL;
    double start = seconds();
    for (int i = 0; i < FORGERIES; i++) {
        leaf_unref(leaf);
        leaf = leaf_make(maker, request);
        CHECK(leaf != NULL);
    }
    double making = seconds() - start;

    start = seconds();
    for (int i = 0; i < FORGERIES; i++) { /* a minute apart, since the signer has a limit */
        size_t length = signing_request(message, 1, signing.digest, leaf->certificate);
        struct signing_answer read;
        size_t size = signing_answer(&signing, (uint64_t)i * 60000, message, length, answer);
        CHECK(signing_read_answer(&read, answer, size) && read.status == SIGNING_DONE);
    }
    double signing_time = seconds() - start;

    leaf_cache_keep(cache, &key, leaf);
    start = seconds();
    for (int i = 0; i < LOOKUPS; i++)
        leaf_unref(leaf_cache_find(cache, &key));
    double looking_up = seconds() - start;
    leaf_unref(leaf);
    leaf_cache_free(cache);
    signing_fini(&signing);
    printf("%-5s CA, %-5s leaf: %6.1f us made, %6.1f us signed, %6.1f us together; %5.2f us from "
           "the cache\n",
           kind, rsa ? "RSA" : "ECDSA", making / FORGERIES * 1e6, signing_time / FORGERIES * 1e6,
           (making + signing_time) / FORGERIES * 1e6, looking_up / LOOKUPS * 1e6);
}

static void write_authority(const char *path, EVP_PKEY *key)
{
    struct issuer issuer;
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fchmod(fileno(file), 0600) == 0 &&
          issuer_make(&issuer, key, "bench", NULL) &&
          PEM_write_X509(file, issuer.certificate) == 1 &&
          PEM_write_PrivateKey(file, issuer.key, NULL, NULL, 0, NULL, NULL) == 1 &&
          fclose(file) == 0);
    X509_free(issuer.certificate);
    EVP_PKEY_free(issuer.key);
}

/* All kinds of leaves, by a CA with this key. */
static void measure_authority(const char *directory, X509 *origin, EVP_PKEY *key, const char *kind)
{
    char ca[64], leaf_keys[64];
    struct leaf_maker maker;
    snprintf(ca, sizeof(ca), "%s/ca.pem", directory);
    snprintf(leaf_keys, sizeof(leaf_keys), "%s/keys.pem", directory);
    write_authority(ca, key);
    struct authority *authority = authority_open(ca, NULL, NULL);
    STACK_OF(X509) *certificates = sk_X509_new_null();
    CHECK(authority != NULL && certificates != NULL);
    X509_up_ref(authority->issuer.certificate);
    CHECK(sk_X509_push(certificates, authority->issuer.certificate) > 0);
    CHECK(leaf_maker_init(&maker, certificates, NULL, leaf_keys));

    struct leaf_request request = {.origin = origin, .key = LEAF_KEY_ECDSA};
    measure(authority, &maker, &request, kind);
    request.key = LEAF_KEY_RSA;
    measure(authority, &maker, &request, kind);
    leaf_maker_fini(&maker);
    authority_free(authority);
}

int main(void)
{
    char directory[] = "/tmp/leaf-bench-XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    X509 *origin = make_origin();
    measure_authority(directory, origin, EVP_RSA_gen(2048), "RSA");
    measure_authority(directory, origin, EVP_EC_gen("P-256"), "ECDSA");
    X509_free(origin);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command) == 0 ? 0 : 1;
}
