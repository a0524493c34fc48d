/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/patterns.h"

#include "core/file.h"
#include "core/log.h"
#include "policy/dialect.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <hs/hs.h>
#include <openssl/evp.h>
#include <pcre2.h>
#include <stdatomic.h>
#include <string.h>

/* How much backtracking one match may do before it counts as "not found": with the JIT, the worst
 * pattern then holds a SYN up for about a millisecond. */
#define MATCH_LIMIT 100000
#define HYPERSCAN_FLAGS (HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY)

/* Who finds a pattern, from the fastest; each takes what the one before it refuses. */
enum finder { FINDER_HYPERSCAN, FINDER_CONFIRMED, FINDER_PCRE2 };

struct pattern {
    const struct pattern_source *source;
    char *text; /* translated for Hyperscan; freed once the database is there */
    enum finder finder;
    pcre2_code *code; /* NULL for FINDER_HYPERSCAN */
    atomic_flag limit_told;
};

struct patterns {
    struct pattern *items;
    size_t count;
    hs_database_t *database; /* NULL if no pattern is Hyperscan's */
    size_t *alone;           /* indices of the patterns that are PCRE2's alone */
    size_t alone_count;
};

struct pattern_scratch {
    hs_scratch_t *hyperscan;
    pcre2_match_data *match_data;
    pcre2_match_context *match_context;
    pcre2_jit_stack *jit_stack;
};

/* ---- compiling one pattern ---- */

static void report_pcre2(struct report *report, const struct pattern_source *source,
                         const struct dialect *dialect, int error, size_t offset)
{
    char text[256];
    pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
    if (offset > dialect->length)
        offset = dialect->length;
    report_error(report, source->place, source->column + (unsigned)dialect->origin[offset],
                 "%s in pattern %.100s", text, source->text);
}

/* Everything that PCRE2 takes is a good pattern, whoever finds it in the end. */
static void compile_pattern(struct pattern *pattern, struct report *report)
{
    const struct pattern_source *source = pattern->source;
    struct dialect dialect;
    if (!dialect_translate(&dialect, source->text)) {
        report_error(report, source->place, source->column + (unsigned)dialect.error_offset,
                     "%s in pattern %.100s", dialect.error, source->text);
        return;
    }
    /* PCRE2 10.42 optimizes the start of "(?=a(?=b))(c?a)." so that it misses "zab". */
    uint32_t options = PCRE2_CASELESS | PCRE2_NO_START_OPTIMIZE;
    if (dialect.unicode)
        options |= PCRE2_UTF | PCRE2_UCP;
    int error;
    size_t offset;
    pattern->code =
        pcre2_compile((PCRE2_SPTR)dialect.pattern, dialect.length, options, &error, &offset, NULL);
    if (pattern->code == NULL)
        report_pcre2(report, source, &dialect, error, offset);
    /* Hyperscan approximates a reference by the group's expression, and is wrong if there are
     * assertions in it: (^a)b\1 would never be found. */
    pattern->finder = dialect.unicode || dialect.backreference ? FINDER_PCRE2 : FINDER_HYPERSCAN;
    pattern->text = dialect.pattern;
    dialect.pattern = NULL;
    dialect_fini(&dialect);
}

/* ---- compiling the database ---- */

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
static hs_error_t compile_database(struct patterns *patterns, size_t *culprit)
{
    const char **texts = calloc(patterns->count + 1, sizeof(*texts));
    unsigned *flags = calloc(patterns->count + 1, sizeof(*flags));
    unsigned *ids = calloc(patterns->count + 1, sizeof(*ids));
    CHECK(texts != NULL && flags != NULL && ids != NULL);
    unsigned count = 0;
    for (size_t i = 0; i < patterns->count; i++) {
        if (patterns->items[i].finder == FINDER_PCRE2)
            continue;
        texts[count] = patterns->items[i].text;
        flags[count] = flags_of(&patterns->items[i]);
        ids[count++] = (unsigned)i;
    }
    *culprit = SIZE_MAX;
    hs_compile_error_t *error = NULL;
    hs_error_t result = HS_SUCCESS;
    if (count > 0)
        result = hs_compile_multi(texts, flags, ids, count, HS_MODE_BLOCK, NULL,
                                  &patterns->database, &error);
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
static bool hand_on_refused(struct patterns *patterns)
{
    bool any = false;
    for (size_t i = 0; i < patterns->count; i++) {
        struct pattern *pattern = &patterns->items[i];
        if (pattern->finder == FINDER_PCRE2 || compiles_alone(pattern))
            continue;
        pattern->finder++;
        any = true;
    }
    return any;
}

static void hand_all_to_pcre2(struct patterns *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        patterns->items[i].finder = FINDER_PCRE2;
}

static void build_database(struct patterns *patterns)
{
    if (hs_valid_platform() != HS_SUCCESS) {
        log_warning(
            "this processor lacks SSSE3, which Hyperscan needs: patterns are matched one by "
            "one by PCRE2");
        hand_all_to_pcre2(patterns);
        return;
    }
    for (size_t i = 0; i < patterns->count; i++)
        choose_finder(&patterns->items[i]);
    size_t culprit;
    while (compile_database(patterns, &culprit) != HS_SUCCESS) {
        if (culprit != SIZE_MAX) {
            patterns->items[culprit].finder++;
        } else if (!hand_on_refused(patterns)) {
            log_warning("Hyperscan cannot compile these %zu patterns together: they are matched "
                        "one by one by PCRE2",
                        patterns->count);
            hand_all_to_pcre2(patterns);
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

static void cache_key(const struct patterns *patterns, unsigned char key[static 32])
{
    hs_platform_info_t platform;
    memset(&platform, 0, sizeof(platform));
    hs_populate_platform(&platform);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    hash(context, hs_version(), strlen(hs_version()) + 1);
    hash(context, &platform, sizeof(platform));
    hash(context, &(unsigned){HYPERSCAN_FLAGS}, sizeof(unsigned));
    for (size_t i = 0; i < patterns->count; i++) {
        CHECK(patterns->items[i].text != NULL);
        hash(context, patterns->items[i].text, strlen(patterns->items[i].text) + 1);
    }
    CHECK(EVP_DigestFinal_ex(context, key, NULL) == 1);
    EVP_MD_CTX_free(context);
}

static void cache_digest(const void *bytes, size_t length, unsigned char digest[static 32])
{
    CHECK(EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL) == 1);
}

/* False, and nothing changed, if the file is not these patterns' database. */
static bool cache_use(struct patterns *patterns, const unsigned char key[static 32],
                      const char *content, size_t length)
{
    struct cache_header header;
    unsigned char digest[32];
    if (length < sizeof(header) + patterns->count)
        return false;
    memcpy(&header, content, sizeof(header));
    const char *finders = content + sizeof(header);
    const char *database = finders + patterns->count;
    size_t database_length = length - sizeof(header) - patterns->count;
    cache_digest(finders, length - sizeof(header), digest);
    if (memcmp(header.magic, cache_magic, sizeof(cache_magic)) != 0 ||
        memcmp(header.key, key, sizeof(header.key)) != 0 ||
        memcmp(header.digest, digest, sizeof(digest)) != 0)
        return false;
    if (database_length > 0 &&
        hs_deserialize_database(database, database_length, &patterns->database) != HS_SUCCESS)
        return false;
    for (size_t i = 0; i < patterns->count; i++)
        patterns->items[i].finder = (enum finder)finders[i];
    return true;
}

static bool cache_load(struct patterns *patterns, const unsigned char key[static 32],
                       const char *path)
{
    size_t length;
    char *content = file_read_own(path, &length);
    bool used = content != NULL && cache_use(patterns, key, content, length);
    free(content);
    return used;
}

/* Losing the cache costs a compilation at the next start: worth a warning, no more. At a reload we
 * are not root any more, and what root has written stays until root starts again: whoever took us
 * over shall not write what root reads. */
static void cache_store(const struct patterns *patterns, const unsigned char key[static 32],
                        const char *path)
{
    char *database = NULL;
    size_t database_length = 0;
    if (patterns->database != NULL &&
        hs_serialize_database(patterns->database, &database, &database_length) != HS_SUCCESS)
        return;
    struct cache_header header;
    size_t length = sizeof(header) + patterns->count + database_length;
    char *content = malloc(length);
    CHECK(content != NULL);
    char *finders = content + sizeof(header);
    for (size_t i = 0; i < patterns->count; i++)
        finders[i] = (char)patterns->items[i].finder;
    if (database_length > 0)
        memcpy(finders + patterns->count, database, database_length);
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

/* ---- the whole set ---- */

/* Frees what only compiling needed, and makes PCRE2 ready for what it has to find. */
static void finish(struct patterns *patterns)
{
    patterns->alone = calloc(patterns->count + 1, sizeof(*patterns->alone));
    CHECK(patterns->alone != NULL);
    for (size_t i = 0; i < patterns->count; i++) {
        struct pattern *pattern = &patterns->items[i];
        free(pattern->text);
        pattern->text = NULL;
        if (pattern->finder == FINDER_HYPERSCAN) {
            pcre2_code_free(pattern->code);
            pattern->code = NULL;
            continue;
        }
        /* Where writable memory may not be executed, PCRE2 interprets instead. */
        (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
        if (pattern->finder == FINDER_PCRE2)
            patterns->alone[patterns->alone_count++] = i;
    }
}

struct patterns *patterns_compile(const struct pattern_list *sources, const char *cache,
                                  struct report *report)
{
    struct patterns *patterns = calloc(1, sizeof(*patterns));
    CHECK(patterns != NULL);
    patterns->items = calloc(sources->count + 1, sizeof(*patterns->items));
    CHECK(patterns->items != NULL);
    patterns->count = sources->count;
    for (size_t i = 0; i < sources->count; i++) {
        patterns->items[i].source = &sources->items[i];
        compile_pattern(&patterns->items[i], report);
    }
    if (report->errors > 0) {
        patterns_free(patterns);
        return NULL;
    }
    unsigned char key[32];
    cache_key(patterns, key);
    if (patterns->count > 0 && (cache == NULL || !cache_load(patterns, key, cache))) {
        build_database(patterns);
        if (cache != NULL)
            cache_store(patterns, key, cache);
    }
    finish(patterns);
    return patterns;
}

void patterns_free(struct patterns *patterns)
{
    if (patterns == NULL)
        return;
    for (size_t i = 0; i < patterns->count; i++) {
        free(patterns->items[i].text);
        pcre2_code_free(patterns->items[i].code);
    }
    hs_free_database(patterns->database);
    free(patterns->items);
    free(patterns->alone);
    free(patterns);
}

size_t patterns_count(const struct patterns *patterns)
{
    return patterns->count;
}

struct patterns_split patterns_split(const struct patterns *patterns)
{
    struct patterns_split split = {0};
    for (size_t i = 0; i < patterns->count; i++) {
        split.hyperscan += patterns->items[i].finder == FINDER_HYPERSCAN;
        split.confirmed += patterns->items[i].finder == FINDER_CONFIRMED;
        split.pcre2 += patterns->items[i].finder == FINDER_PCRE2;
    }
    return split;
}

/* ---- matching ---- */

bool pattern_scratch_grow(struct pattern_scratch **scratch, const struct patterns *patterns)
{
    if (*scratch == NULL) {
        struct pattern_scratch *fresh = calloc(1, sizeof(*fresh));
        if (fresh == NULL)
            return false;
        *scratch = fresh;
        fresh->match_data = pcre2_match_data_create(1, NULL);
        fresh->match_context = pcre2_match_context_create(NULL);
        fresh->jit_stack = pcre2_jit_stack_create((size_t)32 << 10, (size_t)512 << 10, NULL);
        if (fresh->match_data == NULL || fresh->match_context == NULL)
            return false;
        pcre2_set_match_limit(fresh->match_context, MATCH_LIMIT);
        if (fresh->jit_stack != NULL)
            pcre2_jit_stack_assign(fresh->match_context, NULL, fresh->jit_stack);
    }
    return patterns->database == NULL ||
           hs_alloc_scratch(patterns->database, &(*scratch)->hyperscan) == HS_SUCCESS;
}

void pattern_scratch_free(struct pattern_scratch *scratch)
{
    if (scratch == NULL)
        return;
    hs_free_scratch(scratch->hyperscan);
    pcre2_jit_stack_free(scratch->jit_stack);
    pcre2_match_context_free(scratch->match_context);
    pcre2_match_data_free(scratch->match_data);
    free(scratch);
}

struct search {
    const struct patterns *patterns;
    struct pattern_scratch *scratch;
    const char *text;
    size_t length;
    size_t found; /* the lowest index so far; patterns->count if none */
};

static bool pcre2_finds(struct search *search, struct pattern *pattern)
{
    int result = pcre2_match(pattern->code, (PCRE2_SPTR)search->text, search->length, 0, 0,
                             search->scratch->match_data, search->scratch->match_context);
    if (result >= 0)
        return true;
    bool limit = result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_DEPTHLIMIT ||
                 result == PCRE2_ERROR_HEAPLIMIT || result == PCRE2_ERROR_JIT_STACKLIMIT;
    if (limit && !atomic_flag_test_and_set(&pattern->limit_told))
        log_warning("%s:%u: pattern %s takes too long on %s: counted as not found",
                    pattern->source->place.file, pattern->source->place.line, pattern->source->text,
                    search->text);
    return false;
}

/* Hyperscan's match_event_handler: non-zero ends the scan. */
static int hyperscan_found(unsigned id, unsigned long long from, unsigned long long to,
                           unsigned flags, void *context)
{
    (void)from, (void)to, (void)flags;
    struct search *search = context;
    struct pattern *pattern = &search->patterns->items[id];
    if (id < search->found && (pattern->finder == FINDER_HYPERSCAN || pcre2_finds(search, pattern)))
        search->found = id;
    return search->found == 0;
}

const struct pattern_source *patterns_match(const struct patterns *patterns,
                                            struct pattern_scratch *scratch,
                                            const char *const texts[], size_t text_count)
{
    struct search search = {.patterns = patterns, .scratch = scratch, .found = patterns->count};
    for (size_t t = 0; t < text_count; t++) {
        search.text = texts[t];
        search.length = strlen(texts[t]);
        if (patterns->database != NULL)
            hs_scan(patterns->database, search.text, (unsigned)search.length, 0, scratch->hyperscan,
                    hyperscan_found, &search);
        for (size_t i = 0; i < patterns->alone_count && patterns->alone[i] < search.found; i++)
            if (pcre2_finds(&search, &patterns->items[patterns->alone[i]]))
                search.found = patterns->alone[i];
    }
    return search.found < patterns->count ? patterns->items[search.found].source : NULL;
}
