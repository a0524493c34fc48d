/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/show.h"

#include "ctl/learned.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* Text from elsewhere must not steer the terminal. */
static void print_safely(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

/* "59m 12s". */
static const char *duration(uint64_t seconds, char text[static 24])
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

void show_json(const json_t *data)
{
    json_dumpf(data, stdout, JSON_INDENT(2));
    putchar('\n');
}

void show_status(const json_t *data)
{
    const json_t *policy = json_object_get(data, "policy");
    const json_t *gate = json_object_get(data, "gate");
    const json_t *connections = json_object_get(data, "connections");
    const json_t *ignored = json_object_get(data, "ignored");
    const json_t *certificates = json_object_get(data, "certificates");
    const json_t *records = json_object_get(data, "records");
    char uptime[24];
    printf("interceptd %s, process %" PRIu64 ", up %s, %" PRIu64 " workers\n",
           text_of(data, "version"), number_of(data, "pid"),
           duration(number_of(data, "uptime"), uptime), number_of(data, "workers"));
    printf("policy        %s, revision %" PRIu64 ", %" PRIu64 " ignore patterns\n",
           text_of(policy, "file"), number_of(policy, "revision"),
           number_of(policy, "ignore_patterns"));
    printf("devices on    %s\n", text_of(gate, "lan"));
    printf("queue         %s: %" PRIu64 " packets, %" PRIu64 " passed, %" PRIu64 " taken, %" PRIu64
           " dropped\n",
           text_of(gate, "queue"), number_of(gate, "packets"), number_of(gate, "passed"),
           number_of(gate, "taken"), number_of(gate, "dropped"));
    printf("kernel rules  %" PRIu64 " added, %" PRIu64 " had no room\n",
           number_of(gate, "kernel_rules_added"), number_of(gate, "kernel_rules_refused"));
    printf("connections   %" PRIu64 " open; %" PRIu64 " accepted: %" PRIu64 " intercepted, %" PRIu64
           " passed on, %" PRIu64 " failed, %" PRIu64 " refused\n",
           number_of(connections, "active"), number_of(connections, "accepted"),
           number_of(connections, "intercepted"), number_of(connections, "passed"),
           number_of(connections, "failed"), number_of(connections, "refused"));
    printf("ignored       %" PRIu64 " ended in the kernel, %" PRIu64 " more were too many to be "
           "recorded\n",
           number_of(ignored, "ended"), number_of(ignored, "lost"));
    printf("certificates  %" PRIu64 " kept; %" PRIu64 " forged, %" PRIu64 " used again\n",
           number_of(certificates, "kept"), number_of(certificates, "forged"),
           number_of(certificates, "reused"));
    printf("records       %" PRIu64 " written, %" PRIu64 " lost%s%s\n",
           number_of(records, "written"), number_of(records, "lost"),
           text_of(records, "file")[0] != '\0' ? ", to " : "", text_of(records, "file"));
}

void show_ignored(const json_t *data)
{
    size_t index;
    const json_t *entry;
    if (json_array_size(data) == 0) {
        puts("the kernel has no rules of ours: no destination was ignored lately");
        return;
    }
    printf("%-5s %-28s %-15s %10s %10s %10s %12s  %s\n", "PROTO", "DESTINATION", "DEVICE", "AGE",
           "EXPIRES", "PACKETS", "BYTES", "RULE");
    json_array_foreach(data, index, entry)
    {
        char destination[64], age[24], expires[24];
        const char *address = text_of(entry, "address");
        snprintf(destination, sizeof(destination),
                 strchr(address, ':') != NULL ? "[%s]:%" PRIu64 : "%s:%" PRIu64, address,
                 number_of(entry, "port"));
        const char *device = text_of(entry, "device");
        printf("%-5s %-28s %-15s %10s %10s %10" PRIu64 " %12" PRIu64 "  ",
               text_of(entry, "protocol"), destination, *device != '\0' ? device : "all",
               duration(number_of(entry, "age"), age),
               duration(number_of(entry, "expires"), expires), number_of(entry, "packets"),
               number_of(entry, "bytes"));
        print_safely(text_of(entry, "rule"));
        putchar('\n');
    }
}

/* So wide, or wider if need be; what nobody knows is a dash. */
static void print_column(const char *text, int width)
{
    char safe[128];
    size_t length = 0;
    for (; *text != '\0' && length < sizeof(safe) - 1; text++)
        safe[length++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    safe[length] = '\0';
    printf("%-*s ", width, length > 0 ? safe : "-");
}

static void print_device(const json_t *device, uint64_t now)
{
    const uint64_t seen = number_of(device, "last_seen");
    char ago[24];
    size_t index;
    const json_t *address;
    bool randomized = json_is_true(json_object_get(device, "randomized"));
    print_column(text_of(device, "name"), 24);
    print_column(text_of(device, "mac"), 17);
    print_column(randomized ? "(randomized)" : text_of(device, "vendor"), 24);
    print_column(text_of(device, "interface"), 9);
    print_column(duration(now > seen ? now - seen : 0, ago), 8);
    print_column(json_is_true(json_object_get(device, "intercepted")) ? "yes" : "no", 11);
    print_column(text_of(device, "ca"), 8);
    print_column(text_of(device, "section"), 10);
    printf("%8" PRIu64 " %8" PRIu64 " ", number_of(device, "taken"), number_of(device, "passed"));
    json_array_foreach(json_object_get(device, "addresses"), index, address)
        printf(" %s", json_string_value(address));
    putchar('\n');
}

void show_devices(const json_t *data)
{
    const uint64_t now = (uint64_t)time(NULL);
    size_t index;
    const json_t *device;
    if (json_array_size(data) == 0) {
        puts("no device was seen yet");
        return;
    }
    printf("%-24s %-17s %-24s %-9s %-8s %-11s %-8s %-10s %8s %8s  %s\n", "NAME", "MAC", "VENDOR",
           "INTERFACE", "SEEN", "INTERCEPTED", "CA", "SECTION", "TAKEN", "PASSED", "ADDRESSES");
    json_array_foreach(data, index, device) print_device(device, now);
}

/* "192.0.2.1:443" or "[2001:db8::1]:443". */
static const char *endpoint(const json_t *flow, const char *ip, const char *port,
                            char text[static 64])
{
    const char *address = text_of(flow, ip);
    snprintf(text, 64, strchr(address, ':') != NULL ? "[%s]:%" PRIu64 : "%s:%" PRIu64, address,
             number_of(flow, port));
    return text;
}

/* The best name there is. */
static const char *name_of(const json_t *flow)
{
    const char *name = text_of(flow, "sni");
    if (name[0] == '\0')
        name = text_of(flow, "host");
    if (name[0] != '\0')
        return name;
    name = json_string_value(json_array_get(json_object_get(flow, "names"), 0));
    return name != NULL ? name : "-";
}

static void print_flow(const json_t *flow)
{
    char device[64], origin[64], age[24];
    const char *rule = text_of(flow, "rule"), *action = text_of(flow, "action");
    bool has_age = json_object_get(flow, "age") != NULL;
    printf("%-5s %-24s %-24s %-12s %-12s %10s %12" PRIu64 " %12" PRIu64 "  ",
           text_of(flow, "proto"), endpoint(flow, "src_ip", "src_port", device),
           endpoint(flow, "dest_ip", "dest_port", origin), action[0] != '\0' ? action : "-",
           text_of(flow, "state"), has_age ? duration(number_of(flow, "age"), age) : "-",
           number_of(flow, "bytes_toserver"), number_of(flow, "bytes_toclient"));
    print_safely(name_of(flow));
    printf("  ");
    print_safely(rule[0] != '\0' ? rule : text_of(flow, "reason"));
    putchar('\n');
}

void show_flows(const json_t *data)
{
    const json_t *flows = json_object_get(data, "flows"), *flow;
    size_t index;
    printf("%-5s %-24s %-24s %-12s %-12s %10s %12s %12s  %s\n", "PROTO", "DEVICE", "ORIGIN",
           "ACTION", "STATE", "AGE", "TO SERVER", "TO CLIENT", "NAME, AND WHY");
    json_array_foreach(flows, index, flow) print_flow(flow);
    if (number_of(data, "total") > json_array_size(flows))
        printf("and %" PRIu64 " more: -n NUMBER\n",
               number_of(data, "total") - json_array_size(flows));
}

void show_cuts(const json_t *data)
{
    printf("cut: %" PRIu64 " intercepted, %" PRIu64 " passed on, %" PRIu64 " in the kernel\n",
           number_of(data, "intercepted"), number_of(data, "passed"), number_of(data, "ignored"));
}

static void print_place(const json_t *answer)
{
    if (strcmp(text_of(answer, "file"), "--ignore") == 0)
        printf("(--ignore)");
    else
        printf("(%s:%" PRIu64 ")", text_of(answer, "file"), number_of(answer, "line"));
}

/* Where it passes for single devices. */
static void print_exceptions(const json_t *answer)
{
    size_t index;
    const json_t *finding;
    json_array_foreach(json_object_get(answer, "learned"), index, finding)
    {
        print_safely(text_of(answer, "target"));
        printf(" ignore: ");
        learned_print_reason(finding);
        putchar('\n');
    }
}

void show_explanations(const json_t *data)
{
    size_t index;
    const json_t *answer;
    json_array_foreach(data, index, answer)
    {
        const char *reason = text_of(answer, "reason");
        print_safely(text_of(answer, "target"));
        printf(" %s", text_of(answer, "verdict"));
        if (json_object_get(answer, "pattern") != NULL) {
            printf(" by ");
            print_safely(text_of(answer, "pattern"));
            printf(" ");
            print_place(answer);
        } else if (strcmp(reason, "pinned") == 0) {
            printf(": ");
            learned_print_reason(json_array_get(json_object_get(answer, "learned"), 0));
        } else if (strcmp(reason, "not_allowed") == 0) {
            printf(" (no allow pattern is found in it)");
        } else {
            printf(" (no ignore pattern is found in it)");
        }
        if (json_object_get(answer, "upstream") != NULL) {
            printf("; upstream = %s ", text_of(answer, "upstream"));
            print_safely(text_of(answer, "upstream_from"));
        }
        putchar('\n');
        if (strcmp(reason, "pinned") != 0)
            print_exceptions(answer);
        if (json_is_true(json_object_get(answer, "name_unseen")))
            fprintf(stderr,
                    "note: %s is a name, and patterns are tried against addresses alone (match = "
                    "address): names are looked at with match = sni\n",
                    text_of(answer, "target"));
    }
}
