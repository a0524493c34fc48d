/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/arguments.h"

#include "core/loop.h"
#include "policy/schema.h"

#include <string.h>
#include <time.h>

const char *argument_text(const struct control_request *request, const char *key)
{
    return json_string_value(json_object_get(request->arguments, key));
}

bool argument_flag(const struct control_request *request, const char *key)
{
    return json_is_true(json_object_get(request->arguments, key));
}

/* "1h", or a number of seconds. */
static const char *read_time(const json_t *value, uint32_t *seconds)
{
    if (json_is_string(value))
        return schema_duration(json_string_value(value), seconds);
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 1 || number > (json_int_t)365 * 86400)
        return "expected a time from 1s to 365d, such as 30s, 10m, 1h, 7d";
    *seconds = (uint32_t)number;
    return NULL;
}

static bool has_control_characters(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

const char *argument_options(const struct control_request *request, struct edit_options *options)
{
    const json_t *time = json_object_get(request->arguments, "for");
    *options = (struct edit_options){.note = argument_text(request, "note"),
                                     .persist = argument_flag(request, "persist")};
    if (options->note != NULL &&
        (strlen(options->note) > NOTE_LIMIT || has_control_characters(options->note)))
        return "a note is a line of at most 200 bytes";
    return time != NULL ? read_time(time, &options->seconds) : NULL;
}

struct edit edit_with(const struct edit_subject *subject, const struct edit_options *options,
                      const struct control_peer *peer)
{
    return (struct edit){
        .subject = *subject,
        .note = options->note,
        .uid = (uint32_t)peer->uid,
        .made = (int64_t)time(NULL),
        .due = options->seconds > 0 ? clock_ms() + (uint64_t)options->seconds * 1000 : 0,
        .persist = options->persist,
    };
}

const char *argument_pattern_fault(const char *pattern)
{
    const size_t length = strlen(pattern);
    if (length == 0)
        return "an empty pattern would be found everywhere";
    if (length > PATTERN_LIMIT)
        return "a pattern of more than 8192 bytes";
    if (has_control_characters(pattern))
        return "a pattern of more than a line, or with control characters in it";
    if (pattern[0] == '#')
        return "a pattern that starts with # would be a comment: write \\#";
    if (pattern[0] == ' ' || pattern[length - 1] == ' ')
        return "a pattern with a blank at an end: write [ ] for it";
    return NULL;
}
