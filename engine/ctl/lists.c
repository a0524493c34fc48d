/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/lists.h"

#include "ctl/editing.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

/* ---- printing ---- */

static void print_more(const json_t *pattern)
{
    char time[24];
    const json_t *expires = json_object_get(pattern, "expires");
    if (json_object_get(pattern, "device") != NULL) {
        printf("  of ");
        text_print(text_of(pattern, "device"));
    }
    if (expires != NULL)
        printf("  for %s more", text_duration((uint64_t)json_integer_value(expires), time));
    if (json_is_true(json_object_get(pattern, "persist")))
        printf("  persists");
    if (json_object_get(pattern, "note") != NULL) {
        printf("  # ");
        text_print(text_of(pattern, "note"));
    }
}

static void print_list(const json_t *data)
{
    size_t index;
    const json_t *pattern;
    if (json_array_size(data) == 0) {
        puts("there is no pattern");
        return;
    }
    printf("%-8s  %-3s  %s\n", "ID", "", "PATTERN, AND WHERE IT IS FROM");
    json_array_foreach(data, index, pattern)
    {
        printf("%-8s  %-3s  ", text_of(pattern, "id"),
               json_is_true(json_object_get(pattern, "enabled")) ? "on" : "OFF");
        text_print(text_of(pattern, "pattern"));
        printf("  (");
        text_print(text_of(pattern, "place"));
        printf(")");
        print_more(pattern);
        putchar('\n');
    }
}

static void print_tests(const json_t *data)
{
    size_t index;
    const json_t *test;
    json_array_foreach(data, index, test)
    {
        text_print(text_of(test, "target"));
        if (json_is_true(json_object_get(test, "found"))) {
            printf(" is found by ");
            text_print(text_of(test, "pattern"));
            printf(" (");
            text_print(text_of(test, "place"));
            puts(")");
        } else {
            puts(" is found by no pattern");
        }
    }
}

/* ---- doing ---- */

static enum status list(const struct options *options, const char *command, int count,
                        char **arguments)
{
    if (count > 0)
        return options_complain("unexpected argument ", arguments[0]);
    return options_show(options, command, options_arguments(options), print_list);
}

static enum status change_one(const struct options *options, const char *command, int count,
                              char **arguments)
{
    if (count != 1)
        return options_complain("expected one pattern, in quotes", "");
    json_t *request = options_arguments(options);
    json_object_set_new(request, "pattern", json_string_nocheck(arguments[0]));
    return options_change(options, command, request);
}

static enum status replace(const struct options *options, const char *command, int count,
                           char **arguments)
{
    if (count != 2)
        return options_complain("expected an ID, and the pattern that comes in its place", "");
    json_t *request = options_arguments(options);
    json_object_set_new(request, "id", json_string_nocheck(arguments[0]));
    json_object_set_new(request, "pattern", json_string_nocheck(arguments[1]));
    return options_change(options, command, request);
}

static enum status test(const struct options *options, const char *command, int count,
                        char **arguments)
{
    if (count == 0)
        return options_complain("expected a TARGET, such as 192.0.2.1:443", "");
    json_t *request = options_arguments(options), *targets = json_array(), *names = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(targets, json_string_nocheck(arguments[i]));
    for (size_t i = 0; i < options->name_count; i++)
        json_array_append_new(names, json_string_nocheck(options->names[i]));
    json_object_set_new(request, "targets", targets);
    json_object_set_new(request, "names", names);
    return options_show(options, command, request, print_tests);
}

static enum status edit(const struct options *options, const char *command, int count,
                        char **arguments)
{
    char name[16];
    if (count > 0)
        return options_complain("unexpected argument ", arguments[0]);
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(command, "."), command);
    return editing(options, name);
}

enum status lists_run(const struct options *options, const char *name, int count, char **arguments)
{
    static const struct {
        const char *verb;
        enum status (*run)(const struct options *options, const char *command, int count,
                           char **arguments);
    } verbs[] = {{"list", list},       {"add", change_one}, {"del", change_one},
                 {"replace", replace}, {"edit", edit},      {"test", test}};
    char command[40];
    if (count == 0)
        return options_complain("expected list, add, del, replace, edit or test after ", name);
    snprintf(command, sizeof(command), "%s.%s", name, arguments[0]);
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].verb, arguments[0]) == 0)
            return verbs[i].run(options, command, count - 1, arguments + 1);
    return options_complain("expected list, add, del, replace, edit or test, not ", arguments[0]);
}
