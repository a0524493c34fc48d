/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/compiled.h"

#include "policy/database.h"
#include "policy/pattern_file.h"

#include <string.h>

struct compiled {
    atomic_uint references;
    struct pattern *items;
    size_t count;
    hs_database_t *database; /* NULL if no pattern is Hyperscan's */
    size_t *alone;           /* indices of the patterns that are PCRE2's alone */
    size_t alone_count;
    uint32_t *hashes;            /* of the patterns' texts */
    struct arena arena;          /* of the sources, if they are ours */
    struct pattern_list sources; /* likewise */
};

/* ---- making it ---- */

static void finish(struct compiled *compiled)
{
    compiled->alone = calloc(compiled->count + 1, sizeof(*compiled->alone));
    CHECK(compiled->alone != NULL);
    for (size_t i = 0; i < compiled->count; i++) {
        pattern_finish(&compiled->items[i]);
        if (compiled->items[i].finder == FINDER_PCRE2)
            compiled->alone[compiled->alone_count++] = i;
    }
}

static struct compiled *alloc_set(void)
{
    struct compiled *compiled = calloc(1, sizeof(*compiled));
    CHECK(compiled != NULL);
    atomic_init(&compiled->references, 1);
    return compiled;
}

/* Compiles the patterns one by one. False if one is bad, or there were errors before. */
static bool take_sources(struct compiled *compiled, const struct pattern_list *sources,
                         struct report *report)
{
    compiled->items = calloc(sources->count + 1, sizeof(*compiled->items));
    compiled->hashes = calloc(sources->count + 1, sizeof(*compiled->hashes));
    CHECK(compiled->items != NULL && compiled->hashes != NULL);
    compiled->count = sources->count;
    for (size_t i = 0; i < sources->count; i++) {
        compiled->hashes[i] = compiled_hash(sources->items[i].text);
        pattern_compile(&compiled->items[i], &sources->items[i], report);
    }
    return report->errors == 0;
}

struct compiled *compiled_new(const struct pattern_list *sources, const char *cache,
                              struct report *report)
{
    struct compiled *compiled = alloc_set();
    if (!take_sources(compiled, sources, report)) {
        compiled_unref(compiled);
        return NULL;
    }
    if (compiled->count > 0 && cache != NULL)
        compiled->database = database_open(compiled->items, compiled->count, cache);
    else if (compiled->count > 0)
        compiled->database = database_build(compiled->items, compiled->count);
    finish(compiled);
    return compiled;
}

struct compiled *compiled_new_own(const struct pattern_list *sources, struct report *report)
{
    struct compiled *compiled = alloc_set();
    for (size_t i = 0; i < sources->count; i++) {
        struct pattern_source copy = sources->items[i];
        copy.text = arena_strdup(&compiled->arena, copy.text);
        copy.place.file = arena_strdup(&compiled->arena, copy.place.file);
        CHECK(copy.text != NULL && copy.place.file != NULL);
        CHECK(pattern_list_add(&compiled->sources, &compiled->arena, copy));
    }
    if (!take_sources(compiled, &compiled->sources, report)) {
        compiled_unref(compiled);
        return NULL;
    }
    compiled->database = database_build(compiled->items, compiled->count);
    finish(compiled);
    return compiled;
}

struct compiled *compiled_ref(struct compiled *compiled)
{
    atomic_fetch_add(&compiled->references, 1);
    return compiled;
}

void compiled_unref(struct compiled *compiled)
{
    if (compiled == NULL || atomic_fetch_sub(&compiled->references, 1) > 1)
        return;
    for (size_t i = 0; i < compiled->count; i++)
        pattern_fini(&compiled->items[i]);
    hs_free_database(compiled->database);
    free(compiled->items);
    free(compiled->alone);
    free(compiled->hashes);
    arena_fini(&compiled->arena);
    free(compiled);
}

bool compiled_check(const struct pattern_source *source, struct report *report)
{
    struct pattern pattern = {0};
    const size_t errors = report->errors;
    pattern_compile(&pattern, source, report);
    pattern_fini(&pattern);
    return report->errors == errors;
}

/* ---- looking at it ---- */

size_t compiled_count(const struct compiled *compiled)
{
    return compiled->count;
}

const struct pattern_source *compiled_source(const struct compiled *compiled, size_t index)
{
    return compiled->items[index].source;
}

/* FNV-1a. */
uint32_t compiled_hash(const char *text)
{
    uint32_t sum = UINT32_C(2166136261);
    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * UINT32_C(16777619);
    return sum;
}

size_t compiled_find_text(const struct compiled *compiled, const char *text, size_t start)
{
    const uint32_t wanted = compiled_hash(text);
    for (size_t i = start; i < compiled->count; i++)
        if (compiled->hashes[i] == wanted && strcmp(compiled->items[i].source->text, text) == 0)
            return i;
    return SIZE_MAX;
}

size_t compiled_index(const struct compiled *compiled, const struct pattern_source *source)
{
    const struct pattern_source *first = compiled->count > 0 ? compiled->items[0].source : NULL;
    if (first == NULL || source < first || source >= first + compiled->count)
        return SIZE_MAX;
    return (size_t)(source - first);
}

bool compiled_first_time(struct compiled *compiled, size_t index)
{
    return !atomic_flag_test_and_set(&compiled->items[index].told);
}

void compiled_split(const struct compiled *compiled, const uint8_t *mask,
                    struct patterns_split *split)
{
    for (size_t i = 0; i < compiled->count; i++) {
        if (mask_has(mask, i))
            continue;
        split->hyperscan += compiled->items[i].finder == FINDER_HYPERSCAN;
        split->confirmed += compiled->items[i].finder == FINDER_CONFIRMED;
        split->pcre2 += compiled->items[i].finder == FINDER_PCRE2;
    }
}

/* ---- matching ---- */

bool compiled_fit(const struct compiled *compiled, struct pattern_scratch *scratch)
{
    return compiled->database == NULL || pattern_scratch_fit(scratch, compiled->database);
}

struct search {
    const struct compiled *compiled;
    const uint8_t *mask;
    struct pattern_scratch *scratch;
    const char *text;
    size_t length;
    size_t found; /* the lowest index so far; compiled->count if none */
};

static bool confirms(struct search *search, struct pattern *pattern)
{
    return pattern_finds(pattern, search->scratch, search->text, search->length);
}

/* Hyperscan's match_event_handler: non-zero ends the scan. */
static int hyperscan_found(unsigned id, unsigned long long from, unsigned long long to,
                           unsigned flags, void *context)
{
    (void)from, (void)to, (void)flags;
    struct search *search = context;
    struct pattern *pattern = &search->compiled->items[id];
    if (id < search->found && !mask_has(search->mask, id) &&
        (pattern->finder == FINDER_HYPERSCAN || confirms(search, pattern)))
        search->found = id;
    return search->found == 0;
}

/* Of those that are PCRE2's alone none is tried that could not come first. */
static void try_alone(struct search *search)
{
    const struct compiled *compiled = search->compiled;
    for (size_t i = 0; i < compiled->alone_count; i++) {
        size_t index = compiled->alone[i];
        if (index >= search->found)
            return;
        if (!mask_has(search->mask, index) && confirms(search, &compiled->items[index]))
            search->found = index;
    }
}

size_t compiled_match(const struct compiled *compiled, const uint8_t *mask,
                      struct pattern_scratch *scratch, const char *const texts[], size_t text_count)
{
    struct search search = {
        .compiled = compiled, .mask = mask, .scratch = scratch, .found = compiled->count};
    for (size_t t = 0; t < text_count; t++) {
        search.text = texts[t];
        search.length = strlen(texts[t]);
        if (compiled->database != NULL)
            hs_scan(compiled->database, search.text, (unsigned)search.length, 0, scratch->hyperscan,
                    hyperscan_found, &search);
        try_alone(&search);
    }
    return search.found < compiled->count ? search.found : SIZE_MAX;
}
