/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/pattern_file.h"

#include "core/file.h"

#include <string.h>

bool pattern_list_add(struct pattern_list *list, struct arena *arena, struct pattern_source source)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 16;
        struct pattern_source *items = arena_alloc(arena, capacity * sizeof(*items));
        if (items == NULL)
            return false;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = source;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void add_line(struct pattern_list *list, struct arena *arena, const char *start,
                     const char *end, struct place place, struct report *report)
{
    const char *line = start;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    if (start == end || *start == '#')
        return;
    unsigned column = (unsigned)(start - line) + 1;
    if (memchr(start, '\0', (size_t)(end - start)) != NULL) {
        report_error(report, place, column, "a NUL byte in a pattern");
        return;
    }
    char *text = arena_copy(arena, start, (size_t)(end - start));
    struct pattern_source source = {.text = text, .place = place, .column = column};
    if (text == NULL || !pattern_list_add(list, arena, source))
        report_error(report, place, column, "out of memory");
}

void pattern_file_parse(struct pattern_list *list, struct arena *arena, const char *text,
                        size_t length, const char *name, struct report *report)
{
    struct place place = {.file = arena_strdup(arena, name), .line = 0};
    const char *end = text + length;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline != NULL ? newline : end;
        place.line++;
        add_line(list, arena, text, line_end, place, report);
        text = newline != NULL ? newline + 1 : end;
    }
}

bool pattern_file_load(struct pattern_list *list, struct arena *arena, const char *path,
                       struct report *report)
{
    size_t length;
    char *text = file_read(path, &length);
    if (text == NULL)
        return false;
    pattern_file_parse(list, arena, text, length, path, report);
    free(text);
    return true;
}
