/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/learned.h"

#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define TIME_SIZE 32

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* As the operator knows it best. */
static const char *device_of(const json_t *entry)
{
    static const char *const keys[] = {"name", "mac", "ip"};
    const json_t *device = json_object_get(entry, "device");
    const char *text = "";
    for (size_t i = 0; i < ARRAY_SIZE(keys) && *text == '\0'; i++)
        text = text_of(device, keys[i]);
    return text;
}

static const char *time_text(int64_t seconds, char text[static TIME_SIZE])
{
    const time_t time = (time_t)seconds;
    struct tm parts;
    if (seconds == 0 || localtime_r(&time, &parts) == NULL ||
        strftime(text, TIME_SIZE, "%Y-%m-%d %H:%M", &parts) == 0)
        snprintf(text, TIME_SIZE, "never");
    return text;
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

void learned_print_reason(const json_t *finding)
{
    const json_t *evidence = json_object_get(finding, "evidence");
    printf("learned (device %s refused our certificate %" PRId64 " times: ", device_of(finding),
           number_of(evidence, "refusals"));
    print_evidence(evidence);
    printf(")");
}

static void print_finding(const json_t *finding)
{
    const json_t *evidence = json_object_get(finding, "evidence");
    char destination[320], first[TIME_SIZE], last[TIME_SIZE], expires[TIME_SIZE];
    snprintf(destination, sizeof(destination), "%s:%" PRId64, text_of(finding, "host"),
             number_of(finding, "port"));
    printf("%-5" PRId64 " %-9s  %-17s  %-32s  %5" PRId64 "  %-16s  %-16s  %-16s  ",
           number_of(finding, "id"), text_of(finding, "verdict"), device_of(finding), destination,
           number_of(evidence, "refusals"), time_text(number_of(evidence, "first"), first),
           time_text(number_of(evidence, "last"), last),
           time_text(number_of(finding, "expires"), expires));
    print_evidence(evidence);
    putchar('\n');
    if (strcmp(text_of(finding, "verdict"), "suggested") == 0)
        printf("      to let it pass: pattern = %s, or interceptctl learned keep %" PRId64 "\n",
               text_of(finding, "pattern"), number_of(finding, "id"));
}

static void print_findings(const json_t *findings)
{
    const json_t *finding;
    size_t index;
    if (json_array_size(findings) == 0) {
        puts("no device has refused our certificate lately where it might have been good");
        return;
    }
    printf("%-5s %-9s  %-17s  %-32s  %5s  %-16s  %-16s  %-16s  %s\n", "ID", "VERDICT", "DEVICE",
           "DESTINATION", "COUNT", "FIRST", "LAST", "EXPIRES", "EVIDENCE");
    json_array_foreach(findings, index, finding) print_finding(finding);
}

static void print_device(const json_t *device, const char *certificate)
{
    char text[TIME_SIZE];
    const int64_t accepted = number_of(device, "accepted");
    if (accepted != 0)
        printf("%-17s  our CA is on it: it has accepted a certificate (%s)\n", device_of(device),
               time_text(accepted, text));
    else
        printf("%-17s  our CA is missing on it: it has refused us %" PRId64 " times (last %s) and "
               "never accepted; install %s on it\n",
               device_of(device), number_of(device, "refusals"),
               time_text(number_of(device, "last_refusal"), text), certificate);
}

static void print_devices(const json_t *data)
{
    const json_t *devices = json_object_get(data, "devices"), *device;
    size_t index;
    if (json_array_size(devices) > 0)
        putchar('\n');
    json_array_foreach(devices, index, device)
        print_device(device, text_of(data, "ca_certificate"));
}

static void print_all(const json_t *data)
{
    print_findings(json_object_get(data, "findings"));
    print_devices(data);
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
