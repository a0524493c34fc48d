/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forge.h"
#include "tls/constraints.h"
#include "tls/signing.h"

static uint8_t request[SIGNING_MESSAGE_LIMIT], answer[SIGNING_MESSAGE_LIMIT];

static int make_signer(void **state)
{
    static struct signing signing;
    *state = &signing;
    return signing_init(&signing, any_authority(), NULL) ? 0 : -1;
}

static int drop_signer(void **state)
{
    signing_fini(*state);
    return 0;
}

static struct signing_answer ask_at(struct signing *signing, uint64_t now, size_t length)
{
    struct signing_answer read = {0};
    size_t size = signing_answer(signing, now, request, length, answer);
    assert_true(size > 0);
    assert_true(signing_read_answer(&read, answer, size));
    return read;
}

static struct signing_answer ask(struct signing *signing, X509 *certificate)
{
    size_t length = signing_request(request, 77, signing->digest, certificate);
    assert_true(length > 0);
    return ask_at(signing, 0, length);
}

static void assert_refused(struct signing *signing, X509 *certificate, const char *reason)
{
    struct signing_answer given = ask(signing, certificate);
    assert_int_equal(given.number, 77);
    if (given.status != SIGNING_REFUSED || given.length != strlen(reason) ||
        memcmp(given.content, reason, given.length) != 0)
        fail_msg("%.*s, not: %s", given.status == SIGNING_DONE ? 6 : (int)given.length,
                 given.status == SIGNING_DONE ? "signed" : (const char *)given.content, reason);
}

/* What is like a leaf, but for what `change` has; parts that are given replace those of a leaf. */
static struct identity like_a_leaf(struct recipe change)
{
    static const struct {
        int nid;
        const char *value;
    } usual[] = {{NID_basic_constraints, "critical,CA:FALSE"},
                 {NID_key_usage, "critical,digitalSignature"},
                 {NID_ext_key_usage, "serverAuth"}};
    size_t count = 0, given;
    while (change.extensions[count].nid != 0)
        count++;
    given = count;
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
        bool replaced = false;
        for (size_t j = 0; j < given; j++)
            replaced = replaced || change.extensions[j].nid == usual[i].nid;
        if (!replaced) {
            change.extensions[count].nid = usual[i].nid;
            change.extensions[count++].value = usual[i].value;
        }
    }
    if (change.names == NULL && change.raw_names == NULL)
        change.names = "DNS:a.test";
    return make_identity(&change);
}

static void a_leaf_is_signed(void **state)
{
    struct signing *signing = *state;
    struct identity draft = like_a_leaf((struct recipe){.common_name = "a.test"});
    struct signing_answer given = ask(signing, draft.certificate);
    assert_int_equal(given.number, 77);
    assert_int_equal(given.status, SIGNING_DONE);
    const unsigned char *at = given.content;
    X509 *certificate = d2i_X509(NULL, &at, (long)given.length);
    assert_non_null(certificate);
    assert_ptr_equal(at, given.content + given.length);
    assert_int_equal(verify_strictly(certificate, any_anchor(), "a.test"), X509_V_OK);
    assert_int_equal(X509_check_private_key(certificate, draft.key), 1);
    /* The number of the certificate is the signer's choice. */
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(certificate),
                                          X509_get0_serialNumber(draft.certificate)),
                         0);
    X509_free(certificate);
    free_identity(&draft);
}

static void test_CA4_a_certificate_that_could_sign_others_is_refused(void **state)
{
    static const struct recipe recipes[] = {
        {.extensions = {{NID_basic_constraints, "critical,CA:TRUE"}}},
        {.extensions = {{NID_basic_constraints, "CA:TRUE,pathlen:0"},
                        {NID_key_usage, "critical,keyCertSign"}}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        struct identity draft = like_a_leaf(recipes[i]);
        assert_refused(*state, draft.certificate, "it could sign others");
        free_identity(&draft);
    }
}

static void test_CA4_whatever_is_no_leaf_is_refused(void **state)
{
    const time_t now = time(NULL);
    const struct {
        struct recipe recipe;
        const char *reason;
    } cases[] = {
        {{.extensions = {{NID_key_usage, "critical,digitalSignature,keyCertSign"}}},
         "its key usage is not a server's"},
        {{.extensions = {{NID_key_usage, "critical,cRLSign"}}}, "its key usage is not a server's"},
        {{.extensions = {{NID_ext_key_usage, "codeSigning"}}}, "it is not for servers alone"},
        {{.extensions = {{NID_ext_key_usage, "serverAuth,clientAuth"}}},
         "it is not for servers alone"},
        {{.extensions = {{NID_ext_key_usage, "anyExtendedKeyUsage"}}},
         "it is not for servers alone"},
        {{.extensions = {{NID_ext_key_usage, "serverAuth,msSmartcardLogin,1.3.6.1.5.5.7.3.17"}}},
         "it is not for servers alone"},
        {{.extensions = {{NID_name_constraints, "permitted;DNS:a.test"}}},
         "it has an extension that leaves have not"},
        {{.extensions = {{NID_info_access, "OCSP;URI:http://a.test/"}}},
         "it has an extension that leaves have not"},
        {{.names = "DNS:a.test,email:a@a.test"}, "it has a name of a kind that leaves have not"},
        {{.names = "DNS:a.test,URI:spiffe://a.test"},
         "it has a name of a kind that leaves have not"},
        {{.common_name = "a\nb"}, "its subject is more than a common name"},
        {{.not_before = now, .not_after = now + 200 * DAY}, "it is valid for too long"},
        {{.not_before = now + DAY, .not_after = now}, "it is valid for too long"},
        {{.not_before = now + 201 * DAY, .not_after = now + 202 * DAY}, "it is valid for too long"},
        {{.rsa_bits = 1024}, "its key is too weak"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct identity draft = like_a_leaf(cases[i].recipe);
        assert_refused(*state, draft.certificate, cases[i].reason);
        free_identity(&draft);
    }
}

/* A leaf with the CA's own key would be a way to the CA's signature on TLS's messages. */
static void test_F2_the_authoritys_own_key_is_refused(void **state)
{
    struct identity draft = like_a_leaf((struct recipe){.common_name = "a.test"});
    assert_int_equal(X509_set_pubkey(draft.certificate, any_authority()->issuer.key), 1);
    assert_true(X509_sign(draft.certificate, draft.key, EVP_sha256()) > 0);
    assert_refused(*state, draft.certificate, "its key is the CA's own");
    free_identity(&draft);
}

static void test_CA2_names_outside_the_constraints_are_refused(void **state)
{
    (void)state;
    static const char *const domains[] = {"vendor.test"};
    static const char outside[] = "one of its names is outside the CA's constraints";
    NAME_CONSTRAINTS *constraints = constraints_new(domains, 1);
    struct signing signing;
    assert_true(signing_init(&signing, any_authority(), constraints));
    const struct {
        struct recipe recipe;
        const char *reason;
    } cases[] = {
        {{.names = "DNS:x.other.test"}, outside},
        {{.names = "DNS:x.vendor.test,DNS:x.other.test"}, outside},
        {{.common_name = "a.other.test", .names = "DNS:x.vendor.test"},
         "its common name is outside the CA's constraints"},
        {{.common_name = "a.other.test", .names = "IP:192.0.2.1"},
         "its common name is outside the CA's constraints"},
        {{.common_name = "a.vendor.test", .names = "DNS:x.vendor.test"}, NULL},
        {{.names = "DNS:x.vendor.test,IP:192.0.2.1"}, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct identity draft = like_a_leaf(cases[i].recipe);
        if (cases[i].reason != NULL)
            assert_refused(&signing, draft.certificate, cases[i].reason);
        else
            assert_int_equal(ask(&signing, draft.certificate).status, SIGNING_DONE);
        free_identity(&draft);
    }
    signing_fini(&signing);
    NAME_CONSTRAINTS_free(constraints);
}

static void test_X1_no_more_is_signed_than_the_rate_allows(void **state)
{
    struct signing *signing = *state;
    struct identity draft = like_a_leaf((struct recipe){.common_name = "a.test"});
    size_t length = signing_request(request, 1, signing->digest, draft.certificate);
    signing->signed_leaves = (struct bucket){.spent = SIGNING_BURST - 2};
    assert_int_equal(ask_at(signing, 0, length).status, SIGNING_DONE);
    assert_int_equal(ask_at(signing, 0, length).status, SIGNING_DONE);
    assert_int_equal(ask_at(signing, 0, length).status, SIGNING_BUSY);
    assert_int_equal(ask_at(signing, 1000 / SIGNING_RATE, length).status, SIGNING_DONE);
    assert_int_equal(ask_at(signing, 1000 / SIGNING_RATE, length).status, SIGNING_BUSY);
    free_identity(&draft);
}

static void what_is_no_request_is_refused(void **state)
{
    struct signing *signing = *state;
    struct identity draft = like_a_leaf((struct recipe){.common_name = "a.test"});
    size_t length = signing_request(request, 5, signing->digest, draft.certificate);
    assert_int_equal(signing_answer(signing, 0, request, 35, answer), 0);
    assert_int_equal(signing_answer(signing, 0, request, 0, answer), 0);
    /* One byte too few, and one too many. */
    for (size_t size = length - 1; size <= length + 1; size += 2) {
        struct signing_answer given = ask_at(signing, 0, size);
        assert_int_equal(given.status, SIGNING_REFUSED);
        assert_int_equal(given.length, strlen("it is no certificate"));
    }
    request[4] ^= 1; /* the CA's digest */
    assert_int_equal(ask_at(signing, 0, length).status, SIGNING_REFUSED);
    free_identity(&draft);
}

static void what_is_no_answer_is_not_read(void **state)
{
    (void)state;
    struct signing_answer read;
    static const uint8_t short_one[] = {0, 0, 0, 1}, unknown[] = {0, 0, 0, 1, 200};
    static const uint8_t empty[] = {0, 0, 1, 2, SIGNING_FAILED};
    assert_false(signing_read_answer(&read, short_one, sizeof(short_one)));
    assert_false(signing_read_answer(&read, unknown, sizeof(unknown)));
    assert_true(signing_read_answer(&read, empty, sizeof(empty)));
    assert_int_equal(read.number, 258);
    assert_int_equal(read.length, 0);
}

static void a_certificate_that_is_too_large_is_not_even_asked_for(void **state)
{
    struct signing *signing = *state;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    for (int i = 0; i < 10000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "name%05d.test", i);
        GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_DNS, text, 0);
        assert_true(name != NULL && sk_GENERAL_NAME_push(names, name) > 0);
    }
    struct identity draft = like_a_leaf((struct recipe){.raw_names = names});
    assert_int_equal(signing_request(request, 1, signing->digest, draft.certificate), 0);
    free_identity(&draft);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

#define with_signer(test) cmocka_unit_test_setup_teardown(test, make_signer, drop_signer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_signer(a_leaf_is_signed),
        with_signer(test_CA4_a_certificate_that_could_sign_others_is_refused),
        with_signer(test_CA4_whatever_is_no_leaf_is_refused),
        with_signer(test_F2_the_authoritys_own_key_is_refused),
        with_signer(test_CA2_names_outside_the_constraints_are_refused),
        with_signer(test_X1_no_more_is_signed_than_the_rate_allows),
        with_signer(what_is_no_request_is_refused),
        with_signer(what_is_no_answer_is_not_read),
        with_signer(a_certificate_that_is_too_large_is_not_even_asked_for),
    };
    return cmocka_run_group_tests_name("tls/signing", tests, NULL, NULL);
}
