/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * forge.h - an authority and keys to forge with, made once a program. cmocka.h must be included
 * before. */
#ifndef TESTS_TLS_FORGE_H
#define TESTS_TLS_FORGE_H

#include "../folder.h"
#include "pki.h"
#include "tls/authority.h"
#include "tls/leaf.h"

static inline const struct authority *any_authority(void)
{
    static struct authority *authority;
    if (authority != NULL)
        return authority;
    const struct folder folder = make_folder();
    authority = authority_open(path_in(&folder, "ca.pem").text, NULL, NULL);
    assert_non_null(authority);
    remove_folder(&folder);
    return authority;
}

static inline X509 *any_anchor(void)
{
    return any_authority()->issuer.certificate;
}

/* A maker of leaves for this authority; to be ended with leaf_maker_fini(). */
static inline struct leaf_maker maker_of(const struct authority *authority)
{
    struct leaf_maker maker;
    const struct folder folder = make_folder();
    STACK_OF(X509) *certificates = X509_chain_up_ref(authority->chain);
    assert_non_null(certificates);
    X509_up_ref(authority->issuer.certificate);
    assert_true(sk_X509_unshift(certificates, authority->issuer.certificate) > 0);
    assert_true(leaf_maker_init(&maker, certificates, NULL, path_in(&folder, "leaf.pem").text));
    remove_folder(&folder);
    return maker;
}

static inline const struct leaf_maker *any_maker(void)
{
    static struct leaf_maker maker;
    if (maker.authority == NULL)
        maker = maker_of(any_authority());
    return &maker;
}

/* A finished leaf; NULL if it cannot be made. */
static inline struct leaf *forge_by(const struct authority *authority,
                                    const struct leaf_maker *maker,
                                    const struct leaf_request *request)
{
    struct leaf *leaf = leaf_make(maker, request);
    if (leaf == NULL || !leaf->draft)
        return leaf;
    unsigned char *der = NULL;
    X509 *certificate = X509_dup(leaf->certificate);
    int length = certificate != NULL && issuer_sign(&authority->issuer, certificate)
                     ? i2d_X509(certificate, &der)
                     : -1;
    if (length <= 0 || !leaf_finish(leaf, der, (size_t)length)) {
        leaf_unref(leaf);
        leaf = NULL;
    }
    OPENSSL_free(der);
    X509_free(certificate);
    return leaf;
}

static inline struct leaf *forge_any(const struct leaf_request *request)
{
    return forge_by(any_authority(), any_maker(), request);
}

/* The authority whose certificate and key these are. */
static inline struct authority *authority_of(const struct identity *identity)
{
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    write_identity(path.text, identity->certificate, identity->key);
    struct authority *authority = authority_open(path.text, NULL, NULL);
    assert_non_null(authority);
    remove_folder(&folder);
    return authority;
}

#endif
