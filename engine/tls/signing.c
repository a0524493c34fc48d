/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/signing.h"

#include "core/reader.h"
#include "tls/certificate.h"
#include "tls/constraints.h"

#include <openssl/err.h>
#include <string.h>
#include <time.h>

#define SECURITY_BITS 112 /* RSA-2048; P-256 has more */
#define COMMON_NAME_LIMIT 64
#define NAME_LIMIT 255

/* ---- what is signed, and what is not ---- */

static bool is_plain_text(const ASN1_STRING *text, int limit)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(text);
    int length = ASN1_STRING_length(text);
    for (int i = 0; i < length; i++)
        if (bytes[i] < ' ' || bytes[i] == 0x7f)
            return false;
    return length > 0 && length <= limit;
}

static bool is_allowed_extension(int nid)
{
    return nid == NID_basic_constraints || nid == NID_key_usage || nid == NID_ext_key_usage ||
           nid == NID_subject_alt_name;
}

/* Decoded, since OpenSSL's flags leave out the usages that it does not know. */
static bool is_for_servers_alone(X509 *leaf)
{
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(leaf, NID_ext_key_usage, NULL, NULL);
    bool alone = sk_ASN1_OBJECT_num(usages) == 1 &&
                 OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, 0)) == NID_server_auth;
    EXTENDED_KEY_USAGE_free(usages);
    return alone;
}

static const char *find_extension_fault(X509 *leaf)
{
    for (int i = 0; i < X509_get_ext_count(leaf); i++) {
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(leaf, i)));
        if (!is_allowed_extension(nid) || X509_get_ext_by_NID(leaf, nid, i) >= 0)
            return "it has an extension that leaves have not";
    }
    const uint32_t usages = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT;
    if ((X509_get_extension_flags(leaf) & (EXFLAG_INVALID | EXFLAG_CA)) != 0 ||
        X509_check_ca(leaf) != 0 || X509_get_ext_by_NID(leaf, NID_basic_constraints, -1) < 0)
        return "it could sign others";
    if (X509_get_ext_by_NID(leaf, NID_key_usage, -1) < 0 ||
        (X509_get_key_usage(leaf) & ~usages) != 0)
        return "its key usage is not a server's";
    return is_for_servers_alone(leaf) ? NULL : "it is not for servers alone";
}

static bool is_permitted(const ASN1_STRING *name, const struct signing *signing)
{
    const char *text = (const char *)ASN1_STRING_get0_data(name);
    size_t length = (size_t)ASN1_STRING_length(name);
    return constraints_permit(signing->constraints, text, length) &&
           constraints_permit(signing->own_constraints, text, length);
}

static const char *find_name_fault(const GENERAL_NAME *name, const struct signing *signing)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_IPADD)
        return ASN1_STRING_length(value) == 4 || ASN1_STRING_length(value) == 16
                   ? NULL
                   : "one of its addresses is none";
    if (type != GEN_DNS)
        return "it has a name of a kind that leaves have not";
    if (!is_plain_text(value, NAME_LIMIT))
        return "one of its names is none";
    return is_permitted(value, signing) ? NULL : "one of its names is outside the CA's constraints";
}

static const char *find_names_fault(X509 *leaf, const struct signing *signing)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    const char *fault = NULL;
    if (names == NULL && X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) >= 0)
        return "its names cannot be read";
    for (int i = 0; fault == NULL && i < sk_GENERAL_NAME_num(names); i++)
        fault = find_name_fault(sk_GENERAL_NAME_value(names, i), signing);
    GENERAL_NAMES_free(names);
    return fault;
}

/* Some clients take it for a name, so the constraints hold for it, too. */
static const char *find_subject_fault(X509 *leaf, const struct signing *signing)
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    int count = X509_NAME_entry_count(subject);
    if (count == 0)
        return NULL;
    const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, 0);
    if (count > 1 || OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != NID_commonName ||
        !is_plain_text(X509_NAME_ENTRY_get_data(entry), COMMON_NAME_LIMIT))
        return "its subject is more than a common name";
    return is_permitted(X509_NAME_ENTRY_get_data(entry), signing)
               ? NULL
               : "its common name is outside the CA's constraints";
}

/* No stock for later, either: whoever takes over the engine for an hour shall not have a leaf for
 * next year. */
static const char *find_validity_fault(X509 *leaf, const struct authority *authority)
{
    const time_t longest = (time_t)SIGNING_VALID_DAYS * 86400;
    time_t begin = certificate_time(X509_get0_notBefore(leaf));
    time_t end = certificate_time(X509_get0_notAfter(leaf));
    if (begin == 0 || end == 0 || end < begin || end - begin >= longest ||
        begin > time(NULL) + longest)
        return "it is valid for too long";
    if (end > certificate_time(X509_get0_notAfter(authority->issuer.certificate)))
        return "it is valid for longer than the CA";
    return NULL;
}

static const char *find_key_fault(X509 *leaf, const struct authority *authority)
{
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS)
        return "its key is too weak";
    if (EVP_PKEY_eq(key, authority->issuer.key) == 1)
        return "its key is the CA's own";
    return NULL;
}

static const char *find_fault(const struct signing *signing, X509 *leaf)
{
    const char *fault = find_extension_fault(leaf);
    if (X509_get_version(leaf) != X509_VERSION_3)
        fault = "its version is not 3";
    if (fault == NULL)
        fault = find_subject_fault(leaf, signing);
    if (fault == NULL)
        fault = find_names_fault(leaf, signing);
    if (fault == NULL)
        fault = find_validity_fault(leaf, signing->authority);
    if (fault == NULL)
        fault = find_key_fault(leaf, signing->authority);
    return fault;
}

/* ---- answering ---- */

bool signing_init(struct signing *signing, const struct authority *authority,
                  const NAME_CONSTRAINTS *constraints)
{
    X509 *certificate = authority->issuer.certificate;
    *signing = (struct signing){.authority = authority, .constraints = constraints};
    signing->own_constraints = X509_get_ext_d2i(certificate, NID_name_constraints, NULL, NULL);
    return X509_digest(certificate, EVP_sha256(), signing->digest, NULL) == 1;
}

void signing_fini(struct signing *signing)
{
    NAME_CONSTRAINTS_free(signing->own_constraints);
}

static void put_number(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - 8 * i));
}

#define ANSWER_HEADER_SIZE 5
#define REQUEST_HEADER_SIZE (4 + SIGNING_DIGEST_SIZE)

static size_t answer_text(uint8_t *answer, enum signing_status status, const char *text)
{
    answer[4] = (uint8_t)status;
    char *end = stpcpy((char *)answer + ANSWER_HEADER_SIZE, text); /* the NUL is not counted */
    return (size_t)(end - (char *)answer);
}

static size_t put_certificate(uint8_t *at, size_t room, X509 *certificate)
{
    int length = i2d_X509(certificate, NULL);
    if (length <= 0 || (size_t)length > room || i2d_X509(certificate, &at) != length)
        return 0;
    return (size_t)length;
}

static size_t answer_leaf(struct signing *signing, uint64_t now, X509 *leaf, uint8_t *answer)
{
    const char *fault = find_fault(signing, leaf);
    if (fault != NULL)
        return answer_text(answer, SIGNING_REFUSED, fault);
    if (!bucket_take(&signing->signed_leaves, now, SIGNING_RATE, SIGNING_BURST))
        return answer_text(answer, SIGNING_BUSY, "too many certificates in too short a time");
    answer[4] = SIGNING_DONE;
    size_t length = 0;
    if (issuer_sign(&signing->authority->issuer, leaf))
        length = put_certificate(answer + ANSWER_HEADER_SIZE,
                                 SIGNING_MESSAGE_LIMIT - ANSWER_HEADER_SIZE, leaf);
    return length > 0 ? ANSWER_HEADER_SIZE + length
                      : answer_text(answer, SIGNING_FAILED, "it cannot be signed");
}

size_t signing_answer(struct signing *signing, uint64_t now, const uint8_t *request, size_t length,
                      uint8_t answer[static SIGNING_MESSAGE_LIMIT])
{
    struct reader reader = reader_of(request, length);
    put_number(answer, read_number(&reader, 4));
    struct reader digest = read_part(&reader, SIGNING_DIGEST_SIZE);
    if (reader.failed)
        return 0;
    if (memcmp(digest.at, signing->digest, SIGNING_DIGEST_SIZE) != 0)
        return answer_text(answer, SIGNING_REFUSED,
                           "the CA in the file has changed since the start");
    const unsigned char *at = reader.at;
    X509 *leaf = d2i_X509(NULL, &at, (long)reader.left);
    size_t size = leaf != NULL && at == reader.at + reader.left
                      ? answer_leaf(signing, now, leaf, answer)
                      : answer_text(answer, SIGNING_REFUSED, "it is no certificate");
    X509_free(leaf);
    ERR_clear_error();
    return size;
}

/* ---- asking ---- */

size_t signing_request(uint8_t request[static SIGNING_MESSAGE_LIMIT], uint32_t number,
                       const uint8_t digest[static SIGNING_DIGEST_SIZE], X509 *draft)
{
    put_number(request, number);
    memcpy(request + 4, digest, SIGNING_DIGEST_SIZE);
    size_t length = put_certificate(request + REQUEST_HEADER_SIZE,
                                    SIGNING_MESSAGE_LIMIT - REQUEST_HEADER_SIZE, draft);
    return length > 0 ? REQUEST_HEADER_SIZE + length : 0;
}

bool signing_read_answer(struct signing_answer *answer, const uint8_t *message, size_t length)
{
    struct reader reader = reader_of(message, length);
    answer->number = read_number(&reader, 4);
    unsigned status = read_u8(&reader);
    if (reader.failed || status > SIGNING_FAILED)
        return false;
    answer->status = (enum signing_status)status;
    answer->content = reader.at;
    answer->length = reader.left;
    return true;
}
