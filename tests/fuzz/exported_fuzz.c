/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/curl_command.h"
#include "ctl/har_entry.h"
#include "fuzz.h"

#include <string.h>

/* How long a quoted word is, from its quote on; 0 if it has no end. */
static size_t quoted_length(const char *at, bool escaped)
{
    size_t length = 1;
    while (at[length] != '\0' && at[length] != '\'')
        length += escaped && at[length] == '\\' && at[length + 1] != '\0' ? 2 : 1;
    return at[length] == '\'' ? length + 1 : 0;
}

/* Outside of quotes there is nothing but options, and what we have put there ourselves. */
static void check_command(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:@|$\\ \n";
    for (const char *at = text; *at != '\0'; at++) {
        must_hold(strchr(plain, *at) != NULL || *at == '\'');
        if (*at == '$')
            must_hold(at[1] == '\'');
        if (*at == '|')
            must_hold(strncmp(at, "| curl", 6) == 0);
        if (*at == '\\')
            must_hold(*++at == '\n' || *at == '\'');
        else if (*at == '\'') {
            const size_t length = quoted_length(at, at > text && at[-1] == '$');
            must_hold(length > 0);
            at += length - 1;
        }
    }
    must_hold(text[strlen(text) - 1] == '\n');
}

static void check_entry(json_t *entry)
{
    const json_t *request = json_object_get(entry, "request");
    const json_t *response = json_object_get(entry, "response");
    char *text = json_dumps(entry, 0);
    must_hold(text != NULL);
    must_hold(json_is_string(json_object_get(request, "url")));
    must_hold(json_is_array(json_object_get(request, "headers")));
    must_hold(json_is_array(json_object_get(response, "cookies")));
    must_hold(json_is_object(json_object_get(response, "content")));
    must_hold(json_integer_value(json_object_get(entry, "time")) >= 0);
    free(text);
}

/* Whatever an event is: what it is exported as is in good form, and keeps to its quotes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    json_t *event = json_loadb((const char *)bytes, length, JSON_ALLOW_NUL, NULL);
    if (event == NULL)
        return 0;
    json_t *entry = har_entry_new(event, 1), *message = har_entry_message(event);
    struct curl_command command = curl_command_make(event);
    must_hold((entry == NULL) == (command.text == NULL));
    must_hold(message != NULL);
    if (entry != NULL)
        check_entry(entry);
    if (command.text != NULL)
        check_command(command.text);
    json_decref(entry);
    json_decref(message);
    json_decref(event);
    free(command.text);
    return 0;
}
