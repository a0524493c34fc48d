/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/dialect.h"

#include <ctype.h>
#include <string.h>

/* No rewrite makes more than this of one byte: "{," becomes "{0,". */
#define GROWTH 2

struct writer {
    struct dialect *out;
    const char *start; /* of the Python pattern */
    const char *at;    /* what is read next */
    bool verbose;      /* under (?x) */
};

static void put(struct writer *writer, const char *text, size_t length)
{
    struct dialect *out = writer->out;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] >= 0x80)
            out->unicode = true;
        out->origin[out->length] = (size_t)(writer->at - writer->start);
        out->pattern[out->length++] = text[i];
    }
}

/* Copies the next `length` bytes as they are. */
static void copy(struct writer *writer, size_t length)
{
    for (; length > 0 && *writer->at != '\0'; length--) {
        put(writer, writer->at, 1);
        writer->at++;
    }
}

static size_t digits(const char *text, int (*is_digit)(int))
{
    size_t count = 0;
    while (is_digit((unsigned char)text[count]))
        count++;
    return count;
}

static void translate_escape(struct writer *writer, bool in_class)
{
    const char *escape = writer->at + 1;
    if (*escape >= '1' && *escape <= '9' && !in_class)
        writer->out->backreference = true;
    size_t hex = *escape == 'u' ? 4 : *escape == 'U' ? 8 : 0;
    if (hex > 0 && digits(escape + 1, isxdigit) >= hex) {
        writer->out->unicode = true;
        put(writer, "\\x{", 3);
        writer->at += 2;
        copy(writer, hex);
        put(writer, "}", 1);
    } else if (*escape == 'Z' && !in_class) {
        put(writer, "\\z", 2);
        writer->at += 2;
    } else {
        copy(writer, 2);
    }
}

/* From behind '[' to behind the ']' that ends the class. */
static void translate_class(struct writer *writer)
{
    copy(writer, 1);
    if (*writer->at != '\0' && strchr(".:=", *writer->at) != NULL)
        put(writer, "\\", 1); /* "[." and the like open POSIX classes, which Python has not */
    if (*writer->at == '^')
        copy(writer, 1);
    if (*writer->at == ']')
        copy(writer, 1); /* the first one is a member */
    while (*writer->at != '\0' && *writer->at != ']') {
        if (*writer->at == '\\') {
            translate_escape(writer, true);
            continue;
        }
        if (*writer->at == '[')
            put(writer, "\\", 1);
        copy(writer, 1);
    }
    copy(writer, 1);
}

/* "(?aimsx-i)" or "(?aimsx-i:": the letters, without those that PCRE2 does not know; nothing at all
 * if none are left to set. False if this is another kind of group. */
static bool translate_flags(struct writer *writer)
{
    const char *letters = writer->at + 2;
    size_t length = strspn(letters, "aiLmsux-");
    size_t known = length;
    char end = letters[length];
    if (length == 0 || (end != ')' && end != ':'))
        return false;
    for (size_t i = 0; i < length; i++)
        known -= strchr("aLu", letters[i]) != NULL;
    if (end == ')' && memchr(letters, 'x', length) != NULL)
        writer->verbose = true;
    if (end == ')' && known == 0) {
        writer->at += 2 + length + 1;
        return true;
    }
    copy(writer, 2);
    for (; length > 0; length--) {
        if (strchr("aLu", *writer->at) == NULL)
            copy(writer, 1);
        else
            writer->at++;
    }
    copy(writer, 1);
    return true;
}

static bool translate_group(struct writer *writer)
{
    if (writer->at[1] == '*') {
        writer->out->error = "nothing to repeat";
        writer->out->error_offset = (size_t)(writer->at - writer->start) + 1;
        return false;
    }
    if (strncmp(writer->at, "(?P=", 4) == 0)
        writer->out->backreference = true;
    if (writer->at[1] != '?')
        copy(writer, 1);
    else if (writer->at[2] == '#')
        copy(writer, strcspn(writer->at, ")"));
    else if (!translate_flags(writer))
        copy(writer, 2);
    return true;
}

static void translate_brace(struct writer *writer)
{
    bool at_most = writer->at[1] == ',' && writer->at[2 + digits(writer->at + 2, isdigit)] == '}';
    copy(writer, 1);
    if (at_most)
        put(writer, "0", 1);
}

static bool translate_next(struct writer *writer)
{
    switch (*writer->at) {
    case '\\':
        translate_escape(writer, false);
        return true;
    case '[':
        translate_class(writer);
        return true;
    case '(':
        return translate_group(writer);
    case '{':
        translate_brace(writer);
        return true;
    case '#':
        copy(writer, writer->verbose ? strcspn(writer->at, "\n") : 1);
        return true;
    default:
        copy(writer, 1);
        return true;
    }
}

bool dialect_translate(struct dialect *dialect, const char *python)
{
    size_t room = strlen(python) * GROWTH + 1;
    *dialect = (struct dialect){.pattern = malloc(room),
                                .origin = malloc(room * sizeof(*dialect->origin))};
    CHECK(dialect->pattern != NULL && dialect->origin != NULL);
    struct writer writer = {.out = dialect, .start = python, .at = python};
    while (*writer.at != '\0') {
        if (!translate_next(&writer)) {
            dialect_fini(dialect);
            return false;
        }
    }
    dialect->pattern[dialect->length] = '\0';
    dialect->origin[dialect->length] = (size_t)(writer.at - writer.start);
    return true;
}

void dialect_fini(struct dialect *dialect)
{
    free(dialect->pattern);
    free(dialect->origin);
    dialect->pattern = NULL;
    dialect->origin = NULL;
}
