/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/host.h"

#include "tap/detect.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Bytes that may yet become a request line. */
static bool is_start_of_method(const uint8_t *bytes, size_t length)
{
    static const char *const methods[] = {"GET ",     "POST ",    "HEAD ",  "PUT ",  "DELETE ",
                                          "OPTIONS ", "CONNECT ", "PATCH ", "TRACE "};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (length > 0 && length < strlen(methods[i]) && memcmp(bytes, methods[i], length) == 0)
            return true;
    return false;
}

/* Letters, digits and what stands between them; an IPv6 address stands in brackets. */
static bool is_host_character(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-._[]:", c) != NULL);
}

/* Without a port, which stands behind the last colon, but for those within brackets. */
static size_t without_port(const char *value, size_t length)
{
    size_t end = length;
    while (end > 0 && isdigit((unsigned char)value[end - 1]))
        end--;
    return end > 0 && value[end - 1] == ':' && memchr(value + end, ']', length - end) == NULL
               ? end - 1
               : length;
}

static enum host_result take(char *host, const char *value, size_t length)
{
    while (length > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        length--;
    }
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    length = without_port(value, length);
    if (length == 0 || length >= HOST_SIZE)
        return HOST_NONE;
    for (size_t i = 0; i < length; i++) {
        if (!is_host_character(value[i]))
            return HOST_NONE;
        host[i] = (char)tolower((unsigned char)value[i]);
    }
    host[length] = '\0';
    return HOST_FOUND;
}

/* Where two lines name a host nobody agrees on which is meant. */
enum host_result host_read(char host[static HOST_SIZE], const uint8_t *bytes, size_t length)
{
    static const char header[] = "Host:";
    const char *line = (const char *)bytes, *end = line + length, *newline;
    enum host_result result = HOST_NONE;
    bool is_first = true;
    if (strcmp(detect_protocol(bytes, length, true), "http") != 0)
        return is_start_of_method(bytes, length) ? HOST_MORE : HOST_NONE;
    for (; (newline = memchr(line, '\n', (size_t)(end - line))) != NULL; line = newline + 1) {
        size_t size = (size_t)(newline - line);
        if (size > 0 && line[size - 1] == '\r')
            size--;
        if (size == 0)
            return result;
        if (!is_first && size >= strlen(header) && strncasecmp(line, header, strlen(header)) == 0) {
            if (result == HOST_FOUND)
                return HOST_NONE;
            result = take(host, line + strlen(header), size - strlen(header));
            if (result == HOST_NONE)
                return HOST_NONE;
        }
        is_first = false;
    }
    return HOST_MORE;
}
