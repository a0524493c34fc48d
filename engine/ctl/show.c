/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/show.h"

#include "core/address.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
    printf("connections   %" PRIu64 " open; %" PRIu64 " accepted: %" PRIu64 " intercepted, %" PRIu64
           " passed on, %" PRIu64 " failed, %" PRIu64 " refused\n",
           text_number(connections, "active"), text_number(connections, "accepted"),
           text_number(connections, "intercepted"), text_number(connections, "passed"),
           text_number(connections, "failed"), text_number(connections, "refused"));
    printf("certificates  %" PRIu64 " kept; %" PRIu64 " forged, %" PRIu64 " used again\n",
           text_number(certificates, "kept"), text_number(certificates, "forged"),
           text_number(certificates, "reused"));
    printf("records       %" PRIu64 " written, %" PRIu64 " lost%s%s\n",
           text_number(records, "written"), text_number(records, "lost"),
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
    printf("%-5s %-28s %10s %10s %10s %12s  %s\n", "PROTO", "DESTINATION", "AGE", "EXPIRES",
           "PACKETS", "BYTES", "RULE");
    json_array_foreach(data, index, entry)
    {
        char destination[64], age[24], expires[24];
        const char *address = text_of(entry, "address");
        text_endpoint(address, text_number(entry, "port"), destination);
        printf("%-5s %-28s %10s %10s %10" PRIu64 " %12" PRIu64 "  ", text_of(entry, "protocol"),
               destination, text_duration(text_number(entry, "age"), age),
               text_duration(text_number(entry, "expires"), expires), text_number(entry, "packets"),
               text_number(entry, "bytes"));
        text_print(text_of(entry, "rule"));
        putchar('\n');
    }
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

void show_explanations(const json_t *data)
{
    size_t index;
    const json_t *answer;
    json_array_foreach(data, index, answer)
    {
        const char *reason = text_of(answer, "reason");
        text_print(text_of(answer, "target"));
        printf(" %s", text_of(answer, "verdict"));
        if (json_object_get(answer, "pattern") != NULL) {
            printf(" by ");
            text_print(text_of(answer, "pattern"));
            printf(" ");
            print_place(answer);
        } else if (strcmp(reason, "not_allowed") == 0) {
            printf(" (no allow pattern is found in it)");
        } else {
            printf(" (no ignore pattern is found in it)");
        }
        if (json_object_get(answer, "upstream") != NULL) {
            printf("; upstream = %s ", text_of(answer, "upstream"));
            text_print(text_of(answer, "upstream_from"));
        }
        putchar('\n');
        if (json_is_true(json_object_get(answer, "name_unseen")))
            tell_unseen(text_of(answer, "target"));
    }
}
