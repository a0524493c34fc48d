/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/filter.h"

#include "policy/filter_fields.h"
#include "policy/pattern.h"

#include <ctype.h>
#include <string.h>

/* How deep parentheses and negations may nest. */
#define DEPTH_LIMIT 100

enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_REGEX, NODE_CODE, NODE_STATE };

struct node {
    enum node_kind kind;
    struct node *left, *right; /* of NODE_NOT only the left one */
    const struct filter_field *field;
    struct pattern_source source;
    struct pattern pattern; /* of NODE_REGEX */
    json_int_t code;
    struct node *next; /* of all there are */
};

struct filter {
    struct arena arena;
    struct node *nodes; /* all of them, to be freed */
    struct node *root;  /* NULL: everything */
    struct pattern_scratch *scratch;
};

struct parser {
    struct filter *filter;
    const char *text, *at;
    unsigned depth;
    struct filter_fault *fault;
    bool failed;
};

/* ---- making it ---- */

static struct node *fail(struct parser *parser, const char *at, const char *what)
{
    if (!parser->failed) {
        parser->fault->column = (unsigned)(at - parser->text) + 1;
        snprintf(parser->fault->what, sizeof(parser->fault->what), "%s", what);
    }
    parser->failed = true;
    return NULL;
}

static struct node *add_node(struct parser *parser, enum node_kind kind, struct node *left,
                             struct node *right)
{
    struct node *node = arena_alloc(&parser->filter->arena, sizeof(*node));
    CHECK(node != NULL);
    node->kind = kind;
    node->left = left;
    node->right = right;
    node->next = parser->filter->nodes;
    parser->filter->nodes = node;
    return node;
}

static void skip_blanks(struct parser *parser)
{
    while (isspace((unsigned char)*parser->at))
        parser->at++;
}

/* ---- words ---- */

static bool ends_word(char c)
{
    return c == '\0' || isspace((unsigned char)c) || strchr("()~'\"", c) != NULL;
}

/* Quoted: a backslash keeps the quote and itself from meaning anything; before anything else it is
 * the regular expression's. */
static char *read_quoted(struct parser *parser)
{
    const char quote = *parser->at, *start = parser->at++;
    char *word = arena_alloc(&parser->filter->arena, strlen(start) + 1);
    size_t length = 0;
    CHECK(word != NULL);
    while (*parser->at != '\0' && *parser->at != quote) {
        if (parser->at[0] == '\\' && parser->at[1] == quote)
            parser->at++;
        word[length++] = *parser->at++;
    }
    if (*parser->at == '\0') {
        fail(parser, start, "a quote that is not closed");
        return NULL;
    }
    parser->at++;
    return word;
}

/* NULL if there is none. */
static char *read_word(struct parser *parser)
{
    skip_blanks(parser);
    if (*parser->at == '\'' || *parser->at == '"')
        return read_quoted(parser);
    const char *start = parser->at;
    while (!ends_word(*parser->at))
        parser->at++;
    return parser->at > start
               ? arena_copy(&parser->filter->arena, start, (size_t)(parser->at - start))
               : NULL;
}

/* ---- what is looked at ---- */

/* Where in the expression this character of the word stands, which begins at `start`: a backslash
 * before a quote is not in it. */
static const char *place_in(const char *start, size_t offset)
{
    const bool quoted = *start == '\'' || *start == '"';
    const char *at = start + quoted;
    for (; offset > 0 && *at != '\0'; offset--)
        at += quoted && at[0] == '\\' && at[1] == *start ? 2 : 1;
    return at;
}

static struct node *parse_regex(struct parser *parser, const struct filter_field *field)
{
    skip_blanks(parser);
    const char *start = parser->at;
    struct report report = {0};
    char *word = read_word(parser);
    if (word == NULL)
        return fail(parser, start, "expected a regular expression");
    struct node *node = add_node(parser, NODE_REGEX, NULL, NULL);
    node->field = field;
    node->source = (struct pattern_source){.text = word, .column = 1, .dotall = field->dotall};
    pattern_compile(&node->pattern, &node->source, &report);
    if (report.errors > 0) {
        const struct report_line *line = STAILQ_FIRST(&report.lines);
        fail(parser, place_in(start, line->column - 1), line->what);
    } else {
        node->pattern.finder = FINDER_PCRE2;
        pattern_finish(&node->pattern);
    }
    report_fini(&report);
    return node;
}

/* A sign may follow at once: a number has none in it. */
static struct node *parse_code(struct parser *parser)
{
    skip_blanks(parser);
    const char *start = parser->at;
    char *end;
    const json_int_t code = strtoll(start, &end, 10);
    if (!isdigit((unsigned char)*start) || (!ends_word(*end) && strchr("&|!", *end) == NULL))
        return fail(parser, start, "expected a status code");
    parser->at = end;
    struct node *node = add_node(parser, NODE_CODE, NULL, NULL);
    node->code = code;
    return node;
}

static struct node *parse_operator(struct parser *parser)
{
    const char *start = parser->at++;
    char name[16];
    size_t length = 0;
    while (isalpha((unsigned char)parser->at[length]))
        length++;
    snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1),
             parser->at);
    const struct filter_field *field = filter_field_find(name);
    parser->at += length;
    if (strcmp(name, "c") == 0)
        return parse_code(parser);
    if (field == NULL || length == 0)
        return fail(
            parser, start,
            "unknown operator; known are ~all ~b[qs] ~c ~d ~dev ~dst ~e ~h[qs] ~http ~m ~q ~s "
            "~src ~t[qs] ~u ~websocket");
    if (field->texts != NULL)
        return parse_regex(parser, field);
    struct node *node = add_node(parser, NODE_STATE, NULL, NULL);
    node->field = field;
    return node;
}

/* ---- how it is put together ---- */

static struct node *parse_all(struct parser *parser);

static struct node *parse_parentheses(struct parser *parser)
{
    const char *start = parser->at++;
    struct node *node = parse_all(parser);
    skip_blanks(parser);
    if (*parser->at != ')')
        return fail(parser, start, "a parenthesis that is not closed");
    parser->at++;
    return node;
}

static struct node *parse_one(struct parser *parser)
{
    skip_blanks(parser);
    const char *start = parser->at;
    if (++parser->depth > DEPTH_LIMIT)
        return fail(parser, start, "too deep");
    struct node *node;
    if (*start == '!') {
        parser->at++;
        struct node *denied = parse_one(parser);
        node = parser->failed ? NULL : add_node(parser, NODE_NOT, denied, NULL);
    } else if (*start == '(') {
        node = parse_parentheses(parser);
    } else if (*start == '~') {
        node = parse_operator(parser);
    } else if (*start == '\0' || strchr("&|)", *start) != NULL) {
        node = fail(parser, start, "expected an operator or a regular expression");
    } else {
        node = parse_regex(parser, filter_field_find(""));
    }
    parser->depth--;
    return node;
}

static struct node *parse_chain(struct parser *parser, char sign, enum node_kind kind,
                                struct node *(*parse)(struct parser *parser))
{
    struct node *node = parse(parser);
    skip_blanks(parser);
    while (!parser->failed && *parser->at == sign) {
        parser->at++;
        node = add_node(parser, kind, node, parse(parser));
        skip_blanks(parser);
    }
    return node;
}

static struct node *parse_and(struct parser *parser)
{
    return parse_chain(parser, '&', NODE_AND, parse_one);
}

static struct node *parse_or(struct parser *parser)
{
    return parse_chain(parser, '|', NODE_OR, parse_and);
}

/* Up to the end, or to a parenthesis. */
static struct node *parse_all(struct parser *parser)
{
    struct node *node = parse_or(parser);
    skip_blanks(parser);
    while (!parser->failed && *parser->at != '\0' && *parser->at != ')') {
        node = add_node(parser, NODE_AND, node, parse_or(parser));
        skip_blanks(parser);
    }
    return node;
}

struct filter *filter_new(const char *text, struct filter_fault *fault)
{
    struct filter *filter = calloc(1, sizeof(*filter));
    CHECK(filter != NULL);
    struct parser parser = {.filter = filter, .text = text, .at = text, .fault = fault};
    filter->scratch = pattern_scratch_new();
    CHECK(filter->scratch != NULL);
    skip_blanks(&parser);
    if (*parser.at != '\0')
        filter->root = parse_all(&parser);
    if (!parser.failed && *parser.at != '\0')
        fail(&parser, parser.at, "a parenthesis that was not opened");
    if (!parser.failed)
        return filter;
    filter_free(filter);
    return NULL;
}

void filter_free(struct filter *filter)
{
    if (filter == NULL)
        return;
    for (struct node *node = filter->nodes; node != NULL; node = node->next)
        pattern_fini(&node->pattern);
    pattern_scratch_free(filter->scratch);
    arena_fini(&filter->arena);
    free(filter);
}

/* ---- looking at an event ---- */

struct look {
    const struct filter *filter;
    struct pattern *pattern;
};

static bool finds(struct text text, void *context)
{
    const struct look *look = context;
    return pattern_finds(look->pattern, look->filter->scratch, text.at, text.length);
}

static bool holds(const struct filter *filter, struct node *node, const json_t *event)
{
    struct look look = {filter, &node->pattern};
    switch (node->kind) {
    case NODE_AND:
        return holds(filter, node->left, event) && holds(filter, node->right, event);
    case NODE_OR:
        return holds(filter, node->left, event) || holds(filter, node->right, event);
    case NODE_NOT:
        return !holds(filter, node->left, event);
    case NODE_CODE:
        return filter_has_status(event, node->code);
    case NODE_STATE:
        return node->field->holds(event);
    case NODE_REGEX:
        return node->field->texts(event, finds, &look);
    }
    return false;
}

bool filter_matches(const struct filter *filter, const json_t *event)
{
    return filter->root == NULL || holds(filter, filter->root, event);
}

/* Nodes were put in front as they were read. */
const char *filter_asks_later(const struct filter *filter)
{
    const char *first = NULL;
    for (const struct node *node = filter->nodes; node != NULL; node = node->next) {
        if (node->kind == NODE_CODE)
            first = "c";
        else if (node->field != NULL && node->field->later)
            first = node->field->name;
    }
    return first;
}
