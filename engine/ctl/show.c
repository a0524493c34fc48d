/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/show.h"

#include "core/address.h"
#include "ctl/learned.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void show_json(const json_t *data)
{
    json_dumpf(data, stdout, JSON_INDENT(2));
    putchar('\n');
}

static void show_dns(const json_t *dns)
{
    if (!json_is_true(json_object_get(dns, "watched"))) {
        puts("dns           not watched");
        return;
    }
    printf("dns           %" PRIu64 " queries, %" PRIu64 " answers; %" PRIu64
           " answers that nobody had asked for, %" PRIu64 " unreadable\n",
           text_number(dns, "queries"), text_number(dns, "answers"), text_number(dns, "unasked"),
           text_number(dns, "unreadable"));
}

static void show_store(const json_t *store)
{
    if (json_object_get(store, "file") == NULL)
        puts("store         none");
    else
        printf("store         %" PRIu64 " events stored, %" PRIu64 " lost, in %s%s\n",
               text_number(store, "stored"), text_number(store, "lost"), text_of(store, "file"),
               json_is_true(json_object_get(store, "paused")) ? ": paused" : "");
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
           text_of(data, "version"), text_number(data, "pid"),
           text_duration(text_number(data, "uptime"), uptime), text_number(data, "workers"));
    printf("policy        %s, revision %" PRIu64 ", %" PRIu64 " ignore patterns, %" PRIu64
           " changes at run time\n",
           text_of(policy, "file"), text_number(policy, "revision"),
           text_number(policy, "ignore_patterns"), text_number(policy, "edits"));
    printf("devices on    %s\n", text_of(gate, "lan"));
    printf("queue         %s: %" PRIu64 " packets, %" PRIu64 " passed, %" PRIu64 " taken, %" PRIu64
           " dropped\n",
           text_of(gate, "queue"), text_number(gate, "packets"), text_number(gate, "passed"),
           text_number(gate, "taken"), text_number(gate, "dropped"));
    printf("kernel rules  %" PRIu64 " added, %" PRIu64 " had no room\n",
           text_number(gate, "kernel_rules_added"), text_number(gate, "kernel_rules_refused"));
    show_dns(json_object_get(data, "dns"));
    printf("connections   %" PRIu64 " open; %" PRIu64 " accepted: %" PRIu64 " intercepted, %" PRIu64
           " passed on, %" PRIu64 " failed, %" PRIu64 " refused\n",
           text_number(connections, "active"), text_number(connections, "accepted"),
           text_number(connections, "intercepted"), text_number(connections, "passed"),
           text_number(connections, "failed"), text_number(connections, "refused"));
    printf("ignored       %" PRIu64 " ended in the kernel, %" PRIu64 " more were too many to be "
           "recorded\n",
           text_number(ignored, "ended"), text_number(ignored, "lost"));
    printf("certificates  %" PRIu64 " kept; %" PRIu64 " forged, %" PRIu64 " used again\n",
           text_number(certificates, "kept"), text_number(certificates, "forged"),
           text_number(certificates, "reused"));
    printf("records       %" PRIu64 " written, %" PRIu64 " lost%s%s%s\n",
           text_number(records, "written"), text_number(records, "lost"),
           text_of(records, "file")[0] != '\0' ? ", to " : "", text_of(records, "file"),
           json_is_true(json_object_get(records, "paused")) ? ": paused, it takes none" : "");
    show_store(json_object_get(data, "store"));
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
        text_endpoint(address, text_number(entry, "port"), destination);
        const char *device = text_of(entry, "device");
        printf("%-5s %-28s %-15s %10s %10s %10" PRIu64 " %12" PRIu64 "  ",
               text_of(entry, "protocol"), destination, *device != '\0' ? device : "all",
               text_duration(text_number(entry, "age"), age),
               text_duration(text_number(entry, "expires"), expires), text_number(entry, "packets"),
               text_number(entry, "bytes"));
        text_print(text_of(entry, "rule"));
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
    const uint64_t seen = text_number(device, "last_seen");
    char ago[24];
    size_t index;
    const json_t *address;
    bool randomized = json_is_true(json_object_get(device, "randomized"));
    print_column(text_of(device, "name"), 24);
    print_column(text_of(device, "mac"), 17);
    print_column(randomized ? "(randomized)" : text_of(device, "vendor"), 24);
    print_column(text_of(device, "interface"), 9);
    print_column(text_duration(now > seen ? now - seen : 0, ago), 8);
    print_column(json_is_true(json_object_get(device, "intercepted")) ? "yes" : "no", 11);
    print_column(text_of(device, "ca"), 8);
    print_column(text_of(device, "section"), 10);
    printf("%8" PRIu64 " %8" PRIu64 " ", text_number(device, "taken"),
           text_number(device, "passed"));
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
           "INTERFACE", "SEEN", "INTERCEPTED", "OUR CA", "SECTION", "TAKEN", "PASSED", "ADDRESSES");
    json_array_foreach(data, index, device) print_device(device, now);
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
           text_of(flow, "proto"),
           text_endpoint(text_of(flow, "src_ip"), text_number(flow, "src_port"), device),
           text_endpoint(text_of(flow, "dest_ip"), text_number(flow, "dest_port"), origin),
           action[0] != '\0' ? action : "-", text_of(flow, "state"),
           has_age ? text_duration(text_number(flow, "age"), age) : "-",
           text_number(flow, "bytes_toserver"), text_number(flow, "bytes_toclient"));
    text_print(name_of(flow));
    printf("  ");
    text_print(rule[0] != '\0' ? rule : text_of(flow, "reason"));
    putchar('\n');
}

void show_flows(const json_t *data)
{
    const json_t *flows = json_object_get(data, "flows"), *flow;
    size_t index;
    printf("%-5s %-24s %-24s %-12s %-12s %10s %12s %12s  %s\n", "PROTO", "DEVICE", "ORIGIN",
           "ACTION", "STATE", "AGE", "TO SERVER", "TO CLIENT", "NAME, AND WHY");
    json_array_foreach(flows, index, flow) print_flow(flow);
    if (text_number(data, "total") > json_array_size(flows))
        printf("and %" PRIu64 " more: -n NUMBER\n",
               text_number(data, "total") - json_array_size(flows));
}

void show_cuts(const json_t *data)
{
    printf("cut: %" PRIu64 " intercepted, %" PRIu64 " passed on, %" PRIu64 " in the kernel\n",
           text_number(data, "intercepted"), text_number(data, "passed"),
           text_number(data, "ignored"));
}

static void print_place(const json_t *answer)
{
    const bool has_line = json_object_get(answer, "line") != NULL;
    if (strcmp(text_of(answer, "file"), "--ignore") == 0 || !has_line)
        printf("(%s)", text_of(answer, "file"));
    else
        printf("(%s:%" PRIu64 ")", text_of(answer, "file"), text_number(answer, "line"));
}

static void tell_unseen(const char *target)
{
    struct address address;
    fprintf(stderr,
            "note: %s %s, and patterns are tried against addresses alone (match = address): names "
            "are looked at with match = sni\n",
            target, address_parse(&address, target) ? "has a name" : "is a name");
}

/* Why it is so, where no pattern says it. */
static void print_reason(const json_t *answer)
{
    static const char *const reasons[][2] = {
        {"not_allowed", "no allow pattern is found in it"},
        {"device", "the device is excluded"},
        {"local", "it is this box"},
        {"name_constraints", "our CA may not vouch for it"},
        {"pinned", "its app is pinned"},
    };
    const char *reason = text_of(answer, "reason"), *text = "no ignore pattern is found in it";
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (strcmp(reason, reasons[i][0]) == 0)
            text = reasons[i][1];
    printf(" (%s", text);
    if (json_object_get(answer, "learned") != NULL)
        printf("; learned %" PRIu64 ": %s", text_number(answer, "learned"),
               text_of(answer, "evidence"));
    putchar(')');
}

static void print_explanation(const json_t *answer)
{
    text_print(text_of(answer, "target"));
    printf(" %s", text_of(answer, "verdict"));
    if (json_object_get(answer, "pattern") != NULL) {
        printf(" by ");
        text_print(text_of(answer, "pattern"));
        printf(" ");
        print_place(answer);
    } else {
        print_reason(answer);
    }
    if (json_object_get(answer, "upstream") != NULL) {
        printf("; upstream = %s ", text_of(answer, "upstream"));
        text_print(text_of(answer, "upstream_from"));
    }
    putchar('\n');
}

/* Where it passes for single devices. */
static void print_exceptions(const json_t *answer)
{
    size_t index;
    const json_t *finding;
    json_array_foreach(json_object_get(answer, "passes_for"), index, finding)
    {
        text_print(text_of(answer, "target"));
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
        print_explanation(answer);
        print_exceptions(answer);
        if (json_is_true(json_object_get(answer, "name_unseen")))
            tell_unseen(text_of(answer, "target"));
    }
}
