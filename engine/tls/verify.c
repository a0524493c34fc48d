/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/verify.h"

#include "core/macros.h"
#include "tls/certificate.h"
#include "tls/revocation.h"
#include "tls/verified.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>

/* 112 bits: RSA-2048, SHA-256. */
#define SECURITY_LEVEL 2

/* Where an SSL has its result, and an SSL_CTX its rules. */
static struct {
    int result, rules;
} indices;

static void make_indices(void)
{
    indices.result = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    indices.rules = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int result_index(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_indices);
    return indices.result;
}

static int rules_index(void)
{
    (void)result_index();
    return indices.rules;
}

static enum verify_class class_of(int code)
{
    switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return VERIFY_GOOD_CHAIN; /* shown by the forgery itself */
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return VERIFY_SELF_SIGNED;
    default:
        return VERIFY_UNTRUSTED;
    }
}

void verify_note(struct verify *verify, int code, int depth)
{
    if (class_of(code) > verify->class)
        verify->class = class_of(code);
    for (size_t i = 0; i < verify->count; i++)
        if (verify->errors[i].code == code && verify->errors[i].depth == depth)
            return;
    verify->revoked = verify->revoked || code == X509_V_ERR_CERT_REVOKED;
    if (verify->count == VERIFY_ERRORS_LIMIT)
        return;
    verify->errors[verify->count].code = code;
    verify->errors[verify->count++].depth = depth;
}

static SSL *ssl_of(X509_STORE_CTX *store)
{
    return X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
}

static struct verify *result_of(X509_STORE_CTX *store)
{
    return SSL_get_ex_data(ssl_of(store), result_index());
}

static const struct verify_rules *rules_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), rules_index());
}

/* There is not a list for everybody, and an old one still tells who was revoked by then. */
static bool is_about_lists(int code)
{
    return code == X509_V_ERR_UNABLE_TO_GET_CRL || code == X509_V_ERR_CRL_HAS_EXPIRED ||
           code == X509_V_ERR_CRL_NOT_YET_VALID;
}

/* Of several that are out of date the worst counts. */
static void narrow_dates(struct verify *verify, int code, const X509 *certificate)
{
    time_t begin = certificate_time(X509_get0_notBefore(certificate));
    time_t end = certificate_time(X509_get0_notAfter(certificate));
    if (code == X509_V_ERR_CERT_HAS_EXPIRED && (verify->not_after == 0 || end < verify->not_after))
        verify->not_after = end;
    if (code == X509_V_ERR_CERT_NOT_YET_VALID && begin > verify->not_before)
        verify->not_before = begin;
}

/* Called for each certificate that is good, and for each thing that is wrong: go on in any case. */
static int collect(int good, X509_STORE_CTX *store)
{
    if (good)
        return 1;
    struct verify *verify = result_of(store);
    int code = X509_STORE_CTX_get_error(store);
    int depth = X509_STORE_CTX_get_error_depth(store);
    if (is_about_lists(code))
        return 1;
    verify_note(verify, code, depth);
    if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        verify->name_mismatch = true;
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (depth > 0 && certificate != NULL)
        narrow_dates(verify, code, certificate);
    return 1;
}

/* What the origin has sent, and what we know beside; the caller's. */
static STACK_OF(X509) * add_intermediates(X509_STORE_CTX *store, const struct verify_rules *rules)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    STACK_OF(X509) *all = sent != NULL ? sk_X509_dup(sent) : sk_X509_new_null();
    for (int i = 0; all != NULL && i < sk_X509_num(rules->intermediates); i++)
        (void)sk_X509_push(all, sk_X509_value(rules->intermediates, i));
    if (all != NULL)
        X509_STORE_CTX_set0_untrusted(store, all);
    return all;
}

static void verify_fully(X509_STORE_CTX *store, const struct verify_rules *rules,
                         struct verify *verify)
{
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(store), SECURITY_LEVEL);
    X509_STORE_CTX_set_verify_cb(store, collect);
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    STACK_OF(X509) *known = add_intermediates(store, rules);
    /* We go on after every error, so this is something else: no memory, for example. */
    if (X509_verify_cert(store) <= 0) {
        int code = X509_STORE_CTX_get_error(store);
        verify_note(verify, code != X509_V_OK ? code : X509_V_ERR_UNSPECIFIED, 0);
    }
    X509_STORE_CTX_set0_untrusted(store, sent);
    sk_X509_free(known);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (X509_cmp(sk_X509_value(chain, i), rules->authority) == 0)
            verify_note(verify, X509_V_ERR_CERT_REJECTED, i);
}

/* A cert_verify_callback. 1: the handshake goes on. */
static int verify_chain(X509_STORE_CTX *store, void *argument)
{
    (void)argument;
    const struct verify_rules *rules = rules_of(ssl_of(store));
    struct verify *verify = result_of(store);
    unsigned char key[DIGEST_SIZE];
    time_t now = time(NULL);
    bool keyed = rules->verified != NULL && verified_key(store, key);
    if (keyed && verified_has(rules->verified, key, now)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    verify_fully(store, rules, verify);
    if (keyed && verify->count == 0)
        verified_keep(rules->verified, key, X509_STORE_CTX_get0_chain(store), now);
    return 1;
}

void verify_context(SSL_CTX *context, const struct verify_rules *rules)
{
    SSL_CTX_set1_cert_store(context, rules->trust);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (rules->staples)
        SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_cert_verify_callback(context, verify_chain, NULL);
    CHECK(SSL_CTX_set_ex_data(context, rules_index(), (void *)rules) == 1);
}

bool verify_prepare(SSL *ssl, struct verify *verify, const char *name, const struct address *origin)
{
    *verify = (struct verify){0};
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (SSL_set_ex_data(ssl, result_index(), verify) != 1)
        return false;
    if (name != NULL)
        return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1;
    return X509_VERIFY_PARAM_set1_ip(parameters, (const unsigned char *)&origin->ip,
                                     address_ip_size(origin)) == 1;
}

/* As OpenSSL prepares it in a handshake. */
static bool prepare_again(X509_STORE_CTX *store, SSL *ssl, X509 *certificate)
{
    return X509_STORE_CTX_init(store, rules_of(ssl)->trust, certificate,
                               SSL_get_peer_cert_chain(ssl)) == 1 &&
           X509_STORE_CTX_set_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl) == 1 &&
           X509_STORE_CTX_set_default(store, "ssl_server") == 1 &&
           X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(store), SSL_get0_param(ssl)) == 1;
}

bool verify_again(SSL *ssl)
{
    struct verify *verify = SSL_get_ex_data(ssl, result_index());
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    *verify = (struct verify){0};
    bool done = certificate != NULL && store != NULL && prepare_again(store, ssl, certificate);
    if (done)
        (void)verify_chain(store, NULL);
    X509_STORE_CTX_free(store);
    ERR_clear_error();
    return done;
}

void verify_staple(SSL *ssl)
{
    struct verify *verify = SSL_get_ex_data(ssl, result_index());
    const struct verify_rules *rules = rules_of(ssl);
    if (rules->staples && revocation_is_stapled(ssl, rules->trust))
        verify_note(verify, X509_V_ERR_CERT_REVOKED, 0);
}

int verify_code(const struct verify *verify)
{
    return verify->count > 0 ? verify->errors[0].code : X509_V_OK;
}

const char *verify_text(const struct verify *verify)
{
    return X509_verify_cert_error_string(verify_code(verify));
}

STACK_OF(X509) * verify_load_intermediates(const char *path)
{
    BIO *file = BIO_new_file(path, "r");
    STACK_OF(X509) *found = sk_X509_new_null();
    X509 *certificate;
    while (file != NULL && found != NULL &&
           (certificate = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(found, certificate) <= 0)
            X509_free(certificate);
    BIO_free(file);
    ERR_clear_error();
    if (sk_X509_num(found) > 0)
        return found;
    sk_X509_free(found);
    return NULL;
}

X509_STORE *verify_load_trust(const char *path)
{
    X509_STORE *store = X509_STORE_new();
    if (store != NULL && X509_STORE_load_file(store, path) == 1) {
        ERR_clear_error();
        return store;
    }
    X509_STORE_free(store);
    ERR_clear_error();
    return NULL;
}
