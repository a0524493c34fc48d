/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/leaf.h"

#include "core/log.h"
#include "tls/certificate.h"
#include "tls/constraints.h"
#include "tls/serial.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY ((time_t)86400)
#define BACKDATED_DAYS 1
#define FUTURE_DAYS 100
/* RFC 5280, appendix A.1: ub-common-name. */
#define COMMON_NAME_LIMIT 64

/* ---- the maker ---- */

static bool is_self_signed(X509 *certificate)
{
    return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) ==
           0;
}

/* Devices have the root; whatever is between it and a leaf has to be sent (RFC 8446, 4.4.2). */
static void drop_roots(STACK_OF(X509) * chain)
{
    for (int i = sk_X509_num(chain) - 1; i >= 0; i--)
        if (is_self_signed(sk_X509_value(chain, i)))
            X509_free(sk_X509_delete(chain, i));
}

bool leaf_maker_init(struct leaf_maker *maker, STACK_OF(X509) * certificates,
                     NAME_CONSTRAINTS *constraints, const char *keys_path)
{
    *maker = (struct leaf_maker){.chain = certificates, .constraints = constraints};
    maker->authority = sk_X509_value(certificates, 0);
    CHECK(X509_up_ref(maker->authority) == 1);
    if (constraints == NULL)
        maker->constraints = X509_get_ext_d2i(maker->authority, NID_name_constraints, NULL, NULL);
    drop_roots(maker->chain);
    if (!issuer_make(&maker->untrusted, EVP_EC_gen("P-256"),
                     "interceptd: the origin is not trusted", NULL) ||
        !issuer_prepare(&maker->untrusted)) {
        log_error("the issuer of untrusted certificates could not be made");
        return false;
    }
    return leaf_keys_open(&maker->keys, keys_path);
}

void leaf_maker_fini(struct leaf_maker *maker)
{
    X509_free(maker->authority);
    sk_X509_pop_free(maker->chain, X509_free);
    issuer_fini(&maker->untrusted);
    leaf_keys_free(&maker->keys);
    NAME_CONSTRAINTS_free(maker->constraints);
    *maker = (struct leaf_maker){0};
}

/* ---- names ---- */

static bool is_plain_text(const ASN1_STRING *text, int limit)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(text);
    int length = ASN1_STRING_length(text);
    if (length <= 0 || length > limit)
        return false;
    for (int i = 0; i < length; i++)
        if (bytes[i] < ' ' || bytes[i] == 0x7f)
            return false;
    return true;
}

static bool is_permitted(const ASN1_STRING *name, const NAME_CONSTRAINTS *constraints)
{
    return constraints_permit(constraints, (const char *)ASN1_STRING_get0_data(name),
                              (size_t)ASN1_STRING_length(name));
}

static bool is_wanted_name(const GENERAL_NAME *name, const NAME_CONSTRAINTS *constraints)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_DNS)
        return is_plain_text(value, 255) && is_permitted(value, constraints);
    return type == GEN_IPADD && (ASN1_STRING_length(value) == 4 || ASN1_STRING_length(value) == 16);
}

/* A host name that is not taken over. */
static bool has_odd_host_name(const X509 *origin, const NAME_CONSTRAINTS *constraints)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(origin, NID_subject_alt_name, NULL, NULL);
    bool odd = false;
    for (int i = 0; !odd && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        odd = name->type == GEN_DNS && !is_wanted_name(name, constraints);
    }
    GENERAL_NAMES_free(names);
    return odd;
}

/* The origin's common name, unless it could not stand in a certificate. Clients look at it where
 * there are no host names: so it goes with those that are not taken over, or it would count for the
 * first time. */
static bool set_subject(X509 *leaf, X509 *origin, const NAME_CONSTRAINTS *constraints)
{
    const X509_NAME *name = X509_get_subject_name(origin);
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (index < 0 || has_odd_host_name(origin, constraints))
        return true;
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, index);
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(entry);
    if (!is_plain_text(text, COMMON_NAME_LIMIT) || !is_permitted(text, constraints))
        return true;
    return X509_NAME_add_entry(X509_get_subject_name(leaf), entry, -1, 0) == 1;
}

static bool push_name(GENERAL_NAMES *names, GENERAL_NAME *name)
{
    if (name != NULL && sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

/* An address or a host name. */
static GENERAL_NAME *name_of(const char *text)
{
    GENERAL_NAME *ip = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_IPADD, text, 0);
    ERR_clear_error();
    if (ip != NULL)
        return ip;
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    if (name == NULL || value == NULL || ASN1_STRING_set(value, text, -1) != 1) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_DNS, value);
    return name;
}

/* The origin's names that a device checks, and the one that was asked for. */
static bool collect_names(GENERAL_NAMES *names, const struct leaf_request *request,
                          const NAME_CONSTRAINTS *constraints)
{
    GENERAL_NAMES *origin = X509_get_ext_d2i(request->origin, NID_subject_alt_name, NULL, NULL);
    bool done = true;
    for (int i = 0; done && i < sk_GENERAL_NAME_num(origin); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(origin, i);
        if (is_wanted_name(name, constraints))
            done = push_name(names, GENERAL_NAME_dup(name));
    }
    GENERAL_NAMES_free(origin);
    return done && (request->add_name == NULL || push_name(names, name_of(request->add_name)));
}

/* RFC 5280, 4.2.1.6: critical if there is no subject. */
static bool add_names(X509 *leaf, const struct leaf_request *request,
                      const NAME_CONSTRAINTS *constraints)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool done = names != NULL && collect_names(names, request, constraints);
    if (done && sk_GENERAL_NAME_num(names) > 0) {
        int critical = X509_NAME_entry_count(X509_get_subject_name(leaf)) == 0;
        done = X509_add1_ext_i2d(leaf, NID_subject_alt_name, names, critical, 0) == 1;
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return done;
}

/* ---- validity ---- */

struct validity {
    time_t not_before, not_after;
};

/* Never longer than browsers allow. What is out of date stays so, unless good dates are wanted. */
static struct validity choose_validity(const struct leaf_request *request, time_t authority_ends)
{
    time_t now = time(NULL);
    struct validity good = {now - BACKDATED_DAYS * DAY, now + LEAF_VALID_DAYS * DAY};
    if (good.not_after > authority_ends)
        good.not_after = authority_ends;
    if (request->good_dates)
        return good;

    struct validity origin = {certificate_time(X509_get0_notBefore(request->origin)),
                              certificate_time(X509_get0_notAfter(request->origin))};
    if (request->not_before > origin.not_before)
        origin.not_before = request->not_before;
    if (request->not_after != 0 && request->not_after < origin.not_after)
        origin.not_after = request->not_after;

    /* Far in the future is not yet, however far: the signer makes no stock. */
    if (origin.not_before > now + FUTURE_DAYS * DAY)
        origin = (struct validity){now + FUTURE_DAYS * DAY, now + (FUTURE_DAYS + 1) * DAY};

    struct validity chosen = good;
    if (origin.not_after < chosen.not_after)
        chosen.not_after = origin.not_after;
    if (origin.not_before > now)
        chosen.not_before = origin.not_before;
    if (chosen.not_after <= chosen.not_before) /* out of date on one side: keep that side */
        chosen = origin.not_before > now
                     ? (struct validity){origin.not_before, origin.not_before + DAY}
                     : (struct validity){origin.not_after - DAY, origin.not_after};
    return chosen;
}

static bool set_validity(X509 *leaf, struct validity validity)
{
    return ASN1_TIME_set(X509_getm_notBefore(leaf), validity.not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(leaf), validity.not_after) != NULL;
}

/* ---- the fixed extensions ---- */

static bool add_constraints(X509 *leaf)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new(); /* CA:FALSE */
    bool done = constraints != NULL &&
                X509_add1_ext_i2d(leaf, NID_basic_constraints, constraints, 1, 0) == 1;
    BASIC_CONSTRAINTS_free(constraints);
    return done;
}

/* RSA keys may also carry the key exchange of TLS 1.2 and before. */
static bool add_key_usage(X509 *leaf, enum leaf_key key)
{
    const int digital_signature = 0, key_encipherment = 2; /* bits of RFC 5280, 4.2.1.3 */
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    bool done = usage != NULL && ASN1_BIT_STRING_set_bit(usage, digital_signature, 1) == 1 &&
                (key != LEAF_KEY_RSA || ASN1_BIT_STRING_set_bit(usage, key_encipherment, 1) == 1) &&
                X509_add1_ext_i2d(leaf, NID_key_usage, usage, 1, 0) == 1;
    ASN1_BIT_STRING_free(usage);
    return done;
}

static bool add_extended_key_usage(X509 *leaf)
{
    EXTENDED_KEY_USAGE *usage = EXTENDED_KEY_USAGE_new();
    bool done = usage != NULL && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_server_auth)) > 0 &&
                X509_add1_ext_i2d(leaf, NID_ext_key_usage, usage, 0, 0) == 1;
    EXTENDED_KEY_USAGE_free(usage);
    return done;
}

/* A day before its end; if that is over, in the middle of what is left. What is out of date already
 * is kept for a day. */
static time_t choose_expiry(time_t not_after, time_t now)
{
    if (not_after <= now)
        return now + DAY;
    return not_after - now > 2 * DAY ? not_after - DAY : now + (not_after - now) / 2;
}

/* ---- forging ---- */

/* OpenSSL would not find the key again in a certificate that has a copy: a draft becomes one when
 * the signer has answered; others are used as they are. */
static bool set_public_key(X509 *leaf, const struct leaf_maker *maker,
                           const struct leaf_request *request)
{
    return request->signer == LEAF_BY_AUTHORITY
               ? leaf_keys_copy(&maker->keys, request->key, leaf)
               : X509_set_pubkey(leaf, maker->keys.keys[request->key]) == 1;
}

/* A draft is signed too, since what is not signed has no encoding: by whom does not matter. */
static bool sign(X509 *leaf, const struct leaf_maker *maker, const struct leaf_request *request)
{
    switch (request->signer) {
    case LEAF_BY_AUTHORITY:
        return X509_sign(leaf, maker->untrusted.key, EVP_sha256()) > 0;
    case LEAF_BY_UNTRUSTED:
        return issuer_sign(&maker->untrusted, leaf);
    case LEAF_BY_ITSELF:
        return X509_set_issuer_name(leaf, X509_get_subject_name(leaf)) == 1 &&
               X509_sign(leaf, maker->keys.keys[request->key], EVP_sha256()) > 0;
    }
    return false;
}

static bool fill(X509 *leaf, const struct leaf_maker *maker, const struct leaf_request *request,
                 struct validity validity)
{
    return X509_set_version(leaf, X509_VERSION_3) == 1 && serial_set_random(leaf) &&
           set_validity(leaf, validity) && set_subject(leaf, request->origin, maker->constraints) &&
           set_public_key(leaf, maker, request) && add_constraints(leaf) &&
           add_key_usage(leaf, request->key) && add_extended_key_usage(leaf) &&
           add_names(leaf, request, maker->constraints) && sign(leaf, maker, request);
}

static void take_fingerprints(struct leaf *leaf)
{
    certificate_fingerprint(leaf->certificate, leaf->fingerprint);
    certificate_sha256(leaf->certificate, leaf->sha256);
}

struct leaf *leaf_make(const struct leaf_maker *maker, const struct leaf_request *request)
{
    EVP_PKEY *key = maker->keys.keys[request->key];
    struct validity validity =
        choose_validity(request, certificate_time(X509_get0_notAfter(maker->authority)));
    struct leaf *leaf = calloc(1, sizeof(*leaf));
    if (leaf == NULL)
        return NULL;
    atomic_init(&leaf->references, 1);
    leaf->certificate = X509_new();
    if (leaf->certificate == NULL || EVP_PKEY_up_ref(key) != 1) {
        leaf_unref(leaf);
        return NULL;
    }
    leaf->key = key;
    leaf->expires = choose_expiry(validity.not_after, time(NULL));
    leaf->draft = request->signer == LEAF_BY_AUTHORITY;
    leaf->chain = leaf->draft ? maker->chain : NULL;
    bool done = fill(leaf->certificate, maker, request, validity);
    ERR_clear_error();
    if (!done) {
        leaf_unref(leaf);
        return NULL;
    }
    take_fingerprints(leaf);
    return leaf;
}

bool leaf_finish(struct leaf *leaf, const uint8_t *der, size_t length)
{
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, (long)length);
    bool done = certificate != NULL && at == der + length &&
                X509_check_private_key(certificate, leaf->key) == 1;
    ERR_clear_error();
    if (!done) {
        X509_free(certificate);
        return false;
    }
    X509_free(leaf->certificate);
    leaf->certificate = certificate;
    leaf->draft = false;
    take_fingerprints(leaf);
    return true;
}

struct leaf *leaf_ref(struct leaf *leaf)
{
    atomic_fetch_add_explicit(&leaf->references, 1, memory_order_relaxed);
    return leaf;
}

void leaf_unref(struct leaf *leaf)
{
    if (leaf == NULL || atomic_fetch_sub_explicit(&leaf->references, 1, memory_order_acq_rel) > 1)
        return;
    X509_free(leaf->certificate);
    EVP_PKEY_free(leaf->key);
    free(leaf);
}
