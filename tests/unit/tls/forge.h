/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * forge.h - an authority and keys to forge with, made once a program. cmocka.h must be included
 * before. */
#ifndef TESTS_TLS_FORGE_H
#define TESTS_TLS_FORGE_H

#include "../folder.h"
#include "pki.h"
#include "tls/leaf.h"

static inline const struct authority *any_authority(void)
{
    static struct authority *authority;
    if (authority != NULL)
        return authority;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    authority = authority_open(path.text, NULL);
    assert_non_null(authority);
    remove_folder(&folder);
    return authority;
}

static inline const struct leaf_keys *any_keys(void)
{
    static struct leaf_keys keys;
    if (keys.keys[0] != NULL)
        return &keys;
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "leaf.pem");
    assert_true(leaf_keys_open(&keys, path.text));
    remove_folder(&folder);
    return &keys;
}

/* The authority whose certificate and key these are. */
static inline struct authority *authority_of(const struct identity *identity)
{
    const struct folder folder = make_folder();
    const struct path path = path_in(&folder, "ca.pem");
    write_identity(path.text, identity->certificate, identity->key);
    struct authority *authority = authority_open(path.text, NULL);
    assert_non_null(authority);
    remove_folder(&folder);
    return authority;
}

#endif
