/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/patterns.h"

#include "policy/pattern_file.h"

#include <string.h>

/* Patterns that are added one by one are compiled together until they are so many: a scan costs
 * some 20 ns a part, compiling a millisecond a pattern. */
#define RUN_LIMIT 8

struct part {
    struct compiled *compiled;
    uint8_t *mask;  /* NULL: none is masked */
    size_t enabled; /* not masked */
};

struct patterns {
    struct part *parts; /* the first is the configuration's */
    size_t part_count;
    size_t count; /* enabled in all of them */
};

/* ---- making it ---- */

static struct patterns *alloc_list(size_t part_limit)
{
    struct patterns *patterns = calloc(1, sizeof(*patterns));
    CHECK(patterns != NULL);
    patterns->parts = calloc(part_limit, sizeof(*patterns->parts));
    CHECK(patterns->parts != NULL);
    return patterns;
}

/* Takes over the reference and the mask; a part of which all is masked is none. */
static void add_part(struct patterns *patterns, struct compiled *compiled, uint8_t *mask)
{
    struct part part = {.compiled = compiled, .mask = mask};
    for (size_t i = 0; i < compiled_count(compiled); i++)
        part.enabled += !mask_has(mask, i);
    if (part.enabled == 0 && patterns->part_count > 0) {
        compiled_unref(compiled);
        free(mask);
        return;
    }
    patterns->count += part.enabled;
    patterns->parts[patterns->part_count++] = part;
}

struct patterns *patterns_compile(const struct pattern_list *sources, const char *cache,
                                  struct report *report)
{
    struct compiled *compiled = compiled_new(sources, cache, report);
    if (compiled == NULL)
        return NULL;
    struct patterns *patterns = alloc_list(1);
    add_part(patterns, compiled, NULL);
    return patterns;
}

void patterns_free(struct patterns *patterns)
{
    if (patterns == NULL)
        return;
    for (size_t i = 0; i < patterns->part_count; i++) {
        compiled_unref(patterns->parts[i].compiled);
        free(patterns->parts[i].mask);
    }
    free(patterns->parts);
    free(patterns);
}

/* ---- changing it ---- */

static uint8_t *alloc_mask(size_t count)
{
    uint8_t *mask = calloc(mask_size(count) + 1, 1);
    CHECK(mask != NULL);
    return mask;
}

/* The configuration's part, without those that were removed. */
static void add_base(struct patterns *patterns, const struct patterns *base,
                     const struct patterns_change *change)
{
    struct compiled *compiled = base->parts[0].compiled;
    uint8_t *mask = NULL;
    if (change->removed_count > 0)
        mask = alloc_mask(compiled_count(compiled));
    for (size_t i = 0; i < change->removed_count; i++) {
        size_t at = compiled_find_text(compiled, change->removed[i], 0);
        for (; at != SIZE_MAX; at = compiled_find_text(compiled, change->removed[i], at + 1))
            mask_set(mask, at);
    }
    add_part(patterns, compiled_ref(compiled), mask);
}

/* What is left of a part of `before`: those of its patterns that come next among the added ones.
 * `*next` goes behind them. */
static uint8_t *mask_of_rest(const struct part *part, const struct pattern_list *added,
                             size_t *next)
{
    const size_t count = compiled_count(part->compiled);
    uint8_t *mask = alloc_mask(count);
    for (size_t i = 0; i < count; i++) {
        const struct pattern_source *source = compiled_source(part->compiled, i);
        const struct pattern_source *wanted = *next < added->count ? &added->items[*next] : NULL;
        if (wanted != NULL && strcmp(source->text, wanted->text) == 0 &&
            strcmp(source->place.file, wanted->place.file) == 0)
            ++*next;
        else
            mask_set(mask, i);
    }
    return mask;
}

/* Takes back a last part that is small, so that it is compiled together with what is new. */
static void take_back_small(struct patterns *patterns, size_t fresh, size_t *next)
{
    struct part *last = &patterns->parts[patterns->part_count - 1];
    if (patterns->part_count < 2 || last->enabled + fresh > RUN_LIMIT)
        return;
    *next -= last->enabled;
    patterns->count -= last->enabled;
    compiled_unref(last->compiled);
    free(last->mask);
    patterns->part_count--;
}

struct patterns *patterns_overlay(const struct patterns *base, const struct patterns *before,
                                  const struct patterns_change *change, struct report *report)
{
    const struct pattern_list *added = &change->added;
    struct patterns *patterns = alloc_list((before != NULL ? before->part_count : 1) + 1);
    size_t next = 0;
    add_base(patterns, base, change);
    for (size_t i = 1; before != NULL && i < before->part_count; i++) {
        const struct part *part = &before->parts[i];
        add_part(patterns, compiled_ref(part->compiled), mask_of_rest(part, added, &next));
    }
    if (next == added->count)
        return patterns;
    take_back_small(patterns, added->count - next, &next);
    const struct pattern_list fresh = {.items = added->items + next, .count = added->count - next};
    struct compiled *compiled = compiled_new_own(&fresh, report);
    if (compiled == NULL) {
        patterns_free(patterns);
        return NULL;
    }
    add_part(patterns, compiled, NULL);
    return patterns;
}

/* ---- looking at it ---- */

size_t patterns_count(const struct patterns *patterns)
{
    return patterns->count;
}

struct patterns_split patterns_split(const struct patterns *patterns)
{
    struct patterns_split split = {0};
    for (size_t i = 0; i < patterns->part_count; i++)
        compiled_split(patterns->parts[i].compiled, patterns->parts[i].mask, &split);
    return split;
}

size_t patterns_base_count(const struct patterns *patterns)
{
    return compiled_count(patterns->parts[0].compiled);
}

const struct pattern_source *patterns_base(const struct patterns *patterns, size_t index,
                                           bool *masked)
{
    *masked = mask_has(patterns->parts[0].mask, index);
    return compiled_source(patterns->parts[0].compiled, index);
}

const struct pattern_source *patterns_base_find(const struct patterns *patterns, const char *text,
                                                bool *masked)
{
    size_t index = compiled_find_text(patterns->parts[0].compiled, text, 0);
    return index != SIZE_MAX ? patterns_base(patterns, index, masked) : NULL;
}

/* ---- matching ---- */

bool pattern_scratch_grow(struct pattern_scratch **scratch, const struct patterns *patterns)
{
    if (*scratch == NULL && (*scratch = pattern_scratch_new()) == NULL)
        return false;
    for (size_t i = 0; i < patterns->part_count; i++)
        if (!compiled_fit(patterns->parts[i].compiled, *scratch))
            return false;
    return true;
}

const struct pattern_source *patterns_match(const struct patterns *patterns,
                                            struct pattern_scratch *scratch,
                                            const char *const texts[], size_t text_count)
{
    for (size_t i = 0; i < patterns->part_count; i++) {
        const struct part *part = &patterns->parts[i];
        size_t found = compiled_match(part->compiled, part->mask, scratch, texts, text_count);
        if (found != SIZE_MAX)
            return compiled_source(part->compiled, found);
    }
    return NULL;
}

bool patterns_first_time(const struct patterns *patterns, const struct pattern_source *source)
{
    for (size_t i = 0; i < patterns->part_count; i++) {
        struct compiled *compiled = patterns->parts[i].compiled;
        size_t index = compiled_index(compiled, source);
        if (index != SIZE_MAX)
            return compiled_first_time(compiled, index);
    }
    return false;
}
