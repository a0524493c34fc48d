/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/completing.h"

#include "ctl/show.h"
#include "ctl/text.h"

#include <string.h>

/* What is made of the daemon's commands, and what needs no daemon. */
static const char *const our_own[] = {
    "ignore edit --device DEVICE --for TIME --note TEXT --persist --cut",
    "allow edit --for TIME --note TEXT --persist --cut",
    "tcp edit --for TIME --note TEXT --persist --cut",
    "device name DEVICE NAME --for TIME --note TEXT --persist",
    "flows --follow FILTER",
    "flows FILTER --store FILE",
    "har FILTER --store FILE",
    "curl ID --store FILE",
    "import FILE OPTION",
};

/* And what those are made of is typed by nobody. */
static bool is_typed(const char *name)
{
    const char *verb = strchr(name, '.');
    return verb == NULL || (strcmp(verb, ".change") != 0 && strcmp(verb, ".follow") != 0);
}

/* "ignore.add" is typed as two words. */
static void print_command(const json_t *command)
{
    const char *name = text_of(command, "name"), *arguments = text_of(command, "arguments");
    if (!is_typed(name))
        return;
    for (; *name != '\0'; name++)
        putchar(*name == '.' ? ' ' : *name);
    if (*arguments != '\0')
        putchar(' ');
    text_print(arguments);
    putchar('\n');
}

static void print_commands(const json_t *data)
{
    size_t index;
    const json_t *command;
    json_array_foreach(json_object_get(data, "commands"), index, command) print_command(command);
    for (size_t i = 0; i < ARRAY_SIZE(our_own); i++)
        puts(our_own[i]);
}

static void print_values(const json_t *data, const char *word)
{
    size_t index;
    const json_t *value;
    json_array_foreach(json_object_get(json_object_get(data, "values"), word), index, value)
    {
        text_print(json_string_value(value));
        putchar('\n');
    }
}

enum status completing(const struct options *options, int count, char **arguments)
{
    json_t *data;
    if (count > 1)
        return options_complain("unexpected argument ", arguments[1]);
    enum status status = client_ask(&options->client, "command-list", NULL, &data);
    if (status != STATUS_DONE)
        return status;
    if (options->json)
        show_json(data);
    else if (count == 1)
        print_values(data, arguments[0]);
    else
        print_commands(data);
    json_decref(data);
    return STATUS_DONE;
}
