/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Each origin here is a server that really shakes hands; only its certificate is good or bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../folder.h"
#include "pair.h"
#include "tls/verified.h"
#include "tls/verify.h"

/* The root is trusted, and so is our own CA, as it may be in a system's store; the other is not. */
static struct identity root, own_ca, other_root;
static X509_STORE *trust;
static struct verify_rules rules;
static struct verified kept;
static SSL_CTX *our_context;

static void make_authorities(void)
{
    root = make_identity(&(struct recipe){.common_name = "Root", .ca = true});
    own_ca = make_identity(&(struct recipe){.common_name = "Own CA", .ca = true});
    other_root = make_identity(&(struct recipe){.common_name = "Other root", .ca = true});
    trust = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(trust, root.certificate), 1);
    assert_int_equal(X509_STORE_add_cert(trust, own_ca.certificate), 1);
    our_context = permissive_context(TLS_client_method());
    rules =
        (struct verify_rules){.trust = trust, .authority = own_ca.certificate, .verified = &kept};
    verify_context(our_context, &rules);
}

/* What is found out about a server with this certificate, `above` being sent with it. The handshake
 * is done in any case: the caller decides. */
static struct verify verify_server(const struct identity *server, const struct identity *above,
                                   const char *name, const struct address *address)
{
    struct verify verify;
    struct pair pair;
    SSL_CTX *context = their_server_context(server, above);
    memset(&verify, 0xff, sizeof(verify));
    init_tls_pair(&pair, our_context, context);
    assert_true(verify_prepare(pair.ours.ssl, &verify, name, address));
    assert_int_equal(shake_hands(&pair), IO_OK);
    fini_pair(&pair);
    SSL_CTX_free(context);
    return verify;
}

/* The same for a certificate that is made for it, asked for as a.test. */
static struct verify verify_recipe(struct recipe recipe, const struct identity *above)
{
    struct identity server = make_identity(&recipe);
    struct verify verify = verify_server(&server, above, "a.test", NULL);
    free_identity(&server);
    return verify;
}

static bool has_error(const struct verify *verify, int code, int depth)
{
    for (size_t i = 0; i < verify->count; i++)
        if (verify->errors[i].code == code && verify->errors[i].depth == depth)
            return true;
    return false;
}

static void assert_error(const struct verify *verify, int code, int depth)
{
    if (!has_error(verify, code, depth))
        fail_msg("%s was not found at depth %d", X509_verify_cert_error_string(code), depth);
}

static void assert_only_error(const struct verify *verify, int code, int depth)
{
    assert_int_equal(verify->count, 1);
    assert_error(verify, code, depth);
}

static void assert_good(const struct verify *verify)
{
    assert_string_equal(verify_text(verify), "ok");
    assert_int_equal(verify->count, 0);
    assert_int_equal(verify_code(verify), X509_V_OK);
    assert_int_equal(verify->class, VERIFY_GOOD_CHAIN);
    assert_false(verify->name_mismatch);
    assert_true(verify->not_before == 0 && verify->not_after == 0);
}

/* ---- good ---- */

static void a_good_origin_is_good(void **state)
{
    (void)state;
    const struct verify verify =
        verify_recipe((struct recipe){.names = "DNS:a.test", .issuer = &root}, NULL);
    assert_good(&verify);
}

static void a_chain_is_followed_through_what_the_origin_sends(void **state)
{
    (void)state;
    struct identity between =
        make_identity(&(struct recipe){.common_name = "Between", .ca = true, .issuer = &root});
    const struct recipe recipe = {.names = "DNS:a.test", .issuer = &between};
    struct verify verify = verify_recipe(recipe, &between);
    assert_good(&verify);
    verify = verify_recipe(recipe, NULL);
    assert_error(&verify, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
    free_identity(&between);
}

static void a_self_signed_certificate_that_is_trusted_is_good(void **state)
{
    (void)state;
    struct identity server =
        make_identity(&(struct recipe){.common_name = "a.test", .names = "DNS:a.test"});
    struct verify verify = verify_server(&server, NULL, "a.test", NULL);
    assert_int_equal(verify.class, VERIFY_SELF_SIGNED);
    assert_int_equal(X509_STORE_add_cert(trust, server.certificate), 1);
    verify = verify_server(&server, NULL, "a.test", NULL);
    assert_good(&verify);
    free_identity(&server);
}

/* ---- dates ---- */

static void an_origin_out_of_date_has_a_good_chain_all_the_same(void **state)
{
    (void)state;
    const time_t now = time(NULL);
    const struct {
        struct recipe recipe;
        int error;
    } cases[] = {
        {{.not_before = now - 9 * DAY, .not_after = now - 60}, X509_V_ERR_CERT_HAS_EXPIRED},
        {{.not_before = now + 3600}, X509_V_ERR_CERT_NOT_YET_VALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recipe recipe = cases[i].recipe;
        recipe.names = "DNS:a.test";
        recipe.issuer = &root;
        const struct verify verify = verify_recipe(recipe, NULL);
        assert_only_error(&verify, cases[i].error, 0);
        assert_int_equal(verify.class, VERIFY_GOOD_CHAIN);
        /* Its own dates are found in it; nothing above narrows them. */
        assert_true(verify.not_before == 0 && verify.not_after == 0);
    }
}

static void dates_of_certificates_above_narrow_it(void **state)
{
    (void)state;
    const time_t now = time(NULL), ended = now - 60, begins = now + 3600;
    struct identity old = make_identity(&(struct recipe){.common_name = "Old",
                                                         .ca = true,
                                                         .issuer = &root,
                                                         .not_before = now - 9 * DAY,
                                                         .not_after = ended});
    struct identity young = make_identity(&(struct recipe){
        .common_name = "Young", .ca = true, .issuer = &root, .not_before = begins});
    struct verify verify =
        verify_recipe((struct recipe){.names = "DNS:a.test", .issuer = &old}, &old);
    assert_only_error(&verify, X509_V_ERR_CERT_HAS_EXPIRED, 1);
    assert_int_equal(verify.class, VERIFY_GOOD_CHAIN);
    assert_true(verify.not_after == ended && verify.not_before == 0);

    verify = verify_recipe((struct recipe){.names = "DNS:a.test", .issuer = &young}, &young);
    assert_only_error(&verify, X509_V_ERR_CERT_NOT_YET_VALID, 1);
    assert_int_equal(verify.class, VERIFY_GOOD_CHAIN);
    assert_true(verify.not_before == begins && verify.not_after == 0);
    free_identity(&old);
    free_identity(&young);
}

/* ---- names ---- */

/* U3 */
static void a_name_is_found_in_the_alternative_names_alone(void **state)
{
    (void)state;
    static const struct {
        const char *common_name, *names, *asked;
        bool good;
    } cases[] = {
        {"x.test", "DNS:a.test", "a.test", true},
        {"x.test", "DNS:b.test, DNS:A.TEST", "a.test", true},
        {"x.test", "DNS:*.test.example", "a.test.example", true},
        {"x.test", "DNS:*.test.example", "a.b.test.example", false},
        {"x.test", "DNS:*.test.example", "test.example", false},
        {"x.test", "DNS:a*.test.example", "ab.test.example", false},
        {"x.test", "DNS:*a.test.example", "ba.test.example", false},
        {"x.test", "DNS:b.test", "a.test", false},
        {"a.test", "DNS:b.test", "a.test", false},
        {"a.test", NULL, "a.test", false},
        {"x.test", "IP:192.0.2.1", "192.0.2.1", false}, /* asked for as a name */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct recipe recipe = {
            .common_name = cases[i].common_name, .names = cases[i].names, .issuer = &root};
        struct identity server = make_identity(&recipe);
        const struct verify verify = verify_server(&server, NULL, cases[i].asked, NULL);
        if ((verify.count == 0) != cases[i].good)
            fail_msg("%s in %s: %s", cases[i].asked, cases[i].names, verify_text(&verify));
        assert_int_equal(verify.name_mismatch, !cases[i].good);
        assert_int_equal(verify.class, VERIFY_GOOD_CHAIN);
        if (!cases[i].good)
            assert_only_error(&verify, X509_V_ERR_HOSTNAME_MISMATCH, 0);
        free_identity(&server);
    }
}

/* U4 */
static void without_a_name_the_address_is_looked_for(void **state)
{
    (void)state;
    static const struct {
        const char *names, *address;
        bool good;
    } cases[] = {
        {"IP:192.0.2.5", "192.0.2.5:443", true},
        {"DNS:a.test, IP:2001:db8::5", "[2001:db8::5]:443", true},
        {"IP:192.0.2.5", "192.0.2.6:443", false},
        {"IP:192.0.2.5", "[2001:db8::5]:443", false},
        {"DNS:a.test", "192.0.2.5:443", false},
        {"DNS:192.0.2.5", "192.0.2.5:443", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct recipe recipe = {.names = cases[i].names, .issuer = &root};
        struct identity server = make_identity(&recipe);
        struct address address;
        assert_true(address_parse(&address, cases[i].address));
        const struct verify verify = verify_server(&server, NULL, NULL, &address);
        if ((verify.count == 0) != cases[i].good)
            fail_msg("%s in %s: %s", cases[i].address, cases[i].names, verify_text(&verify));
        assert_int_equal(verify.name_mismatch, !cases[i].good);
        assert_int_equal(verify.class, VERIFY_GOOD_CHAIN);
        if (!cases[i].good)
            assert_only_error(&verify, X509_V_ERR_IP_ADDRESS_MISMATCH, 0);
        free_identity(&server);
    }
}

/* ---- issuers ---- */

static void a_self_signed_origin_is_told_from_an_untrusted_one(void **state)
{
    (void)state;
    struct verify verify =
        verify_recipe((struct recipe){.common_name = "a.test", .names = "DNS:a.test"}, NULL);
    assert_int_equal(verify_code(&verify), X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    assert_int_equal(verify.class, VERIFY_SELF_SIGNED);

    const struct recipe recipe = {.names = "DNS:a.test", .issuer = &other_root};
    verify = verify_recipe(recipe, NULL);
    assert_error(&verify, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
    verify = verify_recipe(recipe, &other_root);
    assert_error(&verify, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, 1);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
}

/* CA3 */
static void our_own_authority_vouches_for_no_origin_even_where_it_is_trusted(void **state)
{
    (void)state;
    struct verify verify =
        verify_recipe((struct recipe){.names = "DNS:a.test", .issuer = &own_ca}, NULL);
    assert_only_error(&verify, X509_V_ERR_CERT_REJECTED, 1);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
    struct identity between =
        make_identity(&(struct recipe){.common_name = "Between", .ca = true, .issuer = &own_ca});
    verify = verify_recipe((struct recipe){.names = "DNS:a.test", .issuer = &between}, &between);
    assert_only_error(&verify, X509_V_ERR_CERT_REJECTED, 2);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
    free_identity(&between);
}

/* U1: whoever is no CA, or not for this, cannot vouch. */
static void an_issuer_that_may_not_issue_is_no_issuer(void **state)
{
    (void)state;
    const struct {
        struct recipe recipe;
        int error;
    } cases[] = {
        {{.common_name = "No CA",
          .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                         {NID_subject_key_identifier, "hash"}}},
         X509_V_ERR_INVALID_CA},
        {{.common_name = "For mail",
          .ca = true,
          .extensions = {{NID_ext_key_usage, "emailProtection"}}},
         X509_V_ERR_INVALID_PURPOSE},
        {{.common_name = "For others",
          .ca = true,
          .extensions = {{NID_name_constraints, "critical,permitted;DNS:b.test"}}},
         X509_V_ERR_PERMITTED_VIOLATION},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recipe recipe = cases[i].recipe;
        recipe.issuer = &root;
        struct identity between = make_identity(&recipe);
        const struct verify verify =
            verify_recipe((struct recipe){.names = "DNS:a.test", .issuer = &between}, &between);
        bool found = false;
        for (int depth = 0; depth < 3; depth++)
            found = found || has_error(&verify, cases[i].error, depth);
        if (!found)
            fail_msg("%s: %s", cases[i].recipe.common_name, verify_text(&verify));
        assert_int_equal(verify.class, VERIFY_UNTRUSTED);
        free_identity(&between);
    }
}

static void a_certificate_for_another_purpose_is_untrusted(void **state)
{
    (void)state;
    const struct verify verify =
        verify_recipe((struct recipe){.names = "DNS:a.test",
                                      .issuer = &root,
                                      .extensions = {{NID_ext_key_usage, "clientAuth"}}},
                      NULL);
    assert_error(&verify, X509_V_ERR_INVALID_PURPOSE, 0);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
}

static void spoil_signature(struct identity *server)
{
    unsigned char *der = NULL;
    int length = i2d_X509(server->certificate, &der);
    assert_true(length > 0);
    der[length - 1] ^= 1; /* the signature stands at the end */
    X509_free(server->certificate);
    const unsigned char *at = der;
    server->certificate = d2i_X509(NULL, &at, length);
    assert_non_null(server->certificate);
    OPENSSL_free(der);
}

static void a_signature_that_is_wrong_is_untrusted(void **state)
{
    (void)state;
    struct identity server =
        make_identity(&(struct recipe){.names = "DNS:a.test", .issuer = &root});
    spoil_signature(&server);
    const struct verify verify = verify_server(&server, NULL, "a.test", NULL);
    assert_only_error(&verify, X509_V_ERR_CERT_SIGNATURE_FAILURE, 0);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
    free_identity(&server);
}

/* All above it is out of date: those are more errors than are kept, and the signature comes last.
 */
static void test_F10_the_worst_error_counts_however_many_others_there_are(void **state)
{
    (void)state;
    const time_t now = time(NULL);
    struct identity chain[VERIFY_ERRORS_LIMIT + 2];
    const struct identity *above = &root;
    for (size_t i = 0; i < ARRAY_SIZE(chain); i++) {
        char name[] = "Between A";
        name[8] = (char)('A' + i);
        chain[i] = make_identity(&(struct recipe){.common_name = name,
                                                  .ca = true,
                                                  .issuer = above,
                                                  .not_before = now - 20 * DAY,
                                                  .not_after = now - (time_t)(i + 1) * DAY});
        above = &chain[i];
    }
    struct identity server =
        make_identity(&(struct recipe){.names = "DNS:a.test", .issuer = above});
    spoil_signature(&server);
    SSL_CTX *context = their_server_context(&server, NULL);
    for (size_t i = ARRAY_SIZE(chain); i-- > 0;)
        assert_int_equal(SSL_CTX_add1_chain_cert(context, chain[i].certificate), 1);
    struct verify verify;
    struct pair pair;
    init_tls_pair(&pair, our_context, context);
    assert_true(verify_prepare(pair.ours.ssl, &verify, "a.test", NULL));
    assert_int_equal(shake_hands(&pair), IO_OK);
    assert_int_equal(verify.count, VERIFY_ERRORS_LIMIT);
    assert_false(has_error(&verify, X509_V_ERR_CERT_SIGNATURE_FAILURE, 0));
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
    assert_int_equal(verify.not_after, now - (time_t)ARRAY_SIZE(chain) * DAY);
    fini_pair(&pair);
    SSL_CTX_free(context);
    for (size_t i = 0; i < ARRAY_SIZE(chain); i++)
        free_identity(&chain[i]);
    free_identity(&server);
}

/* ---- strength: U1, while the cipher level here is 0 ---- */

static void weak_keys_and_digests_are_untrusted_whatever_the_ciphers(void **state)
{
    (void)state;
    struct identity weak_ca = make_identity(
        &(struct recipe){.common_name = "Weak", .ca = true, .rsa_bits = 1024, .issuer = &root});
    struct identity rsa_ca = make_identity(
        &(struct recipe){.common_name = "RSA", .ca = true, .rsa_bits = 2048, .issuer = &root});
    const struct {
        struct recipe recipe;
        const struct identity *above;
        int error, depth;
    } cases[] = {
        {{.rsa_bits = 1024, .issuer = &root}, NULL, X509_V_ERR_EE_KEY_TOO_SMALL, 0},
        {{.issuer = &weak_ca}, &weak_ca, X509_V_ERR_CA_KEY_TOO_SMALL, 1},
        {{.issuer = &root, .digest = EVP_sha1()}, NULL, X509_V_ERR_CA_MD_TOO_WEAK, 0},
        {{.issuer = &rsa_ca, .digest = EVP_md5()}, &rsa_ca, X509_V_ERR_CA_MD_TOO_WEAK, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct recipe recipe = cases[i].recipe;
        recipe.names = "DNS:a.test";
        const struct verify verify = verify_recipe(recipe, cases[i].above);
        assert_only_error(&verify, cases[i].error, cases[i].depth);
        assert_int_equal(verify.class, VERIFY_UNTRUSTED);
    }
    const struct verify strong = verify_recipe(
        (struct recipe){.names = "DNS:a.test", .rsa_bits = 2048, .issuer = &rsa_ca}, &rsa_ca);
    assert_good(&strong);
    free_identity(&rsa_ca);
    free_identity(&weak_ca);
}

/* ---- all of it ---- */

/* U5 */
static void everything_that_is_wrong_is_noted(void **state)
{
    (void)state;
    const time_t now = time(NULL);
    struct verify verify = verify_recipe((struct recipe){.names = "DNS:b.test",
                                                         .issuer = &root,
                                                         .not_before = now - 9 * DAY,
                                                         .not_after = now - 60},
                                         NULL);
    assert_int_equal(verify.count, 2);
    assert_error(&verify, X509_V_ERR_HOSTNAME_MISMATCH, 0);
    assert_error(&verify, X509_V_ERR_CERT_HAS_EXPIRED, 0);
    assert_true(verify.name_mismatch);
    assert_int_equal(verify.class, VERIFY_GOOD_CHAIN);

    verify = verify_recipe((struct recipe){.common_name = "b.test",
                                           .names = "DNS:b.test",
                                           .not_before = now + 3600,
                                           .extensions = {{NID_ext_key_usage, "clientAuth"}}},
                           NULL);
    assert_error(&verify, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0);
    assert_error(&verify, X509_V_ERR_INVALID_PURPOSE, 0);
    assert_error(&verify, X509_V_ERR_HOSTNAME_MISMATCH, 0);
    assert_error(&verify, X509_V_ERR_CERT_NOT_YET_VALID, 0);
    assert_int_equal(verify.count, 4);
    assert_int_equal(verify.class, VERIFY_UNTRUSTED);
}

static void the_first_error_is_the_one_that_is_told(void **state)
{
    (void)state;
    struct verify verify = {0};
    assert_int_equal(verify_code(&verify), X509_V_OK);
    assert_string_equal(verify_text(&verify), "ok");
    verify.errors[0].code = X509_V_ERR_HOSTNAME_MISMATCH;
    verify.errors[1].code = X509_V_ERR_CERT_HAS_EXPIRED;
    verify.count = 2;
    assert_int_equal(verify_code(&verify), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_string_equal(verify_text(&verify), "hostname mismatch");
}

static void results_of_two_handshakes_do_not_mix(void **state)
{
    (void)state;
    struct identity good = make_identity(&(struct recipe){.names = "DNS:a.test", .issuer = &root}),
                    bad = make_identity(&(struct recipe){.names = "DNS:b.test", .issuer = &root});
    SSL_CTX *contexts[] = {their_server_context(&good, NULL), their_server_context(&bad, NULL)};
    struct pair pairs[2];
    struct verify results[2];
    enum io io[2] = {IO_WANT_READ, IO_WANT_READ};
    for (size_t i = 0; i < 2; i++) {
        init_tls_pair(&pairs[i], our_context, contexts[i]);
        assert_true(verify_prepare(pairs[i].ours.ssl, &results[i], "a.test", NULL));
    }
    for (int round = 0; round < ROUNDS; round++) { /* step by step, in turns */
        for (size_t i = 0; i < 2; i++) {
            if (wants(io[i]))
                io[i] = endpoint_handshake(&pairs[i].ours);
            (void)step_theirs(&pairs[i]);
        }
    }
    assert_int_equal(io[0], IO_OK);
    assert_int_equal(io[1], IO_OK);
    assert_good(&results[0]);
    assert_only_error(&results[1], X509_V_ERR_HOSTNAME_MISMATCH, 0);
    for (size_t i = 0; i < 2; i++) {
        fini_pair(&pairs[i]);
        SSL_CTX_free(contexts[i]);
    }
    free_identity(&good);
    free_identity(&bad);
}

/* ---- the class of what was noted ---- */

static void the_worst_error_decides_the_class(void **state)
{
    (void)state;
    static const struct {
        int errors[3];
        enum verify_class expected;
    } cases[] = {
        {{0}, VERIFY_GOOD_CHAIN},
        {{X509_V_ERR_HOSTNAME_MISMATCH}, VERIFY_GOOD_CHAIN},
        {{X509_V_ERR_IP_ADDRESS_MISMATCH, X509_V_ERR_CERT_HAS_EXPIRED,
          X509_V_ERR_CERT_NOT_YET_VALID},
         VERIFY_GOOD_CHAIN},
        {{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT}, VERIFY_SELF_SIGNED},
        {{X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT}, VERIFY_SELF_SIGNED},
        {{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_HOSTNAME_MISMATCH},
         VERIFY_SELF_SIGNED},
        {{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN}, VERIFY_UNTRUSTED},
        {{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_EE_KEY_TOO_SMALL}, VERIFY_UNTRUSTED},
        {{X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT}, VERIFY_UNTRUSTED},
        {{X509_V_ERR_CERT_REVOKED}, VERIFY_UNTRUSTED},
        {{X509_V_ERR_OUT_OF_MEM}, VERIFY_UNTRUSTED},
        {{X509_V_ERR_UNSPECIFIED, X509_V_ERR_HOSTNAME_MISMATCH}, VERIFY_UNTRUSTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct verify verify = {0};
        for (size_t j = 0; j < 3 && cases[i].errors[j] != 0; j++)
            verify_note(&verify, cases[i].errors[j], 0);
        assert_int_equal(verify.class, cases[i].expected);
    }
}

/* ---- what was good before ---- */

static size_t count_kept(void)
{
    size_t count = 0;
    for (size_t i = 0; i < VERIFIED_SLOTS; i++)
        count += kept.slots[i].until != 0;
    return count;
}

/* A store without anchors shows it: by it nothing would be good. */
static void what_was_good_for_a_name_is_good_again_for_that_name_alone(void **state)
{
    (void)state;
    struct identity server =
        make_identity(&(struct recipe){.names = "DNS:a.test, DNS:b.test", .issuer = &root});
    X509_STORE *empty = X509_STORE_new();
    memset(&kept, 0, sizeof(kept));
    struct verify verify = verify_server(&server, NULL, "a.test", NULL);
    assert_good(&verify);
    assert_int_equal(count_kept(), 1);
    SSL_CTX_set1_cert_store(our_context, empty);
    verify = verify_server(&server, NULL, "a.test", NULL);
    assert_good(&verify);
    verify = verify_server(&server, NULL, "b.test", NULL);
    assert_error(&verify, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0);
    assert_int_equal(count_kept(), 1);
    SSL_CTX_set1_cert_store(our_context, trust);
    X509_STORE_free(empty);
    free_identity(&server);
}

static void what_has_any_fault_is_verified_each_time(void **state)
{
    (void)state;
    const struct recipe recipes[] = {
        {.names = "DNS:b.test", .issuer = &root},
        {.names = "DNS:a.test", .issuer = &root, .not_after = time(NULL) - 60},
        {.names = "DNS:a.test", .issuer = &other_root},
        {.names = "DNS:a.test", .issuer = &own_ca},
        {.names = "DNS:a.test"},
    };
    memset(&kept, 0, sizeof(kept));
    for (size_t i = 0; i < ARRAY_SIZE(recipes); i++) {
        const struct verify verify = verify_recipe(recipes[i], NULL);
        assert_true(verify.count > 0);
    }
    assert_int_equal(count_kept(), 0);
}

/* ---- trust anchors ---- */

static void anchors_are_read_from_a_file_as_many_as_there_are(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "trust.pem");
    FILE *file = fopen(path.text, "w");
    assert_non_null(file);
    assert_true(fputs("# a comment\n", file) > 0);
    assert_int_equal(PEM_write_X509(file, root.certificate), 1);
    assert_int_equal(PEM_write_X509(file, other_root.certificate), 1);
    fclose(file);
    X509_STORE *store = verify_load_trust(path.text);
    assert_non_null(store);
    assert_int_equal(sk_X509_OBJECT_num(X509_STORE_get0_objects(store)), 2);
    X509_STORE_free(store);
    remove_folder(&folder);
}

static void a_file_without_anchors_is_refused(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "trust.pem");
    assert_null(verify_load_trust(path.text));
    write_identity(path.text, NULL, root.key);
    assert_null(verify_load_trust(path.text));
    static const char *const contents[] = {"", "nothing", "-----BEGIN CERTIFICATE-----\nMIIB\n"};
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        FILE *file = fopen(path.text, "w");
        assert_non_null(file);
        assert_true(fputs(contents[i], file) >= 0);
        fclose(file);
        assert_null(verify_load_trust(path.text));
    }
    assert_null(verify_load_trust(folder.path));
    assert_int_equal(ERR_peek_error(), 0);
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_origin_is_good),
        cmocka_unit_test(a_chain_is_followed_through_what_the_origin_sends),
        cmocka_unit_test(a_self_signed_certificate_that_is_trusted_is_good),
        cmocka_unit_test(an_origin_out_of_date_has_a_good_chain_all_the_same),
        cmocka_unit_test(dates_of_certificates_above_narrow_it),
        cmocka_unit_test(a_name_is_found_in_the_alternative_names_alone),
        cmocka_unit_test(without_a_name_the_address_is_looked_for),
        cmocka_unit_test(a_self_signed_origin_is_told_from_an_untrusted_one),
        cmocka_unit_test(our_own_authority_vouches_for_no_origin_even_where_it_is_trusted),
        cmocka_unit_test(an_issuer_that_may_not_issue_is_no_issuer),
        cmocka_unit_test(a_certificate_for_another_purpose_is_untrusted),
        cmocka_unit_test(a_signature_that_is_wrong_is_untrusted),
        cmocka_unit_test(test_F10_the_worst_error_counts_however_many_others_there_are),
        cmocka_unit_test(weak_keys_and_digests_are_untrusted_whatever_the_ciphers),
        cmocka_unit_test(everything_that_is_wrong_is_noted),
        cmocka_unit_test(the_first_error_is_the_one_that_is_told),
        cmocka_unit_test(results_of_two_handshakes_do_not_mix),
        cmocka_unit_test(the_worst_error_decides_the_class),
        cmocka_unit_test(what_was_good_for_a_name_is_good_again_for_that_name_alone),
        cmocka_unit_test(what_has_any_fault_is_verified_each_time),
        cmocka_unit_test(anchors_are_read_from_a_file_as_many_as_there_are),
        cmocka_unit_test(a_file_without_anchors_is_refused),
    };
    ignore_broken_pipes();
    make_authorities();
    return cmocka_run_group_tests_name("tls/verify", tests, NULL, NULL);
}
