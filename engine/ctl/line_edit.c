/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/line_edit.h"

#include <string.h>

/* The bytes of a character behind its first one. */
static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static size_t before(const struct line_edit *line, size_t at)
{
    if (at > 0)
        at--;
    while (at > 0 && is_continuation(line->text[at]))
        at--;
    return at;
}

static size_t behind(const struct line_edit *line, size_t at)
{
    if (at < line->length)
        at++;
    while (at < line->length && is_continuation(line->text[at]))
        at++;
    return at;
}

static void cut(struct line_edit *line, size_t from, size_t to)
{
    memmove(line->text + from, line->text + to, line->length - to + 1);
    line->length -= to - from;
    line->cursor = from;
}

void line_edit_set(struct line_edit *line, const char *text)
{
    snprintf(line->text, sizeof(line->text), "%s", text);
    line->length = line->cursor = strlen(line->text);
}

void line_edit_put(struct line_edit *line, char byte)
{
    if ((unsigned char)byte < ' ' || byte == 0x7f || line->length + 1 == LINE_EDIT_SIZE)
        return;
    memmove(line->text + line->cursor + 1, line->text + line->cursor,
            line->length - line->cursor + 1);
    line->text[line->cursor++] = byte;
    line->length++;
}

void line_edit_left(struct line_edit *line)
{
    line->cursor = before(line, line->cursor);
}

void line_edit_right(struct line_edit *line)
{
    line->cursor = behind(line, line->cursor);
}

void line_edit_start(struct line_edit *line)
{
    line->cursor = 0;
}

void line_edit_end(struct line_edit *line)
{
    line->cursor = line->length;
}

void line_edit_backspace(struct line_edit *line)
{
    cut(line, before(line, line->cursor), line->cursor);
}

void line_edit_delete(struct line_edit *line)
{
    cut(line, line->cursor, behind(line, line->cursor));
}

void line_edit_clear_to_start(struct line_edit *line)
{
    cut(line, 0, line->cursor);
}

static size_t count_columns(const char *from, const char *to)
{
    size_t columns = 0;
    for (; from < to; from++)
        columns += !is_continuation(*from);
    return columns;
}

const char *line_edit_view(const struct line_edit *line, size_t width, size_t *column)
{
    const char *start = line->text, *cursor = line->text + line->cursor;
    while (start < cursor && count_columns(start, cursor) + 1 > width)
        start = line->text + behind(line, (size_t)(start - line->text));
    *column = count_columns(start, cursor);
    return start;
}
