/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/event.h"

#include <stdio.h>

const json_t *event_value(const json_t *event, const char *path)
{
    char key[32];
    while (event != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)length, path);
        event = json_object_get(event, key);
        path += length + (path[length] == '.');
    }
    return event;
}

static struct text text_of_value(const json_t *value)
{
    return json_is_string(value) ? text_from(json_string_value(value), json_string_length(value))
                                 : (struct text){0};
}

struct text event_text(const json_t *event, const char *path)
{
    return text_of_value(event_value(event, path));
}
