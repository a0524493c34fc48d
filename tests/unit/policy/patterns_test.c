/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/log.h"
#include "policy/patterns.h"
#include "setup.h"

#include <pthread.h>
#include <sys/stat.h>

#define SET_LIMIT 64

/* A compiled set, the list that it borrows, and one thread's scratch. */
struct set {
    struct pattern_source sources[SET_LIMIT];
    struct pattern_list list;
    struct patterns *patterns;
    struct pattern_scratch *scratch;
};

static void fill(struct set *set, const char *const texts[])
{
    *set = (struct set){0};
    for (unsigned i = 0; texts[i] != NULL; i++) {
        assert_true(i < SET_LIMIT);
        set->sources[i] =
            (struct pattern_source){.text = texts[i], .place = {"x.list", i + 1}, .column = 1};
        set->list.count++;
    }
    set->list.items = set->sources;
}

static void compile(struct set *set, const char *const texts[], const char *cache)
{
    struct report report = {0};
    fill(set, texts);
    set->patterns = patterns_compile(&set->list, cache, &report);
    assert_nothing_reported(&report);
    assert_non_null(set->patterns);
    assert_true(pattern_scratch_grow(&set->scratch, set->patterns));
}

static void discard(struct set *set)
{
    pattern_scratch_free(set->scratch);
    patterns_free(set->patterns);
}

/* The index of the pattern that is found; -1 if none is. */
static int find_in(const struct set *set, struct pattern_scratch *scratch, const char *text)
{
    const struct pattern_source *source = patterns_match(set->patterns, scratch, &text, 1);
    return source != NULL ? (int)(source - set->sources) : -1;
}

static int find(const struct set *set, const char *text)
{
    return find_in(set, set->scratch, text);
}

static void assert_split(const struct set *set, size_t hyperscan, size_t confirmed, size_t pcre2)
{
    struct patterns_split split = patterns_split(set->patterns);
    assert_int_equal(split.hyperscan, hyperscan);
    assert_int_equal(split.confirmed, confirmed);
    assert_int_equal(split.pcre2, pcre2);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- what is found ---- */

struct finding {
    const char *pattern, *text;
    bool found;
};

static void assert_found(const struct finding *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct set set;
        compile(&set, TEXTS(cases[i].pattern), NULL);
        if ((find(&set, cases[i].text) == 0) != cases[i].found)
            fail_msg("%s in %s", cases[i].pattern, cases[i].text);
        discard(&set);
    }
}

/* https://docs.mitmproxy.org/stable/howto/ignore-domains/, and the recipe for "only these". */
static void the_documented_examples_of_mitmproxy(void **state)
{
    (void)state;
    static const struct finding cases[] = {
        {"^example\\.com:443$", "example.com:443", true},
        {"^example\\.com:443$", "EXAMPLE.com:443", true},
        {"^example\\.com:443$", "www.example.com:443", false},
        {"^example\\.com:443$", "example.com:4430", false},
        {"^example\\.com:443$", "exampleXcom:443", false},
        {"apple.com:443", "itunes.apple.com:443", true},
        {"apple.com:443", "pineapple.com:443", true},
        {"apple.com:443", "appleXcom:4433", true},
        {"apple.com:443", "apple.com:80", false},
        {"^(.+\\.)?apple\\.com:443$", "apple.com:443", true},
        {"^(.+\\.)?apple\\.com:443$", "a.b.apple.com:443", true},
        {"^(.+\\.)?apple\\.com:443$", "pineapple.com:443", false},
        {"^example.com:", "example.com:80", true},
        {"^example.com:", "www.example.com:443", false},
        {"17\\.178\\.96\\.59:443", "17.178.96.59:443", true},
        {"17\\.178\\.96\\.59:443", "17.178.96.60:443", false},
        {"17\\.178\\.\\d+\\.\\d+:443", "17.178.0.255:443", true},
        {"17\\.178\\.\\d+\\.\\d+:443", "17.179.0.1:443", false},
        {"^(?!example\\.com)(?!mitmproxy\\.org)", "other.org:443", true},
        {"^(?!example\\.com)(?!mitmproxy\\.org)", "example.com:443", false},
        {"^(?!example\\.com)(?!mitmproxy\\.org)", "mitmproxy.org:80", false},
        {"^(?![0-9\\.]+:)(?!([^\\.:]+\\.)*example\\.com:)", "a.example.com:443", false},
        {"^(?![0-9\\.]+:)(?!([^\\.:]+\\.)*example\\.com:)", "192.0.2.1:443", false},
        {"^(?![0-9\\.]+:)(?!([^\\.:]+\\.)*example\\.com:)", "notexample.com:443", true},
    };
    assert_found(cases, ARRAY_SIZE(cases));
}

/* Each is what Python's re.search(pattern, text, re.IGNORECASE) says. */
static void pythons_regular_expressions(void **state)
{
    (void)state;
    static const struct finding cases[] = {
        {"", "anything", true},
        {"", "", true},
        {"^$", "", true},
        {"^$", "a", false},
        {".", "", false},
        {"A", "a", true},
        {"(?-i:A)", "a", false},
        {"^a{,2}b", "aab", true},
        {"^a{,2}b", "aaab", false},
        {"b\\Z", "ab", true},
        {"b\\Z", "ba", false},
        {"^\\u0065xample", "example.com:443", true},
        {"[[:alpha:]]", "a]", true},
        {"[[:alpha:]]", "d", false},
        {"(?x) a b # c", "ab", true},
        {"(?a)\\w:1$", "a:1", true},
        {"\\bcom\\b", "example.com:443", true},
        {"\\bcom\\b", "example.community:443", false},
        {"(?P<x>a|b)(?P=x)", "ab:1", false},
        {"(?P<x>a|b)(?P=x)", "bb:1", true},
        {"^(\\d+)\\.\\1:", "17.17:443", true},
        {"^(\\d+)\\.\\1:", "17.18:443", false},
        {"(^a)b\\1|c", "abc", true},
        {"(?=a(?=b))(c?a).", "zab", true},
        {"(a)?b(?(1)c|d)", "bd", true},
        {"(a)?b(?(1)c|d)$", "abd", true},
        {"^(a)?b(?(1)c|d)$", "abd", false},
        {"^(?>a+)b", "aab", true},
        {"^(?>a+)ab", "aab", false},
        {"^a++a", "aaa", false},
        {"(?<=www\\.)example", "www.example.com:1", true},
        {"(?<!www\\.)example", "www.example.com:1", false},
        {"^.{60000}a", "aaa", false},
        {"\xc3\xa9", "caf\xc3\xa9", true},
        {"\xc3\xa9", "cafe", false},
    };
    assert_found(cases, ARRAY_SIZE(cases));
}

static void each_pattern_goes_to_the_fastest_finder_that_takes_it(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t hyperscan, confirmed, pcre2;
    } cases[] = {
        {"^(.+\\.)?apple\\.com:443$", 1, 0, 0},
        {"", 1, 0, 0},
        {"\\ba{,3}\\Z", 1, 0, 0},
        {"^(?!a)", 0, 1, 0},
        {"(?<=a)b", 0, 1, 0},
        {"(?>a)b", 0, 1, 0},
        {"a*+b", 0, 1, 0},
        {"(a)?(?(1)b|c)", 0, 1, 0},
        {"(a)\\1", 0, 0, 1},
        {"(?P<x>a)(?P=x)", 0, 0, 1},
        {"\xc3\xa9", 0, 0, 1},
        {".{60000}a", 0, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct set set;
        compile(&set, TEXTS(cases[i].pattern), NULL);
        assert_split(&set, cases[i].hyperscan, cases[i].confirmed, cases[i].pcre2);
        discard(&set);
    }
}

static void the_first_pattern_of_the_list_wins_whoever_finds_it(void **state)
{
    (void)state;
    static const char *const kinds[] = {"ab", "(?=a)ab", "(a)b\\1?"};
    /* Every order of the three kinds. */
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            if (i == j)
                continue;
            struct set set;
            compile(&set, TEXTS("x", kinds[i], kinds[j], kinds[3 - i - j], "b"), NULL);
            assert_split(&set, 3, 1, 1);
            assert_int_equal(find(&set, "ab"), 1);
            assert_int_equal(find(&set, "abx"), 0);
            assert_int_equal(find(&set, "b"), 4);
            assert_int_equal(find(&set, "c"), -1);
            discard(&set);
        }
    }
}

static void the_order_is_that_of_the_patterns_not_of_the_texts(void **state)
{
    (void)state;
    struct set set;
    compile(&set, TEXTS("(b)\\1", "(?=b)", "a"), NULL);
    const struct pattern_source *source;
    source = patterns_match(set.patterns, set.scratch, TEXTS("a:1", "b:1"), 2);
    assert_ptr_equal(source, &set.sources[1]);
    source = patterns_match(set.patterns, set.scratch, TEXTS("a:1", "b:1", "bb:1"), 3);
    assert_ptr_equal(source, &set.sources[0]);
    source = patterns_match(set.patterns, set.scratch, TEXTS("a:1", "c:1"), 2);
    assert_ptr_equal(source, &set.sources[2]);
    source = patterns_match(set.patterns, set.scratch, TEXTS("c:1", "d:1"), 2);
    assert_null(source);
    assert_null(patterns_match(set.patterns, set.scratch, TEXTS("a:1"), 0));
    discard(&set);
}

/* A prefilter may hit where the pattern is not found: then others still may be. */
static void a_prefilters_false_hit_hides_nothing(void **state)
{
    (void)state;
    struct set set;
    compile(&set, TEXTS("a(?!b)", "(?<!x)a", "a"), NULL);
    assert_split(&set, 1, 2, 0);
    assert_int_equal(find(&set, "ac"), 0);
    assert_int_equal(find(&set, "ab"), 1);
    assert_int_equal(find(&set, "xab"), 2);
    discard(&set);
}

static void no_patterns_find_nothing(void **state)
{
    (void)state;
    struct set set;
    compile(&set, TEXTS(NULL), NULL);
    assert_int_equal(patterns_count(set.patterns), 0);
    assert_split(&set, 0, 0, 0);
    assert_int_equal(find(&set, ""), -1);
    discard(&set);
    patterns_free(NULL);
    pattern_scratch_free(NULL);
}

static void the_sources_are_borrowed_and_counted(void **state)
{
    (void)state;
    struct set set;
    compile(&set, TEXTS("a", "a", "b"), NULL);
    assert_int_equal(patterns_count(set.patterns), 3);
    const char *text = "b:1";
    assert_ptr_equal(patterns_match(set.patterns, set.scratch, &text, 1), &set.sources[2]);
    text = "a:1";
    assert_ptr_equal(patterns_match(set.patterns, set.scratch, &text, 1), &set.sources[0]);
    discard(&set);
}

static void many_patterns_are_one_set(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static char texts[COUNT][32];
    static struct pattern_source sources[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof(texts[i]), "^host-%u\\.test:\\d+$", i);
        sources[i] = (struct pattern_source){.text = texts[i], .place = {"x", i + 1}};
    }
    const struct pattern_list list = {.items = sources, .count = COUNT};
    struct report report = {0};
    struct pattern_scratch *scratch = NULL;
    struct patterns *patterns = patterns_compile(&list, NULL, &report);
    assert_nothing_reported(&report);
    assert_true(pattern_scratch_grow(&scratch, patterns));
    for (unsigned i = 0; i < COUNT; i++) {
        char text[32];
        const char *pointer = text;
        snprintf(text, sizeof(text), "host-%u.test:443", i);
        assert_ptr_equal(patterns_match(patterns, scratch, &pointer, 1), &sources[i]);
    }
    pattern_scratch_free(scratch);
    patterns_free(patterns);
}

/* ---- what is wrong ---- */

static void each_bad_pattern_is_told_with_its_column(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        unsigned column;
    } cases[] = {
        {"*a", 1},      {"a(b", 4},    {"ab[c", 5},     {"a)b", 2},
        {"(*FAIL)", 2}, {"a{,2}(", 7}, {"\\u00e9(", 8},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct set set;
        struct report report = {0};
        char start[32], end[64];
        fill(&set, TEXTS("good", cases[i].pattern, "good too"));
        set.sources[1].column = 100;
        assert_null(patterns_compile(&set.list, NULL, &report));
        assert_int_equal(report.errors, 1);
        const char *text = report_text(&report, 0);
        snprintf(start, sizeof(start), "x.list:2:%u: ", 99 + cases[i].column);
        if (strncmp(text, start, strlen(start)) != 0)
            fail_msg("%s does not start with %s", text, start);
        snprintf(end, sizeof(end), " in pattern %s", cases[i].pattern);
        assert_true(strlen(text) > strlen(start) + strlen(end)); /* the reason is between */
        assert_string_equal(text + strlen(text) - strlen(end), end);
        report_fini(&report);
    }
}

static void all_bad_patterns_are_told(void **state)
{
    (void)state;
    struct set set;
    struct report report = {0};
    fill(&set, TEXTS("(", "good", "[", "(*)"));
    assert_null(patterns_compile(&set.list, NULL, &report));
    assert_int_equal(report.errors, 3);
    assert_memory_equal(report_text(&report, 0), "x.list:1:2: ", 12);
    assert_memory_equal(report_text(&report, 1), "x.list:3:2: ", 12);
    assert_string_equal(report_text(&report, 2), "x.list:4:2: nothing to repeat in pattern (*)");
    report_fini(&report);
}

static void a_long_bad_pattern_is_quoted_in_part(void **state)
{
    (void)state;
    char pattern[301];
    memset(pattern, 'a', 300);
    pattern[0] = '*';
    pattern[300] = '\0';
    struct set set;
    struct report report = {0};
    fill(&set, TEXTS(pattern));
    assert_null(patterns_compile(&set.list, NULL, &report));
    const char *quoted = strstr(report_text(&report, 0), "*a");
    assert_int_equal(strlen(quoted), 100);
    report_fini(&report);
}

static void with_errors_from_before_patterns_are_only_checked(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path cache = path_in(&folder, "cache");
    struct set set;
    struct report report = {0};
    report_error(&report, (struct place){.file = "y"}, 0, "wrong");
    fill(&set, TEXTS("good", "(*)"));
    assert_null(patterns_compile(&set.list, cache.text, &report));
    assert_int_equal(report.errors, 2);
    assert_string_equal(report_text(&report, 1), "x.list:2:2: nothing to repeat in pattern (*)");
    assert_int_equal(access(cache.text, F_OK), -1);
    report_fini(&report);
    remove_folder(&folder);
}

/* ---- a pattern that takes too long ---- */

struct heard {
    unsigned lines;
    char last[512];
};

static void hear(void *context, const char *line, size_t length)
{
    struct heard *heard = context;
    heard->lines++;
    snprintf(heard->last, sizeof(heard->last), "%.*s", (int)length, line);
}

static void a_pattern_that_takes_too_long_is_not_found_and_is_logged_once(void **state)
{
    (void)state;
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:443";
    struct heard heard = {0};
    struct set set;
    compile(&set, TEXTS("^(a+)+\\1?b", ":443$"), NULL);
    log_redirect(hear, &heard);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(find(&set, text), 1);
    assert_int_equal(find(&set, "aab"), 0);
    log_redirect(NULL, NULL);
    assert_int_equal(heard.lines, 1);
    assert_non_null(strstr(heard.last, "x.list:1: pattern ^(a+)+\\1?b takes too long on aaaa"));
    discard(&set);
}

static void names_of_any_length_are_searched(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'b', sizeof(text));
    memcpy(text + sizeof(text) - 8, "a.c:443", 8);
    struct set set;
    compile(&set, TEXTS("^b+a\\.c:443$"), NULL);
    assert_int_equal(find(&set, text), 0);
    discard(&set);
    compile(&set, TEXTS("^(?=b)b+(?=a)a\\.c:443$"), NULL);
    assert_int_equal(find(&set, text), 0);
    discard(&set);
}

/* ---- the cache ---- */

/* A pattern of each kind. */
static const char *const cached_patterns[] = {"^a\\.test:", "^b(?!c)", "(d)\\1", NULL};

static void assert_cached_patterns_work(const struct set *set)
{
    assert_split(set, 1, 1, 1);
    assert_int_equal(find(set, "a.test:443"), 0);
    assert_int_equal(find(set, "bd:443"), 1);
    assert_int_equal(find(set, "bc:443"), -1);
    assert_int_equal(find(set, "dd:443"), 2);
}

static struct stat status_of(const struct path *path)
{
    struct stat status;
    assert_int_equal(stat(path->text, &status), 0);
    return status;
}

/* Compiles, matches, and tells whether the cache file was written anew. */
static bool rewrites(const struct path *cache, const char *const texts[])
{
    struct stat before = status_of(cache);
    struct path other = *cache;
    struct set set;
    /* Held by a second name: so its inode number is not used again. */
    strcat(other.text, ".before");
    assert_int_equal(link(cache->text, other.text), 0);
    compile(&set, texts, cache->text);
    if (texts == cached_patterns)
        assert_cached_patterns_work(&set);
    discard(&set);
    bool rewritten = status_of(cache).st_ino != before.st_ino;
    assert_int_equal(unlink(other.text), 0);
    return rewritten;
}

static void fill_cache(const struct path *cache)
{
    struct set set;
    compile(&set, cached_patterns, cache->text);
    assert_cached_patterns_work(&set);
    discard(&set);
}

static void a_compiled_set_is_kept_and_used_again(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path cache = path_in(&folder, "state/ignore.hsdb");
    fill_cache(&cache);
    assert_int_equal(status_of(&cache).st_mode & 07777, 0644);
    assert_false(rewrites(&cache, cached_patterns));
    assert_false(rewrites(&cache, cached_patterns));
    remove_folder(&folder);
}

static void other_patterns_replace_the_cache(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path cache = path_in(&folder, "cache");
    static const char *const others[][5] = {
        {"^a\\.test:", "^b(?!c)", "(d)\\1", "e", NULL}, /* one more */
        {"^b(?!c)", "^a\\.test:", "(d)\\1", NULL},      /* another order */
        {"^a\\.test:", "^b(?!c)(d)\\1", NULL},          /* the same characters */
        {"^a\\.test:", NULL},
        {"(d)\\1", NULL}, /* nothing in it is Hyperscan's */
    };
    fill_cache(&cache);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_true(rewrites(&cache, others[i]));
        assert_false(rewrites(&cache, others[i]));
    }
    assert_true(rewrites(&cache, cached_patterns));
    remove_folder(&folder);
}

static void a_damaged_cache_is_noticed_and_replaced(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path cache = path_in(&folder, "cache");
    size_t length;
    fill_cache(&cache);
    char *content = file_read(cache.text, &length);
    assert_non_null(content);
    assert_true(length > 200);
    /* A bit in each part: the header is 80 bytes long, three finders follow. */
    const size_t places[] = {0, 15, 16, 47, 48, 79, 80, 81, 82, 83, 150, length / 2, length - 1};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        content[places[i]] ^= 4;
        assert_true(file_replace(cache.text, content, length, 0600));
        content[places[i]] ^= 4;
        assert_true(rewrites(&cache, cached_patterns));
    }
    const size_t lengths[] = {0, 1, 15, 16, 79, 80, 82, 83, 84, 200, length - 1, length + 1};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        assert_true(file_replace(cache.text, content, lengths[i], 0600));
        assert_true(rewrites(&cache, cached_patterns));
    }
    assert_false(rewrites(&cache, cached_patterns));
    free(content);
    remove_folder(&folder);
}

static void a_cache_that_cannot_be_written_is_done_without(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path file = path_in(&folder, "file"), cache = path_in(&folder, "file/cache");
    struct heard heard = {0};
    struct set set;
    write_file(&file, "");
    log_redirect(hear, &heard);
    compile(&set, cached_patterns, cache.text);
    log_redirect(NULL, NULL);
    assert_cached_patterns_work(&set);
    assert_int_equal(heard.lines, 1);
    assert_non_null(strstr(heard.last, "the compiled patterns could not be kept"));
    discard(&set);
    remove_folder(&folder);
}

static void no_patterns_leave_no_cache(void **state)
{
    (void)state;
    const struct folder folder = make_folder();
    const struct path cache = path_in(&folder, "cache");
    struct set set;
    compile(&set, TEXTS(NULL), cache.text);
    assert_int_equal(access(cache.text, F_OK), -1);
    discard(&set);
    remove_folder(&folder);
}

/* ---- scratch and threads ---- */

static void one_scratch_serves_every_set_that_it_was_grown_for(void **state)
{
    (void)state;
    struct set small, large, none;
    compile(&small, TEXTS("a"), NULL);
    compile(&large, TEXTS("^(b.*c|d[e-g]{3,9}h){2}", "(?=x)x(y)", "(z)\\1", "e+f*g"), NULL);
    compile(&none, TEXTS("(z)\\1"), NULL);
    struct pattern_scratch *scratch = NULL;
    assert_true(pattern_scratch_grow(&scratch, none.patterns));
    assert_true(pattern_scratch_grow(&scratch, small.patterns));
    assert_true(pattern_scratch_grow(&scratch, large.patterns));
    assert_int_equal(find_in(&small, scratch, "cab"), 0);
    assert_int_equal(find_in(&large, scratch, "bcdefgh"), 0);
    assert_int_equal(find_in(&large, scratch, "axy"), 1);
    assert_int_equal(find_in(&none, scratch, "zz"), 0);
    assert_int_equal(find_in(&small, scratch, "b"), -1);
    pattern_scratch_free(scratch);
    discard(&small);
    discard(&large);
    discard(&none);
}

struct searcher {
    pthread_t thread;
    const struct set *set;
    unsigned start, wrong;
};

static void *search(void *argument)
{
    static const struct {
        const char *text;
        int found;
    } cases[] = {{"a.test:443", 0}, {"bd:443", 1}, {"bc:443", -1}, {"dd:443", 2}, {"e:443", -1}};
    struct searcher *searcher = argument;
    struct pattern_scratch *scratch = NULL;
    if (!pattern_scratch_grow(&scratch, searcher->set->patterns))
        searcher->wrong++;
    for (unsigned i = searcher->start; i < searcher->start + 2000; i++) {
        size_t which = i % ARRAY_SIZE(cases);
        if (find_in(searcher->set, scratch, cases[which].text) != cases[which].found)
            searcher->wrong++;
    }
    pattern_scratch_free(scratch);
    return NULL;
}

static void threads_match_against_one_set_at_the_same_time(void **state)
{
    (void)state;
    struct set set;
    struct searcher searchers[4];
    compile(&set, cached_patterns, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(searchers); i++) {
        searchers[i] = (struct searcher){.set = &set, .start = i};
        assert_int_equal(pthread_create(&searchers[i].thread, NULL, search, &searchers[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(searchers); i++)
        assert_int_equal(pthread_join(searchers[i].thread, NULL), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(searchers); i++)
        assert_int_equal(searchers[i].wrong, 0);
    discard(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_examples_of_mitmproxy),
        cmocka_unit_test(pythons_regular_expressions),
        cmocka_unit_test(each_pattern_goes_to_the_fastest_finder_that_takes_it),
        cmocka_unit_test(the_first_pattern_of_the_list_wins_whoever_finds_it),
        cmocka_unit_test(the_order_is_that_of_the_patterns_not_of_the_texts),
        cmocka_unit_test(a_prefilters_false_hit_hides_nothing),
        cmocka_unit_test(no_patterns_find_nothing),
        cmocka_unit_test(the_sources_are_borrowed_and_counted),
        cmocka_unit_test(many_patterns_are_one_set),
        cmocka_unit_test(each_bad_pattern_is_told_with_its_column),
        cmocka_unit_test(all_bad_patterns_are_told),
        cmocka_unit_test(a_long_bad_pattern_is_quoted_in_part),
        cmocka_unit_test(with_errors_from_before_patterns_are_only_checked),
        cmocka_unit_test(a_pattern_that_takes_too_long_is_not_found_and_is_logged_once),
        cmocka_unit_test(names_of_any_length_are_searched),
        cmocka_unit_test(a_compiled_set_is_kept_and_used_again),
        cmocka_unit_test(other_patterns_replace_the_cache),
        cmocka_unit_test(a_damaged_cache_is_noticed_and_replaced),
        cmocka_unit_test(a_cache_that_cannot_be_written_is_done_without),
        cmocka_unit_test(no_patterns_leave_no_cache),
        cmocka_unit_test(one_scratch_serves_every_set_that_it_was_grown_for),
        cmocka_unit_test(threads_match_against_one_set_at_the_same_time),
    };
    return cmocka_run_group_tests_name("policy/patterns", tests, NULL, NULL);
}
