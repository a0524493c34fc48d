/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The letters F and numbers are those of the interception checklist: what a forgery must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/log.h"
#include "forge.h"
#include "tls/leaf.h"

#include <openssl/core_names.h>

/* The forgery for an origin with this certificate; all else is as in `request`. */
static struct leaf *forge_as(const struct identity *origin, struct leaf_request request)
{
    request.origin = origin->certificate;
    struct leaf *leaf = forge_any(&request);
    assert_non_null(leaf);
    return leaf;
}

static struct leaf *forge(const struct identity *origin)
{
    return forge_as(origin, (struct leaf_request){0});
}

/* The forgery for the origin that the recipe makes. */
static struct leaf *forge_recipe(struct recipe recipe)
{
    struct identity origin = make_identity(&recipe);
    struct leaf *leaf = forge(&origin);
    free_identity(&origin);
    return leaf;
}

static int verify_leaf(const struct leaf *leaf, const char *name)
{
    return verify_strictly(leaf->certificate, any_anchor(), name);
}

static time_t start_of(const struct leaf *leaf)
{
    return time_of(X509_get0_notBefore(leaf->certificate));
}

static time_t end_of(const struct leaf *leaf)
{
    return time_of(X509_get0_notAfter(leaf->certificate));
}

/* The names as text, such as "DNS:a.test, IP Address:192.0.2.1"; "" if there are none. */
static const char *names_of(const struct leaf *leaf)
{
    static char text[4096];
    text[0] = '\0';
    int index = X509_get_ext_by_NID(leaf->certificate, NID_subject_alt_name, -1);
    if (index < 0)
        return text;
    BIO *memory = BIO_new(BIO_s_mem());
    char *content;
    assert_int_equal(X509V3_EXT_print(memory, X509_get_ext(leaf->certificate, index), 0, 0), 1);
    long length = BIO_get_mem_data(memory, &content);
    assert_true((size_t)length < sizeof(text));
    memcpy(text, content, (size_t)length);
    text[length] = '\0';
    BIO_free(memory);
    return text;
}

static const char *subject_of(const struct leaf *leaf)
{
    static char text[512];
    X509_NAME_oneline(X509_get_subject_name(leaf->certificate), text, sizeof(text));
    return text;
}

/* ---- what every forgery is ---- */

static void a_forgery_verifies_strictly_with_every_kind_of_key(void **state)
{
    (void)state;
    const struct recipe recipes[] = {
        {.common_name = "a.test", .names = "DNS:a.test"},
        {.common_name = "a.test", .names = "DNS:a.test", .rsa_bits = 2048},
        {.common_name = "a.test", .names = "DNS:a.test", .key_type = "ED25519"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        struct identity origin = make_identity(&recipes[i]);
        for (int key = 0; key < LEAF_KEYS; key++) {
            struct leaf *leaf = forge_as(&origin, (struct leaf_request){.key = (enum leaf_key)key});
            assert_int_equal(verify_leaf(leaf, "a.test"), X509_V_OK);
            assert_int_equal(X509_get_version(leaf->certificate), X509_VERSION_3);
            leaf_unref(leaf);
        }
        free_identity(&origin);
    }
}

/* F2 */
static void the_key_is_the_one_asked_for_and_never_the_authoritys(void **state)
{
    (void)state;
    struct identity origin = make_identity(&(struct recipe){.names = "DNS:a.test"});
    static const char *const types[] = {[LEAF_KEY_ECDSA] = "EC", [LEAF_KEY_RSA] = "RSA"};
    static const int bits[] = {[LEAF_KEY_ECDSA] = 256, [LEAF_KEY_RSA] = 2048};
    for (int key = 0; key < LEAF_KEYS; key++) {
        struct leaf *leaf = forge_as(&origin, (struct leaf_request){.key = (enum leaf_key)key});
        assert_true(EVP_PKEY_is_a(leaf->key, types[key]));
        assert_int_equal(EVP_PKEY_get_bits(leaf->key), bits[key]);
        assert_int_equal(X509_check_private_key(leaf->certificate, leaf->key), 1);
        const X509 *anchor = any_anchor();
        assert_int_not_equal(EVP_PKEY_eq(leaf->key, X509_get0_pubkey(anchor)), 1);
        assert_int_not_equal(EVP_PKEY_eq(leaf->key, origin.key), 1);
        leaf_unref(leaf);
    }
    free_identity(&origin);
}

static int compare_serials(const void *a, const void *b)
{
    return ASN1_INTEGER_cmp(*(ASN1_INTEGER *const *)a, *(ASN1_INTEGER *const *)b);
}

/* F3 */
static void serials_are_positive_short_and_never_used_twice(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static ASN1_INTEGER *serials[COUNT];
    struct identity origin = make_identity(&(struct recipe){.names = "DNS:a.test"});
    for (size_t i = 0; i < COUNT; i++) {
        struct leaf *leaf = forge(&origin);
        const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf->certificate);
        assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
        assert_in_range(i2d_ASN1_INTEGER(serial, NULL), 2 + 8, 2 + 20);
        serials[i] = ASN1_INTEGER_dup(serial);
        leaf_unref(leaf);
    }
    qsort(serials, COUNT, sizeof(serials[0]), compare_serials);
    for (size_t i = 1; i < COUNT; i++)
        assert_int_not_equal(ASN1_INTEGER_cmp(serials[i - 1], serials[i]), 0);
    for (size_t i = 0; i < COUNT; i++)
        ASN1_INTEGER_free(serials[i]);
    free_identity(&origin);
}

static const int all_extensions[] = {NID_basic_constraints,
                                     NID_key_usage,
                                     NID_ext_key_usage,
                                     NID_subject_alt_name,
                                     NID_authority_key_identifier,
                                     0};

/* F4, F8 */
static void extensions_are_a_fixed_set_whatever_the_origin_has(void **state)
{
    (void)state;
    const struct recipe recipe = {
        .common_name = "a.test",
        .names = "DNS:a.test",
        .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:3"},
                       {NID_key_usage, "critical,keyCertSign,cRLSign,keyAgreement"},
                       {NID_ext_key_usage, "critical,clientAuth,codeSigning"},
                       {NID_info_access, "OCSP;URI:http://a.test/ocsp"},
                       {NID_crl_distribution_points, "URI:http://a.test/crl"},
                       {NID_certificate_policies, "DER:30:0A:30:08:06:06:67:81:0C:01:02:01"},
                       {NID_tlsfeature, "status_request"},
                       {NID_ct_precert_scts, "DER:04:02:00:00"},
                       {NID_subject_key_identifier, "hash"}},
    };
    struct leaf *leaf = forge_recipe(recipe);
    X509 *certificate = leaf->certificate;
    assert_extensions(certificate, all_extensions);
    assert_true(is_critical(certificate, NID_basic_constraints));
    assert_true(is_critical(certificate, NID_key_usage));
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_int_equal(X509_get_pathlen(certificate), -1);
    assert_int_equal(X509_get_extension_flags(certificate) & (EXFLAG_CA | EXFLAG_BCONS),
                     EXFLAG_BCONS);
    assert_int_equal(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
    assert_int_equal(verify_leaf(leaf, "a.test"), X509_V_OK);
    leaf_unref(leaf);
}

/* F4: RSA may also carry the key exchange of TLS 1.2. */
static void the_key_usage_fits_the_key(void **state)
{
    (void)state;
    struct identity origin = make_identity(&(struct recipe){.names = "DNS:a.test"});
    struct leaf *ecdsa = forge_as(&origin, (struct leaf_request){.key = LEAF_KEY_ECDSA});
    struct leaf *rsa = forge_as(&origin, (struct leaf_request){.key = LEAF_KEY_RSA});
    assert_int_equal(X509_get_key_usage(ecdsa->certificate), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_key_usage(rsa->certificate),
                     KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
    leaf_unref(ecdsa);
    leaf_unref(rsa);
    free_identity(&origin);
}

/* F5 */
static void the_authority_is_named_by_its_own_key_identifier(void **state)
{
    (void)state;
    static const unsigned char own_identifier[] = {9, 8, 7};
    const struct recipe ca = {.common_name = "Own CA",
                              .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                                             {NID_key_usage, "critical,keyCertSign"},
                                             {NID_subject_key_identifier, "090807"}}};
    struct identity own = make_identity(&ca);
    struct identity origin = make_identity(&(struct recipe){.names = "DNS:a.test"});
    struct authority *authority = authority_of(&own);
    struct leaf_maker maker = maker_of(authority);
    const struct leaf_request request = {.origin = origin.certificate};
    struct leaf *leaf = forge_by(authority, &maker, &request);
    assert_non_null(leaf);
    const ASN1_OCTET_STRING *identifier = X509_get0_authority_key_id(leaf->certificate);
    assert_int_equal(ASN1_STRING_length(identifier), sizeof(own_identifier));
    assert_memory_equal(ASN1_STRING_get0_data(identifier), own_identifier, sizeof(own_identifier));
    assert_int_equal(verify_strictly(leaf->certificate, own.certificate, "a.test"), X509_V_OK);
    leaf_unref(leaf);

    leaf = forge(&origin);
    const X509_EXTENSION *extension =
        X509_get_ext(leaf->certificate,
                     X509_get_ext_by_NID(leaf->certificate, NID_authority_key_identifier, -1));
    assert_non_null(extension);
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf->certificate),
                                           X509_get0_subject_key_id(any_anchor())),
                     0);
    leaf_unref(leaf);
    leaf_maker_fini(&maker);
    authority_free(authority);
    free_identity(&own);
    free_identity(&origin);
}

/* F7 */
static void the_signature_is_of_sha256_whatever_the_origins_was(void **state)
{
    (void)state;
    const EVP_MD *const digests[] = {EVP_md5(), EVP_sha1(), EVP_sha256(), EVP_sha512()};
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
        for (int signer = LEAF_BY_AUTHORITY; signer <= LEAF_BY_ITSELF; signer++) {
            const struct recipe recipe = {
                .names = "DNS:a.test", .rsa_bits = 1024, .digest = digests[i]};
            struct identity origin = make_identity(&recipe);
            struct leaf *leaf =
                forge_as(&origin, (struct leaf_request){.signer = (enum leaf_signer)signer});
            int digest;
            assert_int_equal(X509_get_signature_info(leaf->certificate, &digest, NULL, NULL, NULL),
                             1);
            assert_int_equal(digest, NID_sha256);
            leaf_unref(leaf);
            free_identity(&origin);
        }
    }
}

static void its_digests_are_told_as_text(void **state)
{
    (void)state;
    char fingerprint[FINGERPRINT_SIZE], sha256[SHA256_TEXT_SIZE];
    struct leaf *leaf = forge_recipe((struct recipe){.names = "DNS:a.test"});
    certificate_fingerprint(leaf->certificate, fingerprint);
    certificate_sha256(leaf->certificate, sha256);
    assert_string_equal(leaf->fingerprint, fingerprint);
    assert_string_equal(leaf->sha256, sha256);
    leaf_unref(leaf);
}

/* ---- who signs ---- */

/* F10 */
static void only_the_authoritys_forgeries_are_trusted(void **state)
{
    (void)state;
    static const struct {
        enum leaf_signer signer;
        int error;
    } cases[] = {
        {LEAF_BY_AUTHORITY, X509_V_OK},
        {LEAF_BY_UNTRUSTED, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
        {LEAF_BY_ITSELF, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
    };
    struct identity origin =
        make_identity(&(struct recipe){.common_name = "a.test", .names = "DNS:a.test"});
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct leaf *leaf = forge_as(&origin, (struct leaf_request){.signer = cases[i].signer});
        assert_int_equal(verify_leaf(leaf, "a.test"), cases[i].error);
        const X509 *anchor = any_anchor();
        assert_int_equal(X509_verify(leaf->certificate, X509_get0_pubkey(anchor)) == 1, i == 0);
        assert_string_equal(names_of(leaf), "DNS:a.test");
        leaf_unref(leaf);
    }
    free_identity(&origin);
}

static void a_forgery_signed_by_itself_is_so_with_its_own_key_and_names_no_other(void **state)
{
    (void)state;
    struct identity origin =
        make_identity(&(struct recipe){.common_name = "a.test", .names = "DNS:a.test"});
    for (int key = 0; key < LEAF_KEYS; key++) {
        struct leaf *leaf = forge_as(
            &origin, (struct leaf_request){.signer = LEAF_BY_ITSELF, .key = (enum leaf_key)key});
        X509 *certificate = leaf->certificate;
        assert_int_equal(X509_verify(certificate, leaf->key), 1);
        assert_int_equal(
            X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)),
            0);
        assert_extensions(certificate, (const int[]){NID_basic_constraints, NID_key_usage,
                                                     NID_ext_key_usage, NID_subject_alt_name, 0});
        assert_int_equal(X509_check_ca(certificate), 0);
        leaf_unref(leaf);
    }
    free_identity(&origin);
}

/* ---- names ---- */

/* F1 */
static void names_are_the_origins_hosts_and_addresses_in_their_order(void **state)
{
    (void)state;
    static const struct {
        const char *origin, *expected;
    } cases[] = {
        {"DNS:a.test", "DNS:a.test"},
        {"DNS:b.test, DNS:*.a.test, DNS:b.test", "DNS:b.test, DNS:*.a.test, DNS:b.test"},
        {"IP:192.0.2.1, DNS:a.test, IP:2001:db8::1",
         "IP Address:192.0.2.1, DNS:a.test, IP Address:2001:DB8:0:0:0:0:0:1"},
        {"email:x@a.test, DNS:a.test, URI:https://a.test/, RID:1.2.3", "DNS:a.test"},
        {"email:x@a.test", ""},
        {NULL, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct leaf *leaf =
            forge_recipe((struct recipe){.common_name = "a.test", .names = cases[i].origin});
        assert_string_equal(names_of(leaf), cases[i].expected);
        assert_int_equal(X509_get_ext_by_NID(leaf->certificate, NID_subject_alt_name, -1) < 0,
                         cases[i].expected[0] == '\0');
        leaf_unref(leaf);
    }
}

/* F1 */
static void a_name_is_added_behind_the_others_and_only_if_asked_for(void **state)
{
    (void)state;
    struct identity origin =
        make_identity(&(struct recipe){.common_name = "other.test", .names = "DNS:other.test"});
    struct identity nameless = make_identity(&(struct recipe){.common_name = "other.test"});
    struct leaf *leaf = forge(&origin);
    assert_string_equal(names_of(leaf), "DNS:other.test");
    assert_int_equal(verify_leaf(leaf, "dev.test"), X509_V_ERR_HOSTNAME_MISMATCH);
    leaf_unref(leaf);
    leaf = forge_as(&origin, (struct leaf_request){.add_name = "dev.test"});
    assert_string_equal(names_of(leaf), "DNS:other.test, DNS:dev.test");
    assert_int_equal(verify_leaf(leaf, "dev.test"), X509_V_OK);
    leaf_unref(leaf);
    leaf = forge_as(&nameless, (struct leaf_request){.add_name = "dev.test"});
    assert_string_equal(names_of(leaf), "DNS:dev.test");
    leaf_unref(leaf);
    free_identity(&origin);
    free_identity(&nameless);
}

/* F1: where there is no name the address is what a device checks. */
static void an_address_is_added_as_an_address(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names, *other;
    } cases[] = {
        {"192.0.2.7", "DNS:other.test, IP Address:192.0.2.7", "192.0.2.8"},
        {"2001:db8::7", "DNS:other.test, IP Address:2001:DB8:0:0:0:0:0:7", "2001:db8::8"},
    };
    struct identity origin =
        make_identity(&(struct recipe){.common_name = "other.test", .names = "DNS:other.test"});
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct leaf *leaf = forge_as(&origin, (struct leaf_request){.add_name = cases[i].text});
        assert_string_equal(names_of(leaf), cases[i].names);
        assert_int_equal(X509_check_ip_asc(leaf->certificate, cases[i].text, 0), 1);
        assert_int_equal(X509_check_ip_asc(leaf->certificate, cases[i].other, 0), 0);
        assert_int_equal(X509_check_host(leaf->certificate, cases[i].text, 0, 0, NULL), 0);
        assert_int_equal(verify_leaf(leaf, NULL), X509_V_OK);
        leaf_unref(leaf);
    }
    free_identity(&origin);
}

static void of_the_subject_only_the_common_name_is_taken(void **state)
{
    (void)state;
    struct identity origin = make_identity(&(struct recipe){.names = "DNS:a.test"});
    X509_NAME *subject = X509_get_subject_name(origin.certificate);
    static const char *const attributes[][2] = {
        {"C", "DE"}, {"O", "Example"}, {"CN", "a.test"}, {"OU", "Web"}};
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
        assert_int_equal(X509_NAME_add_entry_by_txt(subject, attributes[i][0], MBSTRING_UTF8,
                                                    (const unsigned char *)attributes[i][1], -1, -1,
                                                    0),
                         1);
    struct leaf *leaf = forge(&origin);
    assert_string_equal(subject_of(leaf), "/CN=a.test");
    leaf_unref(leaf);
    free_identity(&origin);
}

/* F9, RFC 5280, 4.2.1.6 */
static void without_a_subject_the_names_are_critical(void **state)
{
    (void)state;
    struct leaf *leaf = forge_recipe((struct recipe){.names = "DNS:a.test"});
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf->certificate)), 0);
    assert_true(is_critical(leaf->certificate, NID_subject_alt_name));
    assert_int_equal(verify_leaf(leaf, "a.test"), X509_V_OK);
    leaf_unref(leaf);
    leaf = forge_recipe((struct recipe){.common_name = "a.test", .names = "DNS:a.test"});
    assert_false(is_critical(leaf->certificate, NID_subject_alt_name));
    leaf_unref(leaf);
}

/* F9 */
static void a_common_name_that_could_not_stand_there_is_dropped(void **state)
{
    (void)state;
    static const char as[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const struct {
        const char *name;
        int length;
        bool kept;
    } cases[] = {
        {"a.test", 6, true},    {as, 64, true},         {as, 65, false},
        {"a\0.test", 7, false}, {"a\n.test", 7, false}, {"a\x7f", 2, false},
        {"\x1b[31m", 5, false}, {"a b", 3, true},       {"b\xc3\xbc.test", 8, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct leaf *leaf = forge_recipe((struct recipe){.common_name = cases[i].name,
                                                         .common_name_length = cases[i].length,
                                                         .names = "DNS:a.test"});
        const X509_NAME *subject = X509_get_subject_name(leaf->certificate);
        int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        assert_int_equal(index >= 0, cases[i].kept);
        assert_int_equal(is_critical(leaf->certificate, NID_subject_alt_name), !cases[i].kept);
        if (cases[i].kept) {
            const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
            assert_int_equal(ASN1_STRING_length(text), cases[i].length);
            assert_memory_equal(ASN1_STRING_get0_data(text), cases[i].name,
                                (size_t)cases[i].length);
        }
        assert_int_equal(verify_leaf(leaf, "a.test"), X509_V_OK);
        leaf_unref(leaf);
    }
}

static void push_raw_name(GENERAL_NAMES *names, int type, const void *bytes, int length)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value =
        ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
    assert_true(name != NULL && value != NULL);
    assert_int_equal(ASN1_STRING_set(value, bytes, length), 1);
    GENERAL_NAME_set0_value(name, type, value);
    assert_true(sk_GENERAL_NAME_push(names, name) > 0);
}

/* F9 */
static void names_that_no_host_has_are_dropped_and_the_others_kept(void **state)
{
    (void)state;
    static const unsigned char address[17] = {192, 0, 2, 1};
    char longest[257];
    memset(longest, 'a', sizeof(longest));
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    push_raw_name(names, GEN_DNS, "first.test", 10);
    push_raw_name(names, GEN_DNS, "good.test\0.evil.test", 20);
    push_raw_name(names, GEN_DNS, "a\n.test", 7);
    push_raw_name(names, GEN_DNS, "a\x7f.test", 7);
    push_raw_name(names, GEN_DNS, "\x01", 1);
    push_raw_name(names, GEN_DNS, "", 0);
    push_raw_name(names, GEN_DNS, longest, 256);
    push_raw_name(names, GEN_IPADD, address, 4);
    for (int length = 0; length <= 17; length++)
        if (length != 4 && length != 16)
            push_raw_name(names, GEN_IPADD, address, length);
    push_raw_name(names, GEN_DNS, longest, 255);
    struct leaf *leaf = forge_recipe((struct recipe){.raw_names = names});
    char expected[400];
    snprintf(expected, sizeof(expected), "DNS:first.test, IP Address:192.0.2.1, DNS:%.255s",
             longest);
    assert_string_equal(names_of(leaf), expected);
    assert_int_equal(verify_leaf(leaf, "first.test"), X509_V_OK);
    assert_int_equal(verify_leaf(leaf, "good.test"), X509_V_ERR_HOSTNAME_MISMATCH);
    leaf_unref(leaf);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

/* F9: clients look at the common name where there is no host name. */
static void a_common_name_does_not_stand_in_for_a_dropped_name(void **state)
{
    (void)state;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    push_raw_name(names, GEN_DNS, "a.test\0.evil.test", 17);
    struct leaf *leaf = forge_recipe(
        (struct recipe){.common_name = "a.test", .common_name_length = 6, .raw_names = names});
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf->certificate)), 0);
    assert_int_equal(X509_check_host(leaf->certificate, "a.test", 0, 0, NULL), 0);
    leaf_unref(leaf);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

/* F9 */
static void a_thousand_names_and_ten_thousand_are_all_forged(void **state)
{
    (void)state;
    static const int counts[] = {1000, 10000};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
        char text[32];
        for (int j = 0; j < counts[i]; j++)
            push_raw_name(names, GEN_DNS, text, sprintf(text, "host-%d.test", j));
        struct leaf *leaf = forge_recipe((struct recipe){.raw_names = names});
        GENERAL_NAMES *forged =
            X509_get_ext_d2i(leaf->certificate, NID_subject_alt_name, NULL, NULL);
        assert_int_equal(sk_GENERAL_NAME_num(forged), counts[i]);
        assert_int_equal(verify_leaf(leaf, "host-0.test"), X509_V_OK);
        assert_int_equal(verify_leaf(leaf, text), X509_V_OK);
        assert_int_equal(verify_leaf(leaf, "host.test"), X509_V_ERR_HOSTNAME_MISMATCH);
        sk_GENERAL_NAME_pop_free(forged, GENERAL_NAME_free);
        sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
        leaf_unref(leaf);
    }
}

/* ---- validity: F6 ---- */

struct validity_case {
    const char *what;
    time_t origin_starts, origin_ends; /* from now */
    struct leaf_request request;       /* its limits are from now too */
    time_t starts, ends;               /* what is expected, from now */
};

static void assert_near(time_t actual, time_t expected, time_t elapsed, const char *what)
{
    if (actual < expected || actual > expected + elapsed)
        fail_msg("%s: %ld s too late", what, (long)(actual - expected));
}

static void assert_validity(const struct validity_case *validity)
{
    time_t now = time(NULL);
    const struct recipe recipe = {.names = "DNS:a.test",
                                  .not_before = now + validity->origin_starts,
                                  .not_after = now + validity->origin_ends};
    struct identity origin = make_identity(&recipe);
    struct leaf_request request = validity->request;
    if (request.not_before != 0)
        request.not_before += now;
    if (request.not_after != 0)
        request.not_after += now;
    struct leaf *leaf = forge_as(&origin, request);
    time_t elapsed = time(NULL) - now;
    assert_near(start_of(leaf), now + validity->starts, elapsed, validity->what);
    assert_near(end_of(leaf), now + validity->ends, elapsed, validity->what);
    assert_true(start_of(leaf) < end_of(leaf));
    assert_true(end_of(leaf) - start_of(leaf) < 200 * DAY);
    assert_true(end_of(leaf) <= time_of(X509_get0_notAfter(any_anchor())));
    leaf_unref(leaf);
    free_identity(&origin);
}

static void a_good_origin_is_forged_with_good_dates(void **state)
{
    (void)state;
    static const struct validity_case cases[] = {
        {"long", -100 * DAY, 1000 * DAY, {0}, -DAY, LEAF_VALID_DAYS * DAY},
        {"for ever", -10000 * DAY, 100000 * DAY, {0}, -DAY, LEAF_VALID_DAYS * DAY},
        {"ends in time", -100 * DAY, 60 * DAY, {0}, -DAY, 60 * DAY},
        {"ends in an hour", -100 * DAY, 3600, {0}, -DAY, 3600},
        {"began an hour ago", -3600, 60 * DAY, {0}, -DAY, 60 * DAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_validity(&cases[i]);
}

static void an_origin_out_of_date_keeps_the_date_that_makes_it_so(void **state)
{
    (void)state;
    static const struct validity_case cases[] = {
        {"just ended", -100 * DAY, -60, {0}, -DAY, -60},
        {"ended yesterday", -100 * DAY, -DAY - 60, {0}, -2 * DAY - 60, -DAY - 60},
        {"ended long ago", -3000 * DAY, -2000 * DAY, {0}, -2001 * DAY, -2000 * DAY},
        {"begins soon", 3600, 60 * DAY, {0}, 3600, 60 * DAY},
        {"begins soon, for long", 3600, 1000 * DAY, {0}, 3600, LEAF_VALID_DAYS * DAY},
        {"begins much later", 1000 * DAY, 2000 * DAY, {0}, 100 * DAY, 101 * DAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_validity(&cases[i]);
}

static void certificates_above_that_are_out_of_date_narrow_it(void **state)
{
    (void)state;
    static const struct validity_case cases[] = {
        {"ended", -100 * DAY, 100 * DAY, {.not_after = -50}, -DAY, -50},
        {"ended long ago", -100 * DAY, 100 * DAY, {.not_after = -9 * DAY}, -10 * DAY, -9 * DAY},
        {"begins", -100 * DAY, 100 * DAY, {.not_before = 5 * DAY}, 5 * DAY, 100 * DAY},
        {"wider than the origin",
         -100 * DAY,
         10 * DAY,
         {.not_before = -200 * DAY, .not_after = 200 * DAY},
         -DAY,
         10 * DAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_validity(&cases[i]);
}

static void good_dates_are_given_to_any_origin_if_asked_for(void **state)
{
    (void)state;
    static const struct validity_case cases[] = {
        {"ended", -100 * DAY, -50 * DAY, {.good_dates = true}, -DAY, LEAF_VALID_DAYS * DAY},
        {"begins", 50 * DAY, 60 * DAY, {.good_dates = true}, -DAY, LEAF_VALID_DAYS * DAY},
        {"limits",
         -DAY,
         60 * DAY,
         {.good_dates = true, .not_before = 5 * DAY, .not_after = -5 * DAY},
         -DAY,
         LEAF_VALID_DAYS * DAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_validity(&cases[i]);
}

static void no_forgery_outlives_the_authority(void **state)
{
    (void)state;
    const time_t now = time(NULL), ends = now + 20 * DAY;
    const struct recipe ca = {.common_name = "Own CA", .ca = true, .not_after = ends};
    const struct recipe recipe = {.names = "DNS:a.test", .not_after = now + 100 * DAY};
    struct identity own = make_identity(&ca), origin = make_identity(&recipe);
    struct authority *authority = authority_of(&own);
    struct leaf_maker maker = maker_of(authority);
    for (int good_dates = 0; good_dates < 2; good_dates++) {
        const struct leaf_request request = {.origin = origin.certificate,
                                             .good_dates = good_dates != 0};
        struct leaf *leaf = forge_by(authority, &maker, &request);
        assert_non_null(leaf);
        assert_true(end_of(leaf) == ends);
        leaf_unref(leaf);
    }
    leaf_maker_fini(&maker);
    authority_free(authority);
    free_identity(&own);
    free_identity(&origin);
}

static void a_forgery_is_used_up_a_day_before_its_end(void **state)
{
    (void)state;
    const time_t now = time(NULL);
    const struct recipe recipes[] = {
        {.names = "DNS:a.test", .not_after = now + 1000 * DAY},
        {.names = "DNS:a.test", .not_after = now + 90 * DAY},
        {.names = "DNS:a.test", .not_after = now + 10 * DAY},
        {.names = "DNS:a.test", .not_after = now + 2 * DAY + 600},
    };
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        struct leaf *leaf = forge_recipe(recipes[i]);
        assert_true(leaf->expires == end_of(leaf) - DAY);
        leaf_unref(leaf);
    }
}

/* So it is used at all, and not longer than a device takes it. */
static void a_forgery_that_ends_soon_is_used_up_in_the_middle_of_its_time(void **state)
{
    (void)state;
    static const time_t left[] = {3600, DAY / 2, DAY, 2 * DAY - 600};
    for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
        const time_t now = time(NULL);
        struct leaf *leaf =
            forge_recipe((struct recipe){.names = "DNS:a.test", .not_after = now + left[i]});
        assert_near(leaf->expires, now + left[i] / 2, time(NULL) - now, "expires");
        assert_true(leaf->expires > now && leaf->expires < end_of(leaf));
        leaf_unref(leaf);
    }
}

/* What it is forged for may have been renewed. */
static void a_forgery_that_has_ended_is_used_for_a_day(void **state)
{
    (void)state;
    const time_t now = time(NULL);
    struct leaf *leaf = forge_recipe((struct recipe){
        .names = "DNS:a.test", .not_before = now - 9 * DAY, .not_after = now - 5 * DAY});
    assert_true(leaf->expires >= now + DAY && leaf->expires <= time(NULL) + DAY);
    leaf_unref(leaf);
}

/* ---- ownership ---- */

static void a_forgery_lives_until_its_last_reference_is_given_back(void **state)
{
    (void)state;
    struct identity origin = make_identity(&(struct recipe){.names = "DNS:a.test"});
    struct leaf *leaf = forge(&origin);
    free_identity(&origin); /* it was needed for forging only */
    struct leaf *same = leaf_ref(leaf);
    assert_ptr_equal(same, leaf);
    leaf_unref(leaf);
    assert_int_equal(verify_leaf(same, "a.test"), X509_V_OK);
    leaf_unref(same);
    leaf_unref(NULL);
}

/* ---- keys ---- */

static void assert_same_keys(const struct leaf_keys *a, const struct leaf_keys *b, bool same)
{
    for (size_t i = 0; i < LEAF_KEYS; i++)
        assert_int_equal(EVP_PKEY_eq(a->keys[i], b->keys[i]) == 1, same);
}

static void keys_are_made_once_and_are_for_their_owner_only(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "state/leaf.pem"), parent = path_in(&folder, "state");
    struct leaf_keys first, second;
    const mode_t mask = umask(0);
    bool opened = leaf_keys_open(&first, path.text);
    umask(mask);
    assert_true(opened);
    assert_int_equal(mode_of(&path), 0600);
    assert_int_equal(mode_of(&parent), 0700);
    assert_true(EVP_PKEY_is_a(first.keys[LEAF_KEY_ECDSA], "EC"));
    char group[32];
    size_t length;
    assert_int_equal(EVP_PKEY_get_utf8_string_param(first.keys[LEAF_KEY_ECDSA],
                                                    OSSL_PKEY_PARAM_GROUP_NAME, group,
                                                    sizeof(group), &length),
                     1);
    assert_string_equal(group, "prime256v1");
    assert_true(EVP_PKEY_is_a(first.keys[LEAF_KEY_RSA], "RSA"));
    assert_int_equal(EVP_PKEY_get_bits(first.keys[LEAF_KEY_RSA]), 2048);
    assert_true(leaf_keys_open(&second, path.text));
    assert_same_keys(&first, &second, true);
    leaf_keys_free(&first);
    assert_null(first.keys[0]);
    assert_null(first.keys[1]);
    leaf_keys_free(&second);
    remove_folder(&folder);
}

/* Nothing depends on these keys but forgeries that are made anew anyway. */
static void damaged_keys_are_replaced(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "leaf.pem");
    const struct leaf_keys *good = &any_maker()->keys;
    struct leaf_keys keys, again;
    write_identity(path.text, NULL, good->keys[LEAF_KEY_ECDSA]); /* the other is missing */
    assert_true(leaf_keys_open(&keys, path.text));
    assert_same_keys(&keys, good, false);
    assert_true(leaf_keys_open(&again, path.text));
    assert_same_keys(&keys, &again, true);
    leaf_keys_free(&keys);
    leaf_keys_free(&again);

    FILE *file = fopen(path.text, "w"); /* the wrong way round */
    assert_non_null(file);
    for (int i = LEAF_KEYS - 1; i >= 0; i--)
        assert_int_equal(PEM_write_PrivateKey(file, good->keys[i], NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    assert_true(leaf_keys_open(&keys, path.text));
    assert_true(EVP_PKEY_is_a(keys.keys[LEAF_KEY_ECDSA], "EC"));
    assert_true(EVP_PKEY_is_a(keys.keys[LEAF_KEY_RSA], "RSA"));
    leaf_keys_free(&keys);
    remove_folder(&folder);
}

static void count_line(void *context, const char *line, size_t length)
{
    (void)line, (void)length;
    ++*(unsigned *)context;
}

static void keys_that_cannot_be_kept_are_made_all_the_same(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path file = path_in(&folder, "file"), path = path_in(&folder, "file/leaf.pem");
    struct leaf_keys keys;
    unsigned lines = 0;
    assert_true(file_replace(file.text, "", 0, 0600));
    log_redirect(count_line, &lines);
    bool opened = leaf_keys_open(&keys, path.text);
    log_redirect(NULL, NULL);
    assert_true(opened);
    assert_int_equal(lines, 1);
    leaf_keys_free(&keys);
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forgery_verifies_strictly_with_every_kind_of_key),
        cmocka_unit_test(the_key_is_the_one_asked_for_and_never_the_authoritys),
        cmocka_unit_test(serials_are_positive_short_and_never_used_twice),
        cmocka_unit_test(extensions_are_a_fixed_set_whatever_the_origin_has),
        cmocka_unit_test(the_key_usage_fits_the_key),
        cmocka_unit_test(the_authority_is_named_by_its_own_key_identifier),
        cmocka_unit_test(the_signature_is_of_sha256_whatever_the_origins_was),
        cmocka_unit_test(its_digests_are_told_as_text),
        cmocka_unit_test(only_the_authoritys_forgeries_are_trusted),
        cmocka_unit_test(a_forgery_signed_by_itself_is_so_with_its_own_key_and_names_no_other),
        cmocka_unit_test(names_are_the_origins_hosts_and_addresses_in_their_order),
        cmocka_unit_test(a_name_is_added_behind_the_others_and_only_if_asked_for),
        cmocka_unit_test(an_address_is_added_as_an_address),
        cmocka_unit_test(of_the_subject_only_the_common_name_is_taken),
        cmocka_unit_test(without_a_subject_the_names_are_critical),
        cmocka_unit_test(a_common_name_that_could_not_stand_there_is_dropped),
        cmocka_unit_test(names_that_no_host_has_are_dropped_and_the_others_kept),
        cmocka_unit_test(a_common_name_does_not_stand_in_for_a_dropped_name),
        cmocka_unit_test(a_thousand_names_and_ten_thousand_are_all_forged),
        cmocka_unit_test(a_good_origin_is_forged_with_good_dates),
        cmocka_unit_test(an_origin_out_of_date_keeps_the_date_that_makes_it_so),
        cmocka_unit_test(certificates_above_that_are_out_of_date_narrow_it),
        cmocka_unit_test(good_dates_are_given_to_any_origin_if_asked_for),
        cmocka_unit_test(no_forgery_outlives_the_authority),
        cmocka_unit_test(a_forgery_is_used_up_a_day_before_its_end),
        cmocka_unit_test(a_forgery_that_ends_soon_is_used_up_in_the_middle_of_its_time),
        cmocka_unit_test(a_forgery_that_has_ended_is_used_for_a_day),
        cmocka_unit_test(a_forgery_lives_until_its_last_reference_is_given_back),
        cmocka_unit_test(keys_are_made_once_and_are_for_their_owner_only),
        cmocka_unit_test(damaged_keys_are_replaced),
        cmocka_unit_test(keys_that_cannot_be_kept_are_made_all_the_same),
    };
    return cmocka_run_group_tests_name("tls/leaf", tests, NULL, NULL);
}
