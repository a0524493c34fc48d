/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/settings.h"

#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

/* ---- for all ---- */

static void print_whence(const json_t *setting)
{
    char time[24];
    const json_t *expires = json_object_get(setting, "expires");
    text_print(text_of(setting, "from"));
    if (expires != NULL)
        printf(", for %s more", text_duration((uint64_t)json_integer_value(expires), time));
    if (json_is_true(json_object_get(setting, "persist")))
        printf(", persists");
    if (json_object_get(setting, "note") != NULL) {
        printf("  # ");
        text_print(text_of(setting, "note"));
    }
}

static void print_settings(const json_t *data)
{
    size_t index;
    const json_t *setting;
    json_array_foreach(data, index, setting)
    {
        printf("%c %-26s ", json_is_true(json_object_get(setting, "live")) ? '*' : ' ',
               text_of(setting, "key"));
        text_print(text_of(setting, "value"));
        printf("  (");
        print_whence(setting);
        puts(")");
    }
    if (json_array_size(data) > 1)
        puts("* can be set at run time");
}

enum status settings_get(const struct options *options, int count, char **arguments)
{
    if (count > 1)
        return options_complain("unexpected argument ", arguments[1]);
    json_t *request = json_object();
    if (count == 1)
        json_object_set_new(request, "key", json_string_nocheck(arguments[0]));
    return options_show(options, "get", request, print_settings);
}

enum status settings_set(const struct options *options, int count, char **arguments)
{
    if (count != 2)
        return options_complain("expected a KEY and its VALUE, such as tls.upstream verify", "");
    json_t *request = options_arguments(options);
    json_object_set_new(request, "key", json_string_nocheck(arguments[0]));
    json_object_set_new(request, "value", json_string_nocheck(arguments[1]));
    return options_change(options, "set", request);
}

enum status settings_unset(const struct options *options, int count, char **arguments)
{
    if (count != 1)
        return options_complain("expected a KEY, such as tls.upstream", "");
    json_t *request = options_arguments(options);
    json_object_set_new(request, "key", json_string_nocheck(arguments[0]));
    return options_change(options, "unset", request);
}

/* ---- of devices ---- */

static void print_section(const json_t *section)
{
    const char *key;
    json_t *setting;
    const char *name = text_of(section, "name");
    printf("%-20s ", text_of(section, "device"));
    if (strcmp(name, text_of(section, "device")) != 0) {
        printf("called ");
        text_print(name);
        printf("  ");
    }
    printf("(");
    text_print(text_of(section, "from"));
    printf(")\n");
    json_object_foreach(json_object_get(section, "settings"), key, setting)
    {
        if (strcmp(key, "name") == 0 && strcmp(text_of(setting, "from"), "interceptctl") != 0)
            continue;
        printf("  %-10s ", key);
        text_print(text_of(setting, "value"));
        printf("  (");
        print_whence(setting);
        puts(")");
    }
    if (json_object_get(section, "interface") != NULL)
        printf("  interface  %s\n", text_of(section, "interface"));
    if (text_number(section, "patterns") > 0)
        printf("  patterns   %" PRIu64 " of its own\n", text_number(section, "patterns"));
}

static void print_sections(const json_t *data)
{
    size_t index;
    const json_t *section;
    if (json_array_size(data) == 0)
        puts("no device has a section");
    json_array_foreach(data, index, section) print_section(section);
}

static enum status set_device(const struct options *options, const char *device, int count,
                              char **arguments)
{
    json_t *request = options_arguments(options), *set = json_object();
    for (int i = 0; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (equals == NULL) {
            json_decref(request);
            json_decref(set);
            return options_complain("expected KEY=VALUE, such as intercept=no, not ", arguments[i]);
        }
        *equals = '\0';
        json_object_set_new(set, arguments[i], json_string_nocheck(equals + 1));
    }
    json_object_set_new(request, "device", json_string_nocheck(device));
    json_object_set_new(request, "set", set);
    return options_change(options, "device.set", request);
}

static enum status name_device(const struct options *options, const char *device, const char *name)
{
    json_t *request = options_arguments(options);
    json_object_set_new(request, "device", json_string_nocheck(device));
    json_object_set_new(request, "set", json_pack("{s:s}", "name", name));
    return options_change(options, "device.set", request);
}

enum status settings_device(const struct options *options, int count, char **arguments)
{
    const char *verb = count > 0 ? arguments[0] : "";
    if (strcmp(verb, "list") == 0 && count == 1)
        return options_show(options, "device.list", NULL, print_sections);
    if (strcmp(verb, "show") == 0 && count == 2)
        return options_show(options, "device.show", json_pack("{s:s}", "device", arguments[1]),
                            print_section);
    if (strcmp(verb, "name") == 0 && count == 3)
        return name_device(options, arguments[1], arguments[2]);
    if (strcmp(verb, "set") == 0 && count >= 3)
        return set_device(options, arguments[1], count - 2, arguments + 2);
    return options_complain(
        "expected list, show DEVICE, name DEVICE NAME, or set DEVICE KEY=VALUE... after device",
        "");
}

/* ---- the log ---- */

static void print_level(const json_t *data)
{
    if (json_object_get(data, "old") != NULL)
        printf("log-level: %s -> %s\n", text_of(data, "old"), text_of(data, "level"));
    else
        printf("%s\n", text_of(data, "level"));
}

enum status settings_log_level(const struct options *options, int count, char **arguments)
{
    if (count > 1)
        return options_complain("unexpected argument ", arguments[1]);
    json_t *request = json_object();
    if (count == 1)
        json_object_set_new(request, "level", json_string_nocheck(arguments[0]));
    return options_show(options, "log-level", request, print_level);
}
