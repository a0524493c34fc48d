/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forge.h"
#include "tls/constraints.h"

static bool permits(const NAME_CONSTRAINTS *constraints, const char *name)
{
    return constraints_permit(constraints, name, strlen(name));
}

static void a_domain_permits_itself_and_what_is_below(void **state)
{
    (void)state;
    static const char *const domains[] = {"vendor.test", ".below.test"};
    NAME_CONSTRAINTS *constraints = constraints_new(domains, 2);
    static const char *const inside[] = {"vendor.test",   "a.vendor.test", "A.B.Vendor.Test",
                                         "*.vendor.test", "vendor.test.",  "a.below.test"};
    static const char *const outside[] = {"",
                                          "test",
                                          "other.test",
                                          "notvendor.test",
                                          "below.test",
                                          "vendor.test.other",
                                          "vendor.test.."};
    for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
        if (!permits(constraints, inside[i]))
            fail_msg("%s is not permitted", inside[i]);
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
        if (permits(constraints, outside[i]))
            fail_msg("%s is permitted", outside[i]);
    NAME_CONSTRAINTS_free(constraints);
}

static void without_constraints_every_name_is_permitted(void **state)
{
    (void)state;
    assert_null(constraints_new(NULL, 0));
    assert_true(permits(NULL, "anything.test"));
}

/* As an operator's own CA may have them; OpenSSL's own check says the same. */
static void those_in_a_certificate_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *name;
        bool permitted;
    } cases[] = {
        {"permitted;DNS:a.test", "x.a.test", true},
        {"permitted;DNS:a.test", "x.b.test", false},
        {"excluded;DNS:b.test", "x.a.test", true},
        {"excluded;DNS:b.test", "x.b.test", false},
        {"permitted;DNS:test,excluded;DNS:b.test", "x.b.test", false},
        {"permitted;DNS:test,excluded;DNS:b.test", "x.c.test", true},
        {"permitted;IP:192.0.2.0/255.255.255.0", "x.a.test", true},
        {"permitted;email:a.test", "x.a.test", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct recipe recipe = {.common_name = "CA",
                                      .ca = true,
                                      .extensions = {{NID_name_constraints, cases[i].value}}};
        struct identity ca = make_identity(&recipe);
        char names[64];
        snprintf(names, sizeof(names), "DNS:%s", cases[i].name);
        struct identity leaf = make_identity(&(struct recipe){.names = names, .issuer = &ca});
        NAME_CONSTRAINTS *constraints =
            X509_get_ext_d2i(ca.certificate, NID_name_constraints, NULL, NULL);
        assert_non_null(constraints);
        if (permits(constraints, cases[i].name) != cases[i].permitted)
            fail_msg("%s, by %s", cases[i].name, cases[i].value);
        (void)X509_check_purpose(leaf.certificate, -1, -1); /* reads the names */
        if ((NAME_CONSTRAINTS_check(leaf.certificate, constraints) == X509_V_OK) !=
            cases[i].permitted)
            fail_msg("OpenSSL does not say so of %s, by %s", cases[i].name, cases[i].value);
        NAME_CONSTRAINTS_free(constraints);
        free_identity(&leaf);
        free_identity(&ca);
    }
}

static void a_made_authority_has_them_and_forged_leaves_keep_to_them(void **state)
{
    (void)state;
    static const char *const domains[] = {"vendor.test"};
    NAME_CONSTRAINTS *constraints = constraints_new(domains, 1);
    const struct folder folder = make_folder();
    struct authority *authority =
        authority_open(path_in(&folder, "ca.pem").text, constraints, NULL);
    assert_non_null(authority);
    struct leaf_maker maker = maker_of(authority);
    struct identity origin =
        make_identity(&(struct recipe){.names = "DNS:a.vendor.test,DNS:a.other.test"});
    const struct leaf_request request = {.origin = origin.certificate};
    struct leaf *leaf = forge_by(authority, &maker, &request);
    assert_non_null(leaf);
    X509 *anchor = authority->issuer.certificate;
    assert_true(is_critical(anchor, NID_name_constraints));
    assert_int_equal(verify_strictly(leaf->certificate, anchor, "a.vendor.test"), X509_V_OK);
    assert_int_equal(verify_strictly(leaf->certificate, anchor, "a.other.test"),
                     X509_V_ERR_HOSTNAME_MISMATCH);
    leaf_unref(leaf);
    free_identity(&origin);
    leaf_maker_fini(&maker);
    authority_free(authority);
    NAME_CONSTRAINTS_free(constraints);
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_permits_itself_and_what_is_below),
        cmocka_unit_test(without_constraints_every_name_is_permitted),
        cmocka_unit_test(those_in_a_certificate_are_read),
        cmocka_unit_test(a_made_authority_has_them_and_forged_leaves_keep_to_them),
    };
    return cmocka_run_group_tests_name("tls/constraints", tests, NULL, NULL);
}
