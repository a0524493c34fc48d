/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"
#include "tls/verified.h"

static struct identity root, between, server, other;
static time_t now;

static void make_chain(void)
{
    now = time(NULL);
    root = make_identity(&(struct recipe){.common_name = "Root", .ca = true});
    between =
        make_identity(&(struct recipe){.common_name = "Between", .ca = true, .issuer = &root});
    server = make_identity(
        &(struct recipe){.names = "DNS:a.test", .issuer = &between, .not_after = now + 100});
    other = make_identity(&(struct recipe){.names = "DNS:a.test", .issuer = &between});
}

struct key {
    unsigned char bytes[DIGEST_SIZE];
};

/* Of one certificate, with another behind it or NULL, for a name or an address or neither. */
static struct key key_of(const struct identity *shown, const struct identity *above,
                         const char *name, const char *ip)
{
    struct key key;
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    STACK_OF(X509) *sent = sk_X509_new_null();
    assert_true(sk_X509_push(sent, shown->certificate) > 0);
    if (above != NULL)
        assert_true(sk_X509_push(sent, above->certificate) > 0);
    assert_int_equal(X509_STORE_CTX_init(store, NULL, shown->certificate, sent), 1);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(store);
    if (name != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_host(parameters, name, 0), 1);
    if (ip != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(parameters, ip), 1);
    assert_true(verified_key(store, key.bytes));
    X509_STORE_CTX_free(store);
    sk_X509_free(sent);
    return key;
}

static void keep(struct verified *verified, const struct key *key)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    assert_true(sk_X509_push(chain, server.certificate) > 0);
    assert_true(sk_X509_push(chain, between.certificate) > 0);
    assert_true(sk_X509_push(chain, root.certificate) > 0);
    verified_keep(verified, key->bytes, chain, now);
    sk_X509_free(chain);
}

static void a_chain_is_known_by_all_of_its_certificates_and_by_whose_it_should_be(void **state)
{
    (void)state;
    const struct key key = key_of(&server, &between, "a.test", NULL);
    const struct key same = key_of(&server, &between, "a.test", NULL);
    assert_memory_equal(key.bytes, same.bytes, DIGEST_SIZE);
    const struct key others[] = {
        key_of(&other, &between, "a.test", NULL),
        key_of(&server, NULL, "a.test", NULL),
        key_of(&server, &root, "a.test", NULL),
        key_of(&server, &between, "b.test", NULL),
        key_of(&server, &between, NULL, "192.0.2.1"),
        key_of(&server, &between, NULL, "2001:db8::1"),
        key_of(&server, &between, NULL, NULL),
        key_of(&server, &between, "192.0.2.1", NULL),
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_memory_not_equal(key.bytes, others[i].bytes, DIGEST_SIZE);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(others[i].bytes, others[j].bytes, DIGEST_SIZE);
    }
}

static void nothing_is_there_before_it_was_found_good(void **state)
{
    (void)state;
    static struct verified verified;
    const struct key key = key_of(&server, &between, "a.test", NULL);
    const struct key zeroes = {{0}};
    assert_false(verified_has(&verified, key.bytes, now));
    assert_false(verified_has(&verified, zeroes.bytes, now));
    keep(&verified, &key);
    assert_true(verified_has(&verified, key.bytes, now));
    const struct key another = key_of(&server, &between, "b.test", NULL);
    assert_false(verified_has(&verified, another.bytes, now));
}

static void it_is_good_until_the_first_certificate_ends(void **state)
{
    (void)state;
    static struct verified verified;
    const struct key key = key_of(&server, &between, "a.test", NULL);
    keep(&verified, &key);
    assert_true(verified_has(&verified, key.bytes, now + 99));
    assert_false(verified_has(&verified, key.bytes, now + 100));
}

static void it_is_good_for_some_minutes_at_most_and_not_before_it_was_found(void **state)
{
    (void)state;
    static struct verified verified;
    const struct key key = key_of(&other, NULL, "a.test", NULL);
    STACK_OF(X509) *chain = sk_X509_new_null();
    assert_true(sk_X509_push(chain, other.certificate) > 0);
    verified_keep(&verified, key.bytes, chain, now);
    sk_X509_free(chain);
    assert_false(verified_has(&verified, key.bytes, now - 1));
    assert_true(verified_has(&verified, key.bytes, now + VERIFIED_SECONDS - 1));
    assert_false(verified_has(&verified, key.bytes, now + VERIFIED_SECONDS));
}

static void the_later_one_has_the_slot(void **state)
{
    (void)state;
    static struct verified verified;
    struct key first = {{1}}, second = {{1}};
    second.bytes[DIGEST_SIZE - 1] = 1;
    keep(&verified, &first);
    keep(&verified, &second);
    assert_false(verified_has(&verified, first.bytes, now));
    assert_true(verified_has(&verified, second.bytes, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_known_by_all_of_its_certificates_and_by_whose_it_should_be),
        cmocka_unit_test(nothing_is_there_before_it_was_found_good),
        cmocka_unit_test(it_is_good_until_the_first_certificate_ends),
        cmocka_unit_test(it_is_good_for_some_minutes_at_most_and_not_before_it_was_found),
        cmocka_unit_test(the_later_one_has_the_slot),
    };
    make_chain();
    int failed = cmocka_run_group_tests_name("tls/verified", tests, NULL, NULL);
    free_identity(&server);
    free_identity(&other);
    free_identity(&between);
    free_identity(&root);
    return failed;
}
