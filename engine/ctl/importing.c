/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/importing.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

struct source {
    const char *path;
    yaml_document_t document;
};

static enum status complain(const char *path, size_t line, const char *what)
{
    fprintf(stderr, "interceptctl: %s:%zu: %s\n", path, line, what);
    return STATUS_FAILED;
}

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value
                                                          : NULL;
}

/* What a list of patterns can hold in a line. */
static const char *find_fault(const yaml_node_t *node)
{
    const char *text = text_of(node);
    if (text == NULL)
        return "expected a pattern";
    size_t length = strlen(text);
    if (length == 0 || length != node->data.scalar.length || strpbrk(text, "\r\n") != NULL)
        return "a pattern that is empty, or more than a line";
    if (isspace((unsigned char)text[0]) || isspace((unsigned char)text[length - 1]))
        return "a pattern with a blank at an end: write [ ] for it";
    return NULL;
}

static enum status print_pattern(const struct source *source, const yaml_node_t *node)
{
    const char *fault = find_fault(node);
    if (fault != NULL)
        return complain(source->path, line_of(node), fault);
    const char *text = text_of(node);
    printf("%s%s\n", text[0] == '#' ? "\\" : "", text); /* not a comment */
    return STATUS_DONE;
}

static enum status print_patterns(struct source *source, const yaml_node_t *list)
{
    enum status status = STATUS_DONE;
    if (list->type != YAML_SEQUENCE_NODE)
        return complain(source->path, line_of(list), "expected a list of patterns");
    const yaml_node_item_t *item = list->data.sequence.items.start;
    for (; item < list->data.sequence.items.top; item++)
        if (print_pattern(source, yaml_document_get_node(&source->document, *item)) != STATUS_DONE)
            status = STATUS_FAILED;
    return status;
}

static const yaml_node_t *find_value(struct source *source, const yaml_node_t *root,
                                     const char *key)
{
    const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
    for (; pair < root->data.mapping.pairs.top; pair++) {
        const char *name = text_of(yaml_document_get_node(&source->document, pair->key));
        if (name != NULL && strcmp(name, key) == 0)
            return yaml_document_get_node(&source->document, pair->value);
    }
    return NULL;
}

static enum status print_key(struct source *source, const char *key)
{
    const yaml_node_t *root = yaml_document_get_root_node(&source->document);
    if (root == NULL || root->type != YAML_MAPPING_NODE)
        return complain(source->path, 1, "expected options, a `name: value` each");
    const yaml_node_t *list = find_value(source, root, key);
    if (list == NULL) {
        fprintf(stderr, "interceptctl: %s: there is no %s in it\n", source->path, key);
        return STATUS_FAILED;
    }
    printf("# %s of %s\n", key, source->path);
    return print_patterns(source, list);
}

static enum status import_file(FILE *file, const char *path, const char *key)
{
    struct source source = {.path = path};
    yaml_parser_t parser;
    enum status status = STATUS_FAILED;
    if (!yaml_parser_initialize(&parser))
        return complain(path, 1, "out of memory");
    yaml_parser_set_input_file(&parser, file);
    if (yaml_parser_load(&parser, &source.document)) {
        status = print_key(&source, key);
        yaml_document_delete(&source.document);
    } else {
        complain(path, parser.problem_mark.line + 1,
                 parser.problem != NULL ? parser.problem : "no YAML");
    }
    yaml_parser_delete(&parser);
    return status;
}

enum status importing(const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "interceptctl: %s: %s\n", path, strerror(errno));
        return STATUS_FAILED;
    }
    enum status status = import_file(file, path, key);
    fclose(file);
    return status;
}
