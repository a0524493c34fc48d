/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/lines.h"

/* Where we are in a line that may be the dot's. */
enum { AT_START, AFTER_DOT, AFTER_RETURN, IN_ANOTHER };

static void take(const uint8_t **bytes, size_t *length, size_t count)
{
    *bytes += count;
    *length -= count;
}

/* ---- lines ---- */

/* The last bytes of all that was given. */
static void keep_tail(struct lines *lines, const uint8_t *bytes, size_t length)
{
    char *tail = lines->bytes + LINES_LIMIT - LINES_TAIL;
    size_t count = length < LINES_TAIL ? length : LINES_TAIL;
    memmove(tail, tail + count, LINES_TAIL - count);
    memcpy(tail + LINES_TAIL - count, bytes + length - count, count);
    lines->cut = true;
}

static void keep(struct lines *lines, const uint8_t *bytes, size_t length)
{
    size_t room = (size_t)LINES_LIMIT - lines->length, count = length < room ? length : room;
    memcpy(lines->bytes + lines->length, bytes, count);
    lines->length = (uint16_t)(lines->length + count);
    if (count < length)
        keep_tail(lines, bytes + count, length - count);
}

static enum lines_found read_line(struct lines *lines, const uint8_t **bytes, size_t *length)
{
    const uint8_t *end = memchr(*bytes, '\n', *length);
    size_t count = end != NULL ? (size_t)(end - *bytes) : *length;
    if (lines->is_over) {
        lines->length = 0;
        lines->is_over = lines->cut = false;
    }
    keep(lines, *bytes, count);
    take(bytes, length, count + (end != NULL ? 1 : 0));
    if (end == NULL)
        return LINES_NOTHING;
    lines->is_over = true;
    return LINES_LINE;
}

static bool ends_with_return(const struct lines *lines)
{
    return lines->length > 0 && lines->bytes[lines->length - 1] == '\r';
}

struct text lines_text(const struct lines *lines)
{
    if (lines->cut)
        return text_from(lines->bytes, LINES_LIMIT - LINES_TAIL);
    return text_from(lines->bytes, lines->length - (ends_with_return(lines) ? 1u : 0u));
}

struct text lines_tail(const struct lines *lines)
{
    size_t length = lines->length - (ends_with_return(lines) ? 1u : 0u);
    size_t count = length < LINES_TAIL ? length : LINES_TAIL - 1; /* one less: there was a CR */
    return text_from(lines->bytes + length - count, count);
}

void lines_wipe(struct lines *lines)
{
    explicit_bzero(lines->bytes, sizeof(lines->bytes));
}

/* ---- what is passed over ---- */

void lines_pass(struct lines *lines, uint64_t count)
{
    lines->passed = 0;
    lines->left = count;
    lines->mode = count > 0 ? LINES_COUNT : LINES_READ;
}

void lines_pass_to_dot(struct lines *lines)
{
    lines->passed = 0;
    lines->dot = AT_START;
    lines->last = '\n';
    lines->mode = LINES_TO_DOT;
}

static void count_bytes(struct lines *lines, const uint8_t **bytes, size_t *length)
{
    size_t count = lines->left < *length ? (size_t)lines->left : *length;
    lines->left -= count;
    lines->passed += count;
    if (lines->left == 0)
        lines->mode = LINES_READ;
    take(bytes, length, count);
}

/* Lines that do not begin with a dot are gone over at once. */
static void pass_line(struct lines *lines, const uint8_t **bytes, size_t *length)
{
    const uint8_t *end = memchr(*bytes, '\n', *length);
    size_t count = end != NULL ? (size_t)(end - *bytes) + 1 : *length;
    uint8_t before = count > 1 ? (*bytes)[count - 2] : lines->last;
    lines->dot = end != NULL && before == '\r' ? AT_START : IN_ANOTHER;
    lines->last = (*bytes)[count - 1];
    lines->passed += count;
    take(bytes, length, count);
}

/* RFC 5321, section 4.1.1.4; RFC 1939, section 3. */
static enum lines_found look_for_dot(struct lines *lines, const uint8_t **bytes, size_t *length)
{
    static const uint8_t wanted[] = {[AT_START] = '.', [AFTER_DOT] = '\r', [AFTER_RETURN] = '\n'};
    while (*length > 0) {
        if (lines->dot == IN_ANOTHER || **bytes != wanted[lines->dot]) {
            pass_line(lines, bytes, length);
            continue;
        }
        lines->last = **bytes;
        lines->passed++;
        take(bytes, length, 1);
        if (++lines->dot == IN_ANOTHER) {
            lines->passed -= strlen(".\r\n");
            lines->mode = LINES_READ;
            return LINES_DOT;
        }
    }
    return LINES_NOTHING;
}

enum lines_found lines_read(struct lines *lines, const uint8_t **bytes, size_t *length)
{
    enum lines_found found = LINES_NOTHING;
    while (*length > 0 && found == LINES_NOTHING) {
        if (lines->mode == LINES_COUNT)
            count_bytes(lines, bytes, length);
        else if (lines->mode == LINES_TO_DOT)
            found = look_for_dot(lines, bytes, length);
        else
            found = read_line(lines, bytes, length);
    }
    return found;
}
