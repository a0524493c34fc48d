/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/options.h"

#include "ctl/show.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

/* Of many changes the first are printed. */
#define CHANGES_SHOWN 40

enum status options_complain(const char *what, const char *argument)
{
    fprintf(stderr, "interceptctl: %s%s\ninterceptctl --help tells how it is used\n", what,
            argument);
    return STATUS_USAGE;
}

json_t *options_arguments(const struct options *options)
{
    json_t *arguments = json_object();
    if (options->device != NULL)
        json_object_set_new(arguments, "device", json_string(options->device));
    if (options->note != NULL)
        json_object_set_new(arguments, "note", json_string(options->note));
    if (options->time != NULL)
        json_object_set_new(arguments, "for", json_string(options->time));
    if (options->persist)
        json_object_set_new(arguments, "persist", json_true());
    if (options->cut)
        json_object_set_new(arguments, "cut", json_true());
    return arguments;
}

enum status options_show(const struct options *options, const char *command, json_t *arguments,
                         void (*print)(const json_t *data))
{
    json_t *data;
    enum status status = client_ask(&options->client, command, arguments, &data);
    if (status != STATUS_DONE)
        return status;
    if (options->json)
        show_json(data);
    else
        print(data);
    json_decref(data);
    return STATUS_DONE;
}

/* ---- changes ---- */

static void print_or_nothing(const json_t *change, const char *key)
{
    if (json_object_get(change, key) != NULL)
        text_print(text_of(change, key));
    else
        printf("nothing");
}

static void print_change(const json_t *change)
{
    char time[24];
    const json_t *seconds = json_object_get(change, "for");
    text_print(text_of(change, "what"));
    if (json_object_get(change, "device") != NULL) {
        printf(" of ");
        text_print(text_of(change, "device"));
    }
    printf(": ");
    print_or_nothing(change, "old");
    printf(" -> ");
    print_or_nothing(change, "new");
    if (seconds != NULL)
        printf("  (for %s)", text_duration((uint64_t)json_integer_value(seconds), time));
    putchar('\n');
}

static void print_undo(const struct options *options, const json_t *undo)
{
    const char *path = options->client.socket_path;
    if (undo == NULL)
        return;
    printf("undo: interceptctl ");
    if (strcmp(path, OPTIONS_SOCKET) != 0)
        printf("-s '%s' ", path);
    printf("undo %" PRIu64 "\n", text_number(json_object_get(undo, "args"), "rev"));
}

void options_show_change(const struct options *options, const json_t *data)
{
    const json_t *changes = json_object_get(data, "changes"),
                 *warnings = json_object_get(data, "warnings"), *line;
    size_t index;
    if (options->json) {
        show_json(data);
        return;
    }
    if (json_object_get(data, "undo") == NULL)
        puts(text_of(data, "text"));
    json_array_foreach(changes, index, line)
    {
        if (index < CHANGES_SHOWN && json_object_get(data, "undo") != NULL)
            print_change(line);
    }
    if (json_array_size(changes) > CHANGES_SHOWN)
        printf("and %zu more\n", json_array_size(changes) - CHANGES_SHOWN);
    json_array_foreach(warnings, index, line)
        fprintf(stderr, "warning: %s\n", json_string_value(line));
    if (json_object_get(data, "advice") != NULL) {
        text_print(text_of(data, "advice"));
        putchar('\n');
    }
    print_undo(options, json_object_get(data, "undo"));
}

enum status options_change(const struct options *options, const char *command, json_t *arguments)
{
    struct connection connection;
    json_t *answer = NULL;
    enum status status = client_connect(&options->client, &connection);
    if (status != STATUS_DONE) {
        json_decref(arguments);
        return status;
    }
    status = client_request(&options->client, &connection, command, arguments, options->revision,
                            &answer);
    if (status == STATUS_DONE)
        options_show_change(options, json_object_get(answer, "data"));
    else
        (void)client_complain(status, answer);
    json_decref(answer);
    client_disconnect(&connection);
    return status;
}
