/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/altsvc.h"

#include <string.h>
#include <strings.h>

#define NAME "Alt-Svc:"
#define NAME_LENGTH (sizeof(NAME) - 1)

/* ---- one line ---- */

/* Where the entry that starts here ends: at a comma that is not in quotes. False if a quote is left
 * open. */
static bool find_entry_end(const uint8_t *line, size_t start, size_t end, size_t *entry_end)
{
    bool is_quoted = false;
    size_t at = start;
    for (; at < end && (is_quoted || line[at] != ','); at++) {
        if (line[at] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && line[at] == '\\' && at + 1 < end)
            at++;
    }
    *entry_end = at;
    return !is_quoted;
}

static size_t skip_blanks(const uint8_t *line, size_t at, size_t end)
{
    while (at < end && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at;
}

static bool is_quic(const uint8_t *line, size_t start, size_t end)
{
    start = skip_blanks(line, start, end);
    const uint8_t *sign = start < end ? memchr(line + start, '=', end - start) : NULL;
    size_t length = sign != NULL ? (size_t)(sign - line) - start : 0;
    const uint8_t *name = line + start;
    return (length == 2 && memcmp(name, "h3", 2) == 0) ||
           (length > 3 && memcmp(name, "h3-", 3) == 0) ||
           (length == 4 && memcmp(name, "quic", 4) == 0);
}

/* What is in the line. False if that is not clear. */
static bool look_through(const uint8_t *line, size_t end, bool *has_quic, bool *has_other)
{
    size_t entry_end;
    *has_quic = *has_other = false;
    for (size_t start = NAME_LENGTH; start <= end; start = entry_end + 1) {
        if (!find_entry_end(line, start, end, &entry_end))
            return false;
        if (is_quic(line, start, entry_end))
            *has_quic = true;
        else if (skip_blanks(line, start, entry_end) < entry_end)
            *has_other = true;
    }
    return true;
}

/* The first entry that stays takes the place of those before it, without the blanks behind their
 * comma; the others bring their commas with them. */
static size_t drop_quic(uint8_t *line, size_t end)
{
    size_t out = skip_blanks(line, NAME_LENGTH, end), entry_end;
    bool is_first = true;
    for (size_t start = out; start <= end; start = entry_end + 1) {
        (void)find_entry_end(line, start, end, &entry_end);
        if (is_quic(line, start, entry_end))
            continue;
        size_t from = is_first ? skip_blanks(line, start, entry_end) : start - 1;
        memmove(line + out, line + from, entry_end - from);
        out += entry_end - from;
        is_first = false;
    }
    return out;
}

size_t altsvc_strip(uint8_t *line, size_t length)
{
    size_t end = length - 2;
    bool has_quic, has_other;
    if (!look_through(line, end, &has_quic, &has_other) || !has_quic)
        return length;
    if (!has_other)
        return 0;
    size_t out = drop_quic(line, end);
    memmove(line + out, line + end, 2);
    return out + 2;
}

/* ---- the stream ---- */

void altsvc_by_device(struct altsvc *altsvc, const uint8_t *bytes, size_t length)
{
    for (size_t at = 0; at < length;)
        at += http1_read_request(&altsvc->http, bytes + at, length - at);
}

/* As far as the line is known it is Alt-Svc's. */
static bool may_be_altsvc(const uint8_t *line, size_t length)
{
    size_t known = length < NAME_LENGTH ? length : NAME_LENGTH;
    return length <= ALTSVC_LINE_LIMIT && strncasecmp((const char *)line, NAME, known) == 0;
}

/* bytes[start] to bytes[out] is a line that is held, and `next` comes behind it: returns the new
 * `out`. A line that begins with a blank goes on with the one before. */
static size_t end_held(struct altsvc *altsvc, uint8_t *bytes, size_t start, size_t out,
                       uint8_t next)
{
    altsvc->is_whole = false;
    if (altsvc->http.over || next == ' ' || next == '\t')
        return out;
    return start + altsvc_strip(bytes + start, out - start);
}

size_t altsvc_by_origin(struct altsvc *altsvc, uint8_t *bytes, size_t length, size_t *kept)
{
    struct http1 *http = &altsvc->http;
    size_t start = 0, out = altsvc->held;
    for (size_t in = altsvc->held; in < length;) {
        if (altsvc->is_whole)
            start = out = end_held(altsvc, bytes, start, out, bytes[in]);
        bool may_hold = http->responses.part == HTTP1_HEADER &&
                        (out > start || http->responses.line_length == 0);
        size_t count = http1_read_response(http, bytes + in, length - in);
        memmove(bytes + out, bytes + in, count);
        in += count;
        out += count;
        bool is_whole = bytes[out - 1] == '\n';
        if (http->over || !may_hold || !may_be_altsvc(bytes + start, out - start) ||
            (is_whole && out - start < NAME_LENGTH))
            start = out;
        else
            altsvc->is_whole = is_whole;
    }
    altsvc->held = *kept = out - start;
    return start;
}
