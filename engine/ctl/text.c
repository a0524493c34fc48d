/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

uint64_t text_number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

void text_print(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

const char *text_duration(uint64_t seconds, char text[static 24])
{
    if (seconds < 60)
        snprintf(text, 24, "%" PRIu64 "s", seconds);
    else if (seconds < 3600)
        snprintf(text, 24, "%" PRIu64 "m %" PRIu64 "s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(text, 24, "%" PRIu64 "h %" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
    else
        snprintf(text, 24, "%" PRIu64 "d %" PRIu64 "h", seconds / 86400, seconds / 3600 % 24);
    return text;
}

const char *text_endpoint(const char *address, uint64_t port, char text[static 64])
{
    snprintf(text, 64, strchr(address, ':') != NULL ? "[%s]:%" PRIu64 : "%s:%" PRIu64, address,
             port);
    return text;
}

const char *text_event_host(const json_t *event)
{
    const char *name = text_of(json_object_get(event, "tls"), "sni");
    if (*name == '\0')
        name = text_of(json_object_get(event, "http"), "hostname");
    if (*name == '\0')
        name = text_of(json_object_get(event, "intercept"), "name");
    return name;
}
