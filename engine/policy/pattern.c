/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/pattern.h"

#include "core/log.h"
#include "policy/dialect.h"

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
void pattern_compile(struct pattern *pattern, const struct pattern_source *source,
                     struct report *report)
{
    pattern->source = source;
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
    if (source->dotall)
        options |= PCRE2_DOTALL;
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

void pattern_finish(struct pattern *pattern)
{
    free(pattern->text);
    pattern->text = NULL;
    if (pattern->finder == FINDER_HYPERSCAN) {
        pcre2_code_free(pattern->code);
        pattern->code = NULL;
        return;
    }
    /* Where writable memory may not be executed, PCRE2 interprets instead. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
}

void pattern_fini(struct pattern *pattern)
{
    free(pattern->text);
    pcre2_code_free(pattern->code);
}

static void tell_limit(const struct pattern_source *source, const char *text)
{
    char place[PLACE_TEXT_SIZE];
    log_warning("%s: pattern %s takes too long on %s: counted as not found",
                place_text(&source->place, place), source->text, text);
}

bool pattern_finds(struct pattern *pattern, struct pattern_scratch *scratch, const char *text,
                   size_t length)
{
    int result = pcre2_match(pattern->code, (PCRE2_SPTR)text, length, 0, 0, scratch->match_data,
                             scratch->match_context);
    if (result >= 0)
        return true;
    bool limit = result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_DEPTHLIMIT ||
                 result == PCRE2_ERROR_HEAPLIMIT || result == PCRE2_ERROR_JIT_STACKLIMIT;
    if (limit && !atomic_flag_test_and_set(&pattern->limit_told))
        tell_limit(pattern->source, text);
    return false;
}
