/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/http1.h"

#include <string.h>
#include <strings.h>

static bool is_line_part(enum http1_part part)
{
    return part != HTTP1_BODY && part != HTTP1_CHUNK;
}

static void start_message(struct http1_half *half)
{
    *half = (struct http1_half){.part = HTTP1_START};
}

/* ---- one line ---- */

/* All of a line that is whole, without its end; NULL if it is longer than what is kept. */
static const char *whole_line(const struct http1_half *half, size_t *length)
{
    if (half->line_length > HTTP1_LINE_KEPT)
        return NULL;
    *length = half->line_length - 2;
    return half->line;
}

static bool line_starts_with(const struct http1_half *half, const char *text)
{
    size_t length = strlen(text);
    return half->line_length >= length && strncasecmp(half->line, text, length) == 0;
}

/* The value of a header line with this name, without blanks around it: all of it must be known. */
static bool read_value(struct http1 *http, const struct http1_half *half, const char *name,
                       const char **value, size_t *value_length)
{
    size_t length = 0;
    if (!line_starts_with(half, name))
        return false;
    const char *line = whole_line(half, &length);
    if (line == NULL) {
        http->over = true;
        return false;
    }
    size_t at = strlen(name);
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    while (length > at && (line[length - 1] == ' ' || line[length - 1] == '\t'))
        length--;
    *value = line + at;
    *value_length = length - at;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* How many characters are digits; fifteen hexadecimal ones always fit. */
static size_t read_digits(const char *text, size_t length, unsigned base, uint64_t *number)
{
    size_t at = 0;
    *number = 0;
    while (at < length && at < 15 && (unsigned)digit_of(text[at]) < base)
        *number = *number * base + (uint64_t)digit_of(text[at++]);
    return at;
}

static void read_header_line(struct http1 *http, struct http1_half *half)
{
    const char *value;
    size_t length;
    if (half->line[0] == ' ' || half->line[0] == '\t') {
        http->over = true; /* a folded line: nobody agrees on what it means */
    } else if (read_value(http, half, "Content-Length:", &value, &length)) {
        size_t digits = read_digits(value, length, 10, &half->left);
        if (half->has_length || digits == 0 || digits < length)
            http->over = true;
        half->has_length = true;
    } else if (read_value(http, half, "Transfer-Encoding:", &value, &length)) {
        if (half->chunked || length != 7 || strncasecmp(value, "chunked", 7) != 0)
            http->over = true;
        half->chunked = true;
    }
}

static void read_chunk_size(struct http1 *http, struct http1_half *half)
{
    size_t length = 0;
    const char *line = whole_line(half, &length);
    size_t digits = line != NULL ? read_digits(line, length, 16, &half->left) : 0;
    if (digits == 0 || (digits < length && line[digits] != ';' && line[digits] != ' '))
        http->over = true;
    half->part = half->left > 0 ? HTTP1_CHUNK : HTTP1_TRAILER;
}

/* ---- where a message begins, and what follows its header ---- */

static void read_request_line(struct http1 *http)
{
    static const char *const methods[] = {"GET ",    "HEAD ",    "POST ",  "PUT ",
                                          "DELETE ", "OPTIONS ", "PATCH ", "TRACE "};
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        is_known = is_known || line_starts_with(&http->requests, methods[i]);
    if (!is_known || http->waiting == HTTP1_REQUESTS_LIMIT) {
        http->over = true;
        return;
    }
    if (line_starts_with(&http->requests, "HEAD "))
        http->heads |= (uint64_t)1 << http->waiting;
    http->waiting++;
}

static void read_status_line(struct http1 *http)
{
    struct http1_half *half = &http->responses;
    uint64_t status = 0;
    bool is_http = line_starts_with(half, "HTTP/1.1 ") || line_starts_with(half, "HTTP/1.0 ");
    if (!is_http || half->line_length < 12 || http->waiting == 0 ||
        read_digits(half->line + 9, 3, 10, &status) != 3)
        http->over = true;
    half->status = (unsigned)status;
}

static void start_body(struct http1_half *half)
{
    if (half->chunked)
        half->part = HTTP1_CHUNK_SIZE;
    else if (half->left > 0)
        half->part = HTTP1_BODY;
    else
        start_message(half);
}

static void end_response_header(struct http1 *http)
{
    struct http1_half *half = &http->responses;
    bool is_head = (http->heads & 1) != 0;
    if (half->status == 101) {
        http->over = true;
    } else if (half->status < 200) {
        start_message(half);
    } else {
        http->heads >>= 1;
        http->waiting--;
        if (is_head || half->status == 204 || half->status == 304)
            start_message(half);
        else if (!half->chunked && !half->has_length)
            http->over = true; /* all that follows is body */
        else
            start_body(half);
    }
}

static void end_header(struct http1 *http, struct http1_half *half)
{
    if (half->chunked && half->has_length)
        http->over = true; /* RFC 9112, section 6.3: smuggling */
    else if (half == &http->requests)
        start_body(half);
    else
        end_response_header(http);
}

static void read_start_line(struct http1 *http, struct http1_half *half)
{
    if (half == &http->requests)
        read_request_line(http);
    else
        read_status_line(http);
    half->part = HTTP1_HEADER;
}

static void end_line(struct http1 *http, struct http1_half *half)
{
    bool is_empty = half->line_length == 2;
    switch (half->part) {
    case HTTP1_START:
        read_start_line(http, half);
        break;
    case HTTP1_HEADER:
        if (is_empty)
            end_header(http, half);
        else
            read_header_line(http, half);
        break;
    case HTTP1_CHUNK_SIZE:
        read_chunk_size(http, half);
        break;
    case HTTP1_CHUNK_END:
        if (!is_empty)
            http->over = true;
        half->part = HTTP1_CHUNK_SIZE;
        break;
    case HTTP1_TRAILER:
        if (is_empty)
            start_message(half);
        break;
    case HTTP1_BODY:
    case HTTP1_CHUNK:
        break;
    }
    half->line_length = 0;
}

/* ---- the bytes ---- */

static void keep_of_line(struct http1_half *half, const uint8_t *bytes, size_t length)
{
    if (half->line_length >= HTTP1_LINE_KEPT)
        return;
    size_t room = HTTP1_LINE_KEPT - half->line_length;
    memcpy(half->line + half->line_length, bytes, length < room ? length : room);
}

static size_t read_line(struct http1 *http, struct http1_half *half, const uint8_t *bytes,
                        size_t length)
{
    const uint8_t *end = memchr(bytes, '\n', length);
    size_t count = end != NULL ? (size_t)(end - bytes) + 1 : length;
    bool has_return = count > 1 ? bytes[count - 2] == '\r' : half->ends_in_return;
    keep_of_line(half, bytes, count);
    half->line_length += count;
    half->ends_in_return = bytes[count - 1] == '\r';
    if (half->part == HTTP1_CHUNK_SIZE || half->part == HTTP1_CHUNK_END)
        half->header_length = half->line_length;
    else
        half->header_length += count;
    if (half->header_length > HTTP1_HEADER_LIMIT || (end != NULL && !has_return))
        http->over = true;
    else if (end != NULL)
        end_line(http, half);
    return count;
}

static size_t read_body(struct http1_half *half, size_t length)
{
    size_t count = length < half->left ? length : (size_t)half->left;
    half->left -= count;
    if (half->left == 0 && half->part == HTTP1_CHUNK)
        half->part = HTTP1_CHUNK_END;
    else if (half->left == 0)
        start_message(half);
    return count;
}

static size_t read_on(struct http1 *http, struct http1_half *half, const uint8_t *bytes,
                      size_t length)
{
    if (http->over)
        return length;
    return is_line_part(half->part) ? read_line(http, half, bytes, length)
                                    : read_body(half, length);
}

size_t http1_read_request(struct http1 *http, const uint8_t *bytes, size_t length)
{
    struct http1_half *half = &http->requests;
    if (half->part == HTTP1_START && half->line_length == 0 && (bytes[0] < 'A' || bytes[0] > 'Z'))
        http->over = true;
    return read_on(http, half, bytes, length);
}

size_t http1_read_response(struct http1 *http, const uint8_t *bytes, size_t length)
{
    return read_on(http, &http->responses, bytes, length);
}
