/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"
#include "tls/certificate.h"

/* Made with Python's cryptography; what is expected of it, with the openssl tool. */
static const char sample_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB6jCCAY+gAwIBAgIGChssPU5fMAoGCCqGSM49BAMCMCcxEDAOBgNVBAoMB0V4\n"
    "YW1wbGUxEzARBgNVBAMMCkV4YW1wbGUgQ0EwHhcNMjYwMTAyMDMwNDA1WhcNNDkx\n"
    "MjMxMjM1OTU5WjBkMQswCQYDVQQGEwJERTEjMCEGA1UECgwaQmVpc3BpZWwsIEdl\n"
    "c2VsbHNjaGFmdCBtYkgxFjAUBgNVBAsMDcOEcmdlcgobWzMxbSIxGDAWBgNVBAMM\n"
    "D3d3dy5leGFtcGxlLmNvbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOj/L1re\n"
    "n6Ab4RqxHOfxeZkKxdq5bhWCM7Vq89r31VPXarQHAeqeWbz/aOzW0UDkAQ3gOcXh\n"
    "EVMfTb61ArWs+dyjajBoMGYGA1UdEQRfMF2CD3d3dy5leGFtcGxlLmNvbYINKi5l\n"
    "eGFtcGxlLm9yZ4cEwAACAYcQIAENuAAAAAAAAAAAAAAAAYENYUBleGFtcGxlLmNv\n"
    "bYYUaHR0cHM6Ly9leGFtcGxlLmNvbS8wCgYIKoZIzj0EAwIDSQAwRgIhAMGqUypc\n"
    "S4XpiHatClz9wppo1G2yEQ/CtnA+DciP81Z5AiEAmwwfvy4PiWKa4kBqnfC+5crU\n"
    "9t29Z60Dl+BGSqQnFDE=\n"
    "-----END CERTIFICATE-----\n";

static X509 *sample(void)
{
    BIO *memory = BIO_new_mem_buf(sample_pem, -1);
    X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    BIO_free(memory);
    assert_non_null(certificate);
    return certificate;
}

static void assert_names(const struct certificate_facts *facts, const char *const names[],
                         size_t count)
{
    assert_int_equal(facts->name_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(facts->names[i], names[i]);
}

static void a_certificate_is_described_in_suricatas_forms(void **state)
{
    (void)state;
    static const char *const names[] = {"www.example.com", "*.example.org", "192.0.2.1",
                                        "2001:db8::1"};
    struct arena arena = {0};
    struct certificate_facts facts;
    X509 *certificate = sample();
    certificate_describe(&facts, certificate, &arena);
    X509_free(certificate); /* nothing of it is needed any more */
    assert_string_equal(facts.subject, "C=DE, O=Beispiel, Gesellschaft mbH, OU=\xc3\x84rger\\0A\\1B"
                                       "[31m\", CN=www.example.com");
    assert_string_equal(facts.issuer, "O=Example, CN=Example CA");
    assert_string_equal(facts.serial, "0A:1B:2C:3D:4E:5F");
    assert_string_equal(facts.not_before, "2026-01-02T03:04:05");
    assert_string_equal(facts.not_after, "2049-12-31T23:59:59");
    assert_string_equal(facts.fingerprint,
                        "51:a4:20:d1:33:89:49:cc:3d:8d:40:08:ae:15:10:ee:fb:40:f1:60");
    assert_names(&facts, names, ARRAY_SIZE(names));
    arena_fini(&arena);
}

static void the_digests_are_those_of_the_openssl_tool(void **state)
{
    (void)state;
    char fingerprint[FINGERPRINT_SIZE], sha256[SHA256_TEXT_SIZE];
    X509 *certificate = sample();
    certificate_fingerprint(certificate, fingerprint);
    assert_string_equal(fingerprint, "51:a4:20:d1:33:89:49:cc:3d:8d:40:08:ae:15:10:ee:fb:40:f1:60");
    certificate_sha256(certificate, sha256);
    assert_string_equal(sha256, "fcc3c68aba50025a4b7edc0be58070ae28fb35405684c1619c84ebc900d94ddd");
    X509_free(certificate);
}

static void without_alternative_names_there_are_none(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct certificate_facts facts;
    struct identity identity = make_identity(&(struct recipe){.common_name = "a.test"});
    certificate_describe(&facts, identity.certificate, &arena);
    assert_int_equal(facts.name_count, 0);
    assert_string_equal(facts.subject, "CN=a.test");
    assert_string_equal(facts.issuer, "CN=a.test");
    free_identity(&identity);
    arena_fini(&arena);
}

static void names_that_are_no_hosts_and_broken_addresses_are_left_out(void **state)
{
    (void)state;
    static const char *const expected[] = {"a.test", "255.255.255.255", "b.test"};
    static const unsigned char short_address[] = {1, 2, 3, 4, 5};
    struct arena arena = {0};
    struct certificate_facts facts;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    const char *const texts[] = {"DNS:a.test",          "email:x@a.test", "IP:255.255.255.255",
                                 "URI:https://a.test/", "RID:1.2.3",      "IP:0.0.0.0",
                                 "DNS:b.test"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        char type[8], value[32];
        CONF_VALUE entry = {.name = type, .value = value};
        assert_int_equal(sscanf(texts[i], "%7[^:]:%31s", type, value), 2);
        GENERAL_NAME *name = v2i_GENERAL_NAME(NULL, NULL, &entry);
        assert_non_null(name);
        if (strcmp(value, "0.0.0.0") == 0)
            assert_int_equal(ASN1_STRING_set(name->d.iPAddress, short_address, 5), 1);
        assert_true(sk_GENERAL_NAME_push(names, name) > 0);
    }
    struct identity identity = make_identity(&(struct recipe){.raw_names = names});
    certificate_describe(&facts, identity.certificate, &arena);
    assert_names(&facts, expected, ARRAY_SIZE(expected));
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    free_identity(&identity);
    arena_fini(&arena);
}

static void of_many_names_the_first_hundred_are_told(void **state)
{
    (void)state;
    char text[150 * 16] = "", expected[16];
    size_t length = 0;
    struct arena arena = {0};
    struct certificate_facts facts;
    for (int i = 0; i < 150; i++)
        length += (size_t)sprintf(text + length, "%sDNS:n%d.test", i > 0 ? "," : "", i);
    struct identity identity = make_identity(&(struct recipe){.names = text});
    certificate_describe(&facts, identity.certificate, &arena);
    assert_int_equal(facts.name_count, CERTIFICATE_NAMES_LIMIT);
    for (int i = 0; i < CERTIFICATE_NAMES_LIMIT; i++) {
        snprintf(expected, sizeof(expected), "n%d.test", i);
        assert_string_equal(facts.names[i], expected);
    }
    free_identity(&identity);
    arena_fini(&arena);
}

static void serials_of_any_length_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *hexadecimal, *expected;
    } cases[] = {
        {"0", "00"},
        {"7", "07"},
        {"80", "80"},
        {"FFEEDDCCBBAA99887766554433221100FFEEDDCC",
         "FF:EE:DD:CC:BB:AA:99:88:77:66:55:44:33:22:11:00:FF:EE:DD:CC"},
    };
    struct identity identity = make_identity(&(struct recipe){.common_name = "a.test"});
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena = {0};
        struct certificate_facts facts;
        BIGNUM *number = NULL;
        assert_true(BN_hex2bn(&number, cases[i].hexadecimal) > 0);
        assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(identity.certificate)));
        certificate_describe(&facts, identity.certificate, &arena);
        assert_string_equal(facts.serial, cases[i].expected);
        BN_free(number);
        arena_fini(&arena);
    }
    free_identity(&identity);
}

static ASN1_TIME *raw_time(int type, const char *text)
{
    ASN1_TIME *asn1_time = ASN1_STRING_type_new(type);
    assert_non_null(asn1_time);
    assert_int_equal(ASN1_STRING_set(asn1_time, text, -1), 1);
    return asn1_time;
}

static void times_are_seconds_since_1970(void **state)
{
    (void)state;
    static const struct {
        int type;
        const char *text;
        time_t expected;
    } cases[] = {
        {V_ASN1_UTCTIME, "700101000000Z", 0},
        {V_ASN1_UTCTIME, "491231235959Z", 2524607999},
        {V_ASN1_UTCTIME, "500101000000Z", -631152000},
        {V_ASN1_GENERALIZEDTIME, "20260102030405Z", 1767323045},
        {V_ASN1_GENERALIZEDTIME, "99991231235959Z", 253402300799},
        {V_ASN1_UTCTIME, "", 0},
        {V_ASN1_UTCTIME, "261301000000Z", 0},
        {V_ASN1_GENERALIZEDTIME, "tomorrow", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ASN1_TIME *asn1_time = raw_time(cases[i].type, cases[i].text);
        assert_true(certificate_time(asn1_time) == cases[i].expected);
        ASN1_TIME_free(asn1_time);
    }
}

static void a_date_that_makes_no_sense_is_left_out(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct certificate_facts facts;
    struct identity identity = make_identity(&(struct recipe){.common_name = "a.test"});
    ASN1_TIME *nonsense = raw_time(V_ASN1_UTCTIME, "9999999");
    assert_int_equal(X509_set1_notBefore(identity.certificate, nonsense), 1);
    certificate_describe(&facts, identity.certificate, &arena);
    assert_null(facts.not_before);
    assert_non_null(facts.not_after);
    ASN1_TIME_free(nonsense);
    free_identity(&identity);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_described_in_suricatas_forms),
        cmocka_unit_test(the_digests_are_those_of_the_openssl_tool),
        cmocka_unit_test(without_alternative_names_there_are_none),
        cmocka_unit_test(names_that_are_no_hosts_and_broken_addresses_are_left_out),
        cmocka_unit_test(of_many_names_the_first_hundred_are_told),
        cmocka_unit_test(serials_of_any_length_are_told),
        cmocka_unit_test(times_are_seconds_since_1970),
        cmocka_unit_test(a_date_that_makes_no_sense_is_left_out),
    };
    return cmocka_run_group_tests_name("tls/certificate", tests, NULL, NULL);
}
