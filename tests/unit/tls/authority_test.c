/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/log.h"
#include "forge.h"
#include "tls/authority.h"

#include <errno.h>
#include <unistd.h>

static X509 *read_certificate(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(certificate);
    return certificate;
}

static struct authority *open_authority(const struct path *path)
{
    struct authority *authority = authority_open(path->text, NULL, NULL);
    assert_non_null(authority);
    return authority;
}

/* A certificate for a server, not yet signed. */
static X509 *unsigned_certificate(const char *constraints, const char *usage)
{
    const struct recipe recipe = {.common_name = "a.test", .names = "DNS:a.test"};
    struct identity identity = make_identity(&recipe);
    X509 *certificate = identity.certificate;
    if (constraints != NULL)
        add_extension(certificate, certificate, NID_basic_constraints, constraints);
    if (usage != NULL)
        add_extension(certificate, certificate, NID_key_usage, usage);
    EVP_PKEY_free(identity.key);
    return certificate;
}

static X509 *server_certificate(void)
{
    return unsigned_certificate("critical,CA:FALSE", "critical,digitalSignature");
}

/* ---- making ---- */

static void the_first_start_makes_an_authority_that_only_its_owner_can_read(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "state/deep/ca.pem"),
                      certificate_path = path_in(&folder, "state/deep/ca-cert.pem");
    bool made = false;
    const mode_t mask = umask(0);
    struct authority *authority = authority_open(path.text, NULL, &made);
    umask(mask);
    assert_non_null(authority);
    assert_true(made);
    assert_int_equal(mode_of(&path), 0600);
    assert_int_equal(mode_of(&certificate_path), 0644);
    const struct path parent = path_in(&folder, "state/deep");
    assert_int_equal(mode_of(&parent), 0700);
    authority_free(authority);
    remove_folder(&folder);
}

static void the_certificate_beside_it_has_no_key_in_it(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem"),
                      certificate_path = path_in(&folder, "ca-cert.pem");
    struct authority *authority = open_authority(&path);
    X509 *certificate = read_certificate(certificate_path.text);
    assert_int_equal(X509_cmp(certificate, authority->issuer.certificate), 0);
    size_t length;
    char *content = file_read(certificate_path.text, &length);
    assert_non_null(content);
    assert_null(strstr(content, "PRIVATE"));
    free(content);
    X509_free(certificate);
    authority_free(authority);
    remove_folder(&folder);
}

static void a_made_authority_has_the_extensions_of_a_ca(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    struct authority *authority = open_authority(&path);
    X509 *certificate = authority->issuer.certificate;
    assert_extensions(certificate, (const int[]){NID_basic_constraints, NID_key_usage,
                                                 NID_subject_key_identifier, 0});
    assert_true(is_critical(certificate, NID_basic_constraints));
    assert_true(is_critical(certificate, NID_key_usage));
    assert_int_equal(X509_check_ca(certificate), 1);
    assert_int_equal(X509_get_pathlen(certificate), 0);
    assert_int_equal(X509_get_key_usage(certificate), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_non_null(X509_get0_subject_key_id(certificate));
    assert_int_equal(X509_verify(certificate, X509_get0_pubkey(certificate)), 1);
    assert_int_equal(verify_strictly(certificate, certificate, NULL), X509_V_ERR_INVALID_PURPOSE);
    authority_free(authority);
    remove_folder(&folder);
}

static void a_made_authority_is_valid_now_and_for_years(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    struct authority *authority = open_authority(&path);
    const X509 *certificate = authority->issuer.certificate;
    time_t now = time(NULL);
    assert_true(time_of(X509_get0_notBefore(certificate)) <= now - DAY);
    assert_true(time_of(X509_get0_notAfter(certificate)) > now + 5 * 365 * DAY);
    authority_free(authority);
    remove_folder(&folder);
}

/* Old and small devices verify RSA and nothing else: a leaf of RSA alone would not do for them. */
static void a_made_authority_is_of_rsa_and_so_is_every_signature_of_its(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    struct authority *authority = open_authority(&path);
    X509 *anchor = authority->issuer.certificate;
    struct leaf_maker maker = maker_of(authority);
    struct identity origin = make_identity(&(struct recipe){.names = "DNS:a.test"});
    assert_true(EVP_PKEY_is_a(X509_get0_pubkey(anchor), "RSA"));
    assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(anchor)), 2048);
    assert_int_equal(X509_get_signature_nid(anchor), NID_sha256WithRSAEncryption);
    for (int key = 0; key < LEAF_KEYS; key++) {
        const struct leaf_request request = {.origin = origin.certificate,
                                             .key = (enum leaf_key)key};
        struct leaf *leaf = forge_by(authority, &maker, &request);
        assert_non_null(leaf);
        assert_int_equal(verify_strictly(leaf->certificate, anchor, "a.test"), X509_V_OK);
        assert_int_equal(X509_get_signature_nid(leaf->certificate), NID_sha256WithRSAEncryption);
        leaf_unref(leaf);
    }
    free_identity(&origin);
    leaf_maker_fini(&maker);
    authority_free(authority);
    remove_folder(&folder);
}

static void every_install_has_an_authority_of_its_own(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path paths[] = {path_in(&folder, "a.pem"), path_in(&folder, "b.pem")};
    struct authority *a = open_authority(&paths[0]), *b = open_authority(&paths[1]);
    const X509 *first = a->issuer.certificate, *second = b->issuer.certificate;
    assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(first), X509_get0_pubkey(second)), 1);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
    authority_free(a);
    authority_free(b);
    remove_folder(&folder);
}

static void the_next_start_finds_the_same_authority(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    struct authority *authority = open_authority(&path);
    X509 *certificate = X509_dup(authority->issuer.certificate);
    authority_free(authority);
    bool made = true;
    authority = authority_open(path.text, NULL, &made);
    assert_non_null(authority);
    assert_false(made);
    assert_int_equal(X509_cmp(certificate, authority->issuer.certificate), 0);
    X509_free(certificate);
    authority_free(authority);
    remove_folder(&folder);
}

static void the_certificates_path_is_made_of_the_authoritys(void **state)
{
    (void)state;
    static const struct {
        const char *path, *expected;
    } cases[] = {
        {"/var/lib/interceptd/ca.pem", "/var/lib/interceptd/ca-cert.pem"},
        {"/a/ca", "/a/ca-cert.pem"},
        {"/a.pem/ca.key", "/a.pem/ca.key-cert.pem"},
        {"/a/ca.pem.pem", "/a/ca.pem-cert.pem"},
    };
    char text[128];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        authority_certificate_path(cases[i].path, text, sizeof(text));
        assert_string_equal(text, cases[i].expected);
    }
    authority_certificate_path("/a/ca.pem", text, 6);
    assert_string_equal(text, "/a/ca");
}

/* ---- an operator's own ---- */

static void an_operators_own_authority_is_taken_in_either_order(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path paths[] = {path_in(&folder, "a.pem"), path_in(&folder, "b.pem")};
    const struct recipe recipes[] = {{.common_name = "Own CA", .ca = true},
                                     {.common_name = "Own CA", .ca = true, .rsa_bits = 2048},
                                     {.common_name = "Own CA", .ca = true, .key_type = "ED25519"}};
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        struct identity own = make_identity(&recipes[i]);
        write_identity(paths[0].text, own.certificate, own.key);
        FILE *file = fopen(paths[1].text, "w");
        assert_non_null(file);
        assert_int_equal(PEM_write_PrivateKey(file, own.key, NULL, NULL, 0, NULL, NULL), 1);
        assert_int_equal(PEM_write_X509(file, own.certificate), 1);
        fclose(file);
        for (size_t j = 0; j < ARRAY_SIZE(paths); j++) {
            struct authority *authority = open_authority(&paths[j]);
            assert_int_equal(X509_cmp(authority->issuer.certificate, own.certificate), 0);
            authority_free(authority);
        }
        free_identity(&own);
    }
    remove_folder(&folder);
}

/* ---- files that will not do ---- */

static char last_line[512];

static void hear(void *context, const char *line, size_t length)
{
    (void)context;
    snprintf(last_line, sizeof(last_line), "%.*s", (int)length, line);
}

/* Nothing is opened, the reason is logged, and the file is left as it was. */
static void assert_refused(const struct path *path, const char *reason)
{
    size_t length, length_after;
    char expected[512];
    char *before = file_read(path->text, &length);
    bool made = true;
    last_line[0] = '\0';
    log_redirect(hear, NULL);
    struct authority *authority = authority_open(path->text, NULL, &made);
    log_redirect(NULL, NULL);
    assert_null(authority);
    assert_false(made);
    snprintf(expected, sizeof(expected), "%s: %s\n", path->text, reason);
    if (strstr(last_line, expected) == NULL)
        fail_msg("%s was logged, not %s", last_line, expected);
    if (before != NULL) {
        char *after = file_read(path->text, &length_after);
        assert_non_null(after);
        assert_int_equal(length_after, length);
        assert_memory_equal(after, before, length);
        free(after);
    }
    free(before);
}

static void a_file_that_is_no_authority_is_refused_and_never_overwritten(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    const struct recipe recipe = {.common_name = "Own CA", .ca = true};
    struct identity own = make_identity(&recipe), other = make_identity(&recipe);
    static const char *const contents[] = {"", "\n", "nothing of the kind",
                                           "-----BEGIN CERTIFICATE-----\nMIIB\n"};
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        assert_true(file_replace(path.text, contents[i], strlen(contents[i]), 0600));
        assert_refused(&path, "there is no certificate in it");
    }
    write_identity(path.text, NULL, own.key);
    assert_refused(&path, "there is no certificate in it");
    write_identity(path.text, own.certificate, NULL);
    assert_refused(&path, "there is no private key in it");
    write_identity(path.text, own.certificate, other.key);
    assert_refused(&path, "the private key is not that of the certificate");
    free_identity(&own);
    free_identity(&other);
    remove_folder(&folder);
}

static void a_certificate_that_cannot_sign_is_refused(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    const time_t now = time(NULL);
    const struct {
        struct recipe recipe;
        const char *reason;
    } cases[] = {
        {{.common_name = "a.test"}, "the certificate is not that of a CA"},
        {{.extensions = {{NID_basic_constraints, "critical,CA:FALSE"}}},
         "the certificate is not that of a CA"},
        {{.extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                         {NID_key_usage, "critical,cRLSign,digitalSignature"}}},
         "the certificate is not that of a CA"},
        {{.ca = true, .not_before = now - 2 * DAY, .not_after = now - 60},
         "the certificate has expired"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct identity own = make_identity(&cases[i].recipe);
        write_identity(path.text, own.certificate, own.key);
        assert_refused(&path, cases[i].reason);
        free_identity(&own);
    }
    remove_folder(&folder);
}

static void a_path_that_cannot_be_read_or_written_is_refused(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path file = path_in(&folder, "file"), below = path_in(&folder, "file/ca.pem");
    const struct path directory = path_in(&folder, "directory");
    assert_true(file_replace(file.text, "", 0, 0600));
    assert_refused(&below, "Not a directory");
    assert_int_equal(mkdir(directory.text, 0700), 0);
    assert_refused(&directory, "Is a directory");
    remove_folder(&folder);
}

/* ---- signing ---- */

static void what_it_signs_verifies(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    struct authority *authority = open_authority(&path);
    X509 *anchor = authority->issuer.certificate;
    X509 *certificate = server_certificate();
    assert_true(issuer_sign(&authority->issuer, certificate));
    assert_int_equal(verify_strictly(certificate, anchor, "a.test"), X509_V_OK);
    assert_int_equal(
        X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(anchor)), 0);
    const ASN1_OCTET_STRING *identifier = X509_get0_authority_key_id(certificate);
    assert_non_null(identifier);
    assert_int_equal(ASN1_OCTET_STRING_cmp(identifier, X509_get0_subject_key_id(anchor)), 0);
    X509_free(certificate);
    authority_free(authority);
    remove_folder(&folder);
}

static void whatever_could_sign_others_is_refused(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    struct authority *authority = open_authority(&path);
    static const struct {
        const char *constraints, *usage;
    } cases[] = {
        {"CA:TRUE,pathlen:0", "critical,keyCertSign"},
        {"critical,CA:TRUE", NULL},
        {"critical,CA:FALSE", "critical,digitalSignature,keyCertSign"},
        {NULL, "keyCertSign"},
        {"critical,CA:FALSE", NULL}, /* no usage at all is every usage */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        X509 *certificate = unsigned_certificate(cases[i].constraints, cases[i].usage);
        if (issuer_sign(&authority->issuer, certificate))
            fail_msg("case %zu was signed", i);
        X509_free(certificate);
    }
    authority_free(authority);
    remove_folder(&folder);
}

static void signatures_are_of_sha256_or_better_whatever_the_key(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    const struct {
        struct recipe recipe;
        int algorithm;
    } cases[] = {
        {{.common_name = "CA", .ca = true, .digest = EVP_sha1()}, NID_ecdsa_with_SHA256},
        {{.common_name = "CA", .ca = true, .rsa_bits = 2048}, NID_sha256WithRSAEncryption},
        {{.common_name = "CA", .ca = true, .key_type = "ED25519"}, NID_ED25519},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct identity own = make_identity(&cases[i].recipe);
        write_identity(path.text, own.certificate, own.key);
        struct authority *authority = open_authority(&path);
        X509 *certificate = server_certificate();
        assert_true(issuer_sign(&authority->issuer, certificate));
        assert_int_equal(X509_get_signature_nid(certificate), cases[i].algorithm);
        assert_int_equal(X509_verify(certificate, own.key), 1);
        X509_free(certificate);
        authority_free(authority);
        free_identity(&own);
    }
    remove_folder(&folder);
}

/* RFC 5280, 4.2.1.1: the identifier is the issuer's own, whatever it was made of. */
static void an_issuers_own_key_identifier_is_quoted(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    static const unsigned char identifier[] = {1, 2, 3, 4, 5};
    const struct recipe recipes[] = {
        {.common_name = "CA",
         .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                        {NID_subject_key_identifier, "0102030405"}}},
        {.common_name = "CA", .extensions = {{NID_basic_constraints, "critical,CA:TRUE"}}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        struct identity own = make_identity(&recipes[i]);
        write_identity(path.text, own.certificate, own.key);
        struct authority *authority = open_authority(&path);
        X509 *certificate = server_certificate();
        assert_true(issuer_sign(&authority->issuer, certificate));
        const ASN1_OCTET_STRING *quoted = X509_get0_authority_key_id(certificate);
        if (i == 0) {
            assert_int_equal(ASN1_STRING_length(quoted), sizeof(identifier));
            assert_memory_equal(ASN1_STRING_get0_data(quoted), identifier, sizeof(identifier));
            assert_null(X509_get0_authority_issuer(certificate));
            assert_null(X509_get0_authority_serial(certificate));
        } else {
            assert_int_equal(X509_get_ext_by_NID(certificate, NID_authority_key_identifier, -1),
                             -1);
        }
        X509_free(certificate);
        authority_free(authority);
        free_identity(&own);
    }
    remove_folder(&folder);
}

static void nothing_can_be_freed(void **state)
{
    (void)state;
    authority_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_start_makes_an_authority_that_only_its_owner_can_read),
        cmocka_unit_test(the_certificate_beside_it_has_no_key_in_it),
        cmocka_unit_test(a_made_authority_has_the_extensions_of_a_ca),
        cmocka_unit_test(a_made_authority_is_valid_now_and_for_years),
        cmocka_unit_test(a_made_authority_is_of_rsa_and_so_is_every_signature_of_its),
        cmocka_unit_test(every_install_has_an_authority_of_its_own),
        cmocka_unit_test(the_next_start_finds_the_same_authority),
        cmocka_unit_test(the_certificates_path_is_made_of_the_authoritys),
        cmocka_unit_test(an_operators_own_authority_is_taken_in_either_order),
        cmocka_unit_test(a_file_that_is_no_authority_is_refused_and_never_overwritten),
        cmocka_unit_test(a_certificate_that_cannot_sign_is_refused),
        cmocka_unit_test(a_path_that_cannot_be_read_or_written_is_refused),
        cmocka_unit_test(what_it_signs_verifies),
        cmocka_unit_test(whatever_could_sign_others_is_refused),
        cmocka_unit_test(signatures_are_of_sha256_or_better_whatever_the_key),
        cmocka_unit_test(an_issuers_own_key_identifier_is_quoted),
        cmocka_unit_test(nothing_can_be_freed),
    };
    return cmocka_run_group_tests_name("tls/authority", tests, NULL, NULL);
}
