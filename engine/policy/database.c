/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/database.h"

#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#define HYPERSCAN_FLAGS (HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY)

struct database {
    struct pattern *items;
    size_t count;
    hs_database_t *compiled;
};

/* ---- compiling ---- */

static unsigned flags_of(const struct pattern *pattern)
{
    return HYPERSCAN_FLAGS |
           (pattern->finder == FINDER_CONFIRMED ? (unsigned)HS_FLAG_PREFILTER : 0);
}

/* Hands a pattern to the next finder for as long as Hyperscan does not even parse it. */
static void choose_finder(struct pattern *pattern)
{
    while (pattern->finder != FINDER_PCRE2) {
        hs_expr_info_t *info = NULL;
        hs_compile_error_t *error = NULL;
        hs_error_t result = hs_expression_info(pattern->text, flags_of(pattern), &info, &error);
        free(info);
        hs_free_compile_error(error);
        if (result == HS_SUCCESS)
            return;
        pattern->finder++;
    }
}

/* The database of all patterns that are Hyperscan's by now. On failure *culprit is the index of the
 * pattern that it is due to, or SIZE_MAX if Hyperscan does not say. */
static hs_error_t compile_database(struct database *set, size_t *culprit)
{
    const char **texts = calloc(set->count + 1, sizeof(*texts));
    unsigned *flags = calloc(set->count + 1, sizeof(*flags));
    unsigned *ids = calloc(set->count + 1, sizeof(*ids));
    CHECK(texts != NULL && flags != NULL && ids != NULL);
    unsigned count = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].finder == FINDER_PCRE2)
            continue;
        texts[count] = set->items[i].text;
        flags[count] = flags_of(&set->items[i]);
        ids[count++] = (unsigned)i;
    }
    *culprit = SIZE_MAX;
    hs_compile_error_t *error = NULL;
    hs_error_t result = HS_SUCCESS;
    if (count > 0)
        result =
            hs_compile_multi(texts, flags, ids, count, HS_MODE_BLOCK, NULL, &set->compiled, &error);
    if (result != HS_SUCCESS && error != NULL && error->expression >= 0)
        *culprit = ids[error->expression];
    hs_free_compile_error(error);
    free(texts);
    free(flags);
    free(ids);
    return result;
}

static bool compiles_alone(const struct pattern *pattern)
{
    hs_database_t *database = NULL;
    hs_compile_error_t *error = NULL;
    hs_error_t result =
        hs_compile(pattern->text, flags_of(pattern), HS_MODE_BLOCK, NULL, &database, &error);
    hs_free_database(database);
    hs_free_compile_error(error);
    return result == HS_SUCCESS;
}

/* Hands on the patterns that Hyperscan refuses one by one; false if it refuses none of them. */
static bool hand_on_refused(struct database *set)
{
    bool any = false;
    for (size_t i = 0; i < set->count; i++) {
        struct pattern *pattern = &set->items[i];
        if (pattern->finder == FINDER_PCRE2 || compiles_alone(pattern))
            continue;
        pattern->finder++;
        any = true;
    }
    return any;
}

static void hand_all_to_pcre2(struct database *set)
{
    for (size_t i = 0; i < set->count; i++)
        set->items[i].finder = FINDER_PCRE2;
}

static void build_database(struct database *set)
{
    if (hs_valid_platform() != HS_SUCCESS) {
        log_warning(
            "this processor lacks SSSE3, which Hyperscan needs: patterns are matched one by "
            "one by PCRE2");
        hand_all_to_pcre2(set);
        return;
    }
    for (size_t i = 0; i < set->count; i++)
        choose_finder(&set->items[i]);
    size_t culprit;
    while (compile_database(set, &culprit) != HS_SUCCESS) {
        if (culprit != SIZE_MAX) {
            set->items[culprit].finder++;
        } else if (!hand_on_refused(set)) {
            log_warning("Hyperscan cannot compile these %zu patterns together: they are matched "
                        "one by one by PCRE2",
                        set->count);
            hand_all_to_pcre2(set);
        }
    }
}

/* ---- the database on disk ----
 *
 * header, then a finder a pattern, then Hyperscan's serialized bytes. The key covers everything
 * that the database depends on; the digest, everything behind the header. */

struct cache_header {
    char magic[16];
    unsigned char key[32];
    unsigned char digest[32];
};
static const char cache_magic[16] = "interceptd-hs-1";

static void hash(EVP_MD_CTX *context, const void *bytes, size_t length)
{
    CHECK(EVP_DigestUpdate(context, bytes, length) == 1);
}

static void cache_key(const struct database *set, unsigned char key[static 32])
{
    hs_platform_info_t platform;
    memset(&platform, 0, sizeof(platform));
    hs_populate_platform(&platform);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    hash(context, hs_version(), strlen(hs_version()) + 1);
    hash(context, &platform, sizeof(platform));
    hash(context, &(unsigned){HYPERSCAN_FLAGS}, sizeof(unsigned));
    for (size_t i = 0; i < set->count; i++) {
        CHECK(set->items[i].text != NULL);
        hash(context, set->items[i].text, strlen(set->items[i].text) + 1);
    }
    CHECK(EVP_DigestFinal_ex(context, key, NULL) == 1);
    EVP_MD_CTX_free(context);
}

static void cache_digest(const void *bytes, size_t length, unsigned char digest[static 32])
{
    CHECK(EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL) == 1);
}

/* False, and nothing changed, if the file is not these patterns' database. */
static bool cache_use(struct database *set, const unsigned char key[static 32], const char *content,
                      size_t length)
{
    struct cache_header header;
    unsigned char digest[32];
    if (length < sizeof(header) + set->count)
        return false;
    memcpy(&header, content, sizeof(header));
    const char *finders = content + sizeof(header);
    const char *database = finders + set->count;
    size_t database_length = length - sizeof(header) - set->count;
    cache_digest(finders, length - sizeof(header), digest);
    if (memcmp(header.magic, cache_magic, sizeof(cache_magic)) != 0 ||
        memcmp(header.key, key, sizeof(header.key)) != 0 ||
        memcmp(header.digest, digest, sizeof(digest)) != 0)
        return false;
    if (database_length > 0 &&
        hs_deserialize_database(database, database_length, &set->compiled) != HS_SUCCESS)
        return false;
    for (size_t i = 0; i < set->count; i++)
        set->items[i].finder = (enum finder)finders[i];
    return true;
}

static bool cache_load(struct database *set, const unsigned char key[static 32], const char *path)
{
    size_t length;
    char *content = file_read_own(path, &length);
    bool used = content != NULL && cache_use(set, key, content, length);
    free(content);
    return used;
}

/* Losing the cache costs a compilation at the next start: worth a warning, no more. At a reload we
 * are not root any more, and what root has written stays until root starts again: whoever took us
 * over shall not write what root reads. */
static void cache_store(const struct database *set, const unsigned char key[static 32],
                        const char *path)
{
    char *database = NULL;
    size_t database_length = 0;
    if (set->compiled != NULL &&
        hs_serialize_database(set->compiled, &database, &database_length) != HS_SUCCESS)
        return;
    struct cache_header header;
    size_t length = sizeof(header) + set->count + database_length;
    char *content = malloc(length);
    CHECK(content != NULL);
    char *finders = content + sizeof(header);
    for (size_t i = 0; i < set->count; i++)
        finders[i] = (char)set->items[i].finder;
    if (database_length > 0)
        memcpy(finders + set->count, database, database_length);
    memcpy(header.magic, cache_magic, sizeof(cache_magic));
    memcpy(header.key, key, sizeof(header.key));
    cache_digest(finders, length - sizeof(header), header.digest);
    memcpy(content, &header, sizeof(header));
    bool done = file_make_parents(path, 0700) && file_replace(path, content, length, 0644);
    if (!done && errno != EPERM)
        log_warning("%s: the compiled patterns could not be kept: %m", path);
    free(content);
    free(database);
}

/* ---- both ---- */

hs_database_t *database_build(struct pattern *items, size_t count)
{
    struct database set = {items, count, NULL};
    build_database(&set);
    return set.compiled;
}

hs_database_t *database_open(struct pattern *items, size_t count, const char *path)
{
    struct database set = {items, count, NULL};
    unsigned char key[32];
    cache_key(&set, key);
    if (!cache_load(&set, key, path)) {
        build_database(&set);
        cache_store(&set, key, path);
    }
    return set.compiled;
}
