/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/constraints.h"

#include <string.h>
#include <strings.h>

static GENERAL_SUBTREE *make_subtree(const char *domain)
{
    GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (subtree != NULL && text != NULL && ASN1_STRING_set(text, domain, -1) == 1) {
        GENERAL_NAME_set0_value(subtree->base, GEN_DNS, text);
        return subtree;
    }
    GENERAL_SUBTREE_free(subtree);
    ASN1_IA5STRING_free(text);
    return NULL;
}

NAME_CONSTRAINTS *constraints_new(const char *const *domains, size_t count)
{
    if (count == 0)
        return NULL;
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    CHECK(constraints != NULL);
    constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
    for (size_t i = 0; i < count; i++) {
        GENERAL_SUBTREE *subtree = make_subtree(domains[i]);
        /* Less than asked for would be none, and so every name. */
        CHECK(subtree != NULL &&
              sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree) > 0);
    }
    return constraints;
}

/* "vendor.test" is met by itself and by what ends with ".vendor.test"; the empty one by all. */
static bool is_within(const char *name, size_t length, const ASN1_STRING *base)
{
    const char *domain = (const char *)ASN1_STRING_get0_data(base);
    size_t size = (size_t)ASN1_STRING_length(base);
    if (size == 0)
        return true;
    if (length < size || strncasecmp(name + length - size, domain, size) != 0)
        return false;
    return domain[0] == '.' ? length > size : length == size || name[length - size - 1] == '.';
}

/* True if one of them is met. *given tells whether any is about DNS names at all. */
static bool meets_any(const STACK_OF(GENERAL_SUBTREE) * subtrees, const char *name, size_t length,
                      bool *given)
{
    *given = false;
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); i++) {
        int type;
        const GENERAL_SUBTREE *subtree = sk_GENERAL_SUBTREE_value(subtrees, i);
        const ASN1_STRING *base = GENERAL_NAME_get0_value(subtree->base, &type);
        if (type != GEN_DNS)
            continue;
        *given = true;
        if (is_within(name, length, base))
            return true;
    }
    return false;
}

bool constraints_permit(const NAME_CONSTRAINTS *constraints, const char *name, size_t length)
{
    bool given;
    if (length > 0 && name[length - 1] == '.') /* the root's, which is everybody's */
        length--;
    if (constraints == NULL)
        return true;
    if (meets_any(constraints->excludedSubtrees, name, length, &given))
        return false;
    return meets_any(constraints->permittedSubtrees, name, length, &given) || !given;
}
