/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/learned.h"

#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *device_of(const json_t *entry)
{
    const json_t *device = json_object_get(entry, "device");
    const char *mac = text_of(device, "mac");
    return *mac != '\0' ? mac : text_of(device, "ip");
}

static void print_evidence(const json_t *evidence)
{
    const json_t *alerts = json_object_get(evidence, "alerts"), *alert;
    const int64_t silent = number_of(evidence, "silent");
    const char *separator = "";
    size_t index;
    json_array_foreach(alerts, index, alert)
    {
        printf("%s%" PRId64 "x %s (%" PRId64 ")", separator, number_of(alert, "count"),
               text_of(alert, "name"), number_of(alert, "number"));
        separator = ", ";
    }
    if (silent > 0)
        printf("%s%" PRId64 "x closed without a word", separator, silent);
}

static void print_expiry(const json_t *finding)
{
    char text[32] = "never";
    const time_t expires = (time_t)number_of(finding, "expires");
    struct tm parts;
    if (expires != 0 && localtime_r(&expires, &parts) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts);
    printf("  %-16s  ", text);
}

static void print_findings(const json_t *findings)
{
    const json_t *finding;
    size_t index;
    if (json_array_size(findings) == 0) {
        puts("no device has refused our certificate lately where it might have been good");
        return;
    }
    printf("%-6s %-8s  %-17s  %-36s  %-16s  %s\n", "ID", "STATE", "DEVICE", "DESTINATION",
           "EXPIRES", "EVIDENCE");
    json_array_foreach(findings, index, finding)
    {
        char destination[320];
        snprintf(destination, sizeof(destination), "%s:%" PRId64, text_of(finding, "host"),
                 number_of(finding, "port"));
        printf("%-6" PRId64 " %-8s  %-17s  %-36s", number_of(finding, "id"),
               text_of(finding, "state"), device_of(finding), destination);
        print_expiry(finding);
        print_evidence(json_object_get(finding, "evidence"));
        putchar('\n');
    }
}

static void print_missing(const json_t *devices)
{
    const json_t *device;
    size_t index;
    json_array_foreach(devices, index, device) if (number_of(device, "accepted") == 0)
        printf("%s has refused us %" PRId64 " times and never accepted: our CA is missing on it\n",
               device_of(device), number_of(device, "refusals"));
}

static void print_all(const json_t *data)
{
    print_findings(json_object_get(data, "findings"));
    print_missing(json_object_get(data, "devices"));
}

static void print_nothing(const json_t *data)
{
    (void)data;
}

static enum status change(const struct options *options, const char *command, const char *which,
                          bool all)
{
    char *end;
    const long long id = strtoll(which, &end, 10);
    if (!all && (*end != '\0' || id <= 0))
        return options_complain("which finding: its number in `interceptctl learned`, not ", which);
    return options_show(options, command,
                        all ? json_pack("{s:b}", "all", 1)
                            : json_pack("{s:I}", "id", (json_int_t)id),
                        print_nothing);
}

enum status learned_command(const struct options *options, int count, char **arguments)
{
    const char *verb = count > 0 ? arguments[0] : "list";
    if (strcmp(verb, "list") == 0 && count <= 1)
        return options_show(options, "learned", NULL, print_all);
    if (strcmp(verb, "forget") == 0 && count == 2)
        return change(options, "learned.forget", arguments[1], strcmp(arguments[1], "all") == 0);
    if (strcmp(verb, "keep") == 0 && count == 2)
        return change(options, "learned.keep", arguments[1], false);
    return options_complain("learned [list], learned forget ID|all, learned keep ID", "");
}
