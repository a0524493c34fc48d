/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>

/* What is told of a certificate has to fit into a record, whatever the origin put into it. Bytes.
 */
#define NAME_TEXT_LIMIT 1024
#define NAMES_TOTAL_LIMIT 16384
#define SERIAL_LIMIT 64 /* three times what RFC 5280 allows */

time_t certificate_time(const ASN1_TIME *asn1_time)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(asn1_time, &parts) != 1)
        return 0;
    time_t time = timegm(&parts);
    /* Where time_t has 32 bits, what is after 2038 is at the end of time. */
    bool overflow = time < 0 && parts.tm_year >= 138;
    return overflow ? (time_t)INT32_MAX : time;
}

/* "aa:bb:cc"; `text` must have room for three characters a byte. */
static void hex_with_colons(const unsigned char *bytes, size_t length, const char *digits,
                            char *text)
{
    for (size_t i = 0; i < length; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
        *text++ = i + 1 < length ? ':' : '\0';
    }
    if (length == 0)
        *text = '\0';
}

void certificate_fingerprint(const X509 *certificate, char text[static FINGERPRINT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (X509_digest(certificate, EVP_sha1(), digest, &length) != 1)
        length = 0;
    hex_with_colons(digest, length, "0123456789abcdef", text);
}

void certificate_sha256(const X509 *certificate, char text[static SHA256_TEXT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    text[0] = '\0';
    if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1)
        return;
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static const char *name_text(const X509_NAME *name, BIO *memory, struct arena *arena)
{
    char *content;
    (void)BIO_reset(memory);
    if (X509_NAME_print_ex(memory, name, 0,
                           XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN | ASN1_STRFLGS_UTF8_CONVERT |
                               ASN1_STRFLGS_ESC_CTRL) < 0)
        return NULL;
    size_t length = (size_t)BIO_get_mem_data(memory, &content);
    return arena_copy(arena, content, length < NAME_TEXT_LIMIT ? length : NAME_TEXT_LIMIT);
}

static const char *serial_text(const X509 *certificate, struct arena *arena)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    size_t length = (size_t)ASN1_STRING_length(serial);
    if (length > SERIAL_LIMIT)
        length = SERIAL_LIMIT;
    char *text = arena_alloc(arena, length * 3 + 1);
    if (text != NULL)
        hex_with_colons(ASN1_STRING_get0_data(serial), length, "0123456789ABCDEF", text);
    return text;
}

static const char *date_text(const ASN1_TIME *asn1_time, struct arena *arena)
{
    char text[32];
    struct tm parts;
    if (ASN1_TIME_to_tm(asn1_time, &parts) != 1)
        return NULL;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    return arena_strdup(arena, text);
}

/* RFC 5280, 4.2.1.6, as far as it has to be true: printable, and no longer than DNS allows. */
static bool is_host_name(const ASN1_STRING *value)
{
    const unsigned char *text = ASN1_STRING_get0_data(value);
    const int length = ASN1_STRING_length(value);
    for (int i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    return length > 0 && length <= 255;
}

static const char *alternative_name(const GENERAL_NAME *name, struct arena *arena)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_DNS)
        return is_host_name(value) ? arena_copy(arena, ASN1_STRING_get0_data(value),
                                                (size_t)ASN1_STRING_length(value))
                                   : NULL;
    char text[INET6_ADDRSTRLEN];
    int family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
    if (type != GEN_IPADD || (family == AF_INET6 && ASN1_STRING_length(value) != 16) ||
        inet_ntop(family, ASN1_STRING_get0_data(value), text, sizeof(text)) == NULL)
        return NULL;
    return arena_strdup(arena, text);
}

static void describe_names(struct certificate_facts *facts, X509 *certificate, struct arena *arena)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(names);
    if (count > CERTIFICATE_NAMES_LIMIT)
        count = CERTIFICATE_NAMES_LIMIT;
    if (count > 0)
        facts->names = arena_alloc(arena, (size_t)count * sizeof(*facts->names));
    size_t total = 0;
    for (int i = 0; facts->names != NULL && i < count && total < NAMES_TOTAL_LIMIT; i++) {
        const char *text = alternative_name(sk_GENERAL_NAME_value(names, i), arena);
        if (text == NULL)
            continue;
        facts->names[facts->name_count++] = text;
        total += strlen(text);
    }
    GENERAL_NAMES_free(names);
}

void certificate_describe(struct certificate_facts *facts, X509 *certificate, struct arena *arena)
{
    char fingerprint[FINGERPRINT_SIZE];
    *facts = (struct certificate_facts){0};
    BIO *memory = BIO_new(BIO_s_mem());
    if (memory == NULL)
        return;
    facts->subject = name_text(X509_get_subject_name(certificate), memory, arena);
    facts->issuer = name_text(X509_get_issuer_name(certificate), memory, arena);
    BIO_free(memory);
    facts->serial = serial_text(certificate, arena);
    facts->not_before = date_text(X509_get0_notBefore(certificate), arena);
    facts->not_after = date_text(X509_get0_notAfter(certificate), arena);
    certificate_fingerprint(certificate, fingerprint);
    facts->fingerprint = arena_strdup(arena, fingerprint);
    describe_names(facts, certificate, arena);
    ERR_clear_error();
}
