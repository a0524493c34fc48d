/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/event_line.h"

#include "ctl/text.h"
#include "policy/http_event.h"

#include <inttypes.h>
#include <string.h>

static void print_device(const json_t *event)
{
    char text[64];
    const char *name =
        text_of(json_object_get(json_object_get(event, "intercept"), "device"), "name");
    if (*name != '\0')
        text_print(name);
    else
        printf("%s", text_endpoint(text_of(event, "src_ip"), text_number(event, "src_port"), text));
}

static void print_destination(const json_t *event)
{
    char text[64];
    const char *host = text_event_host(event);
    printf("%s", text_endpoint(text_of(event, "dest_ip"), text_number(event, "dest_port"), text));
    if (*host != '\0') {
        putchar(' ');
        text_print(host);
    }
}

/* ---- connections ---- */

/* Why it was decided so; or what is alarming, or how it has ended. */
static void print_why(const json_t *event)
{
    const json_t *intercept = json_object_get(event, "intercept");
    const json_t *alert = json_object_get(event, "alert");
    const char *rule = text_of(intercept, "rule");
    if (alert != NULL) {
        text_print(text_of(alert, "signature"));
        return;
    }
    if (json_object_get(event, "flow") != NULL) {
        const json_t *flow = json_object_get(event, "flow");
        printf("%s, %" PRIu64 " up, %" PRIu64 " down", text_of(intercept, "ending"),
               text_number(flow, "bytes_toserver"), text_number(flow, "bytes_toclient"));
        return;
    }
    text_print(*rule != '\0' ? rule : text_of(intercept, "reason"));
    if (*rule != '\0')
        printf(" (");
    text_print(text_of(intercept, "rule_place"));
    if (*rule != '\0')
        printf(")");
}

static void print_connection(const json_t *event)
{
    printf("%-9s %-11s ", text_of(event, "event_type"),
           text_of(json_object_get(event, "intercept"), "action"));
    print_device(event);
    printf(" -> ");
    print_destination(event);
    printf("  ");
    print_why(event);
    putchar('\n');
}

/* ---- what is said inside ---- */

static void print_http(const json_t *event)
{
    const json_t *http = json_object_get(event, "http");
    char *url = http_event_url(event);
    printf("%-9s %-11s ", "http", text_of(http, "http_method"));
    print_device(event);
    printf(" -> ");
    text_print(url != NULL ? url : "");
    if (json_object_get(http, "status") != NULL)
        printf("  %" PRIu64, text_number(http, "status"));
    else
        printf("  no response");
    printf(
        ", %" PRIu64 " up, %" PRIu64 " down",
        text_number(json_object_get(json_object_get(event, "intercept"), "http"), "request_length"),
        text_number(http, "length"));
    putchar('\n');
    free(url);
}

/* Of WebSocket and server-sent events their kind, and how long they are. */
static void print_message(const json_t *event)
{
    const char *type = text_of(event, "event_type");
    const json_t *ours = json_object_get(json_object_get(event, "intercept"), type);
    const bool is_websocket = strcmp(type, "websocket") == 0;
    const char *kind = is_websocket ? text_of(json_object_get(event, "websocket"), "opcode")
                                    : text_of(ours, "event");
    printf("%-9s ", type);
    text_print(kind);
    printf("%*s ", strlen(kind) < 11 ? 11 - (int)strlen(kind) : 0, "");
    print_device(event);
    printf(strcmp(text_of(event, "direction"), "to_server") == 0 ? " -> " : " <- ");
    print_destination(event);
    printf("  %" PRIu64 " bytes\n", text_number(ours, "length"));
}

/* ---- any of them ---- */

static void print_changes(const json_t *event)
{
    const json_t *intercept = json_object_get(event, "intercept"), *change;
    size_t index;
    printf("change    revision %" PRIu64 ": ", text_number(intercept, "policy_rev"));
    json_array_foreach(json_object_get(intercept, "changes"), index, change)
    {
        if (index > 0)
            printf("; ");
        text_print(text_of(change, "what"));
        printf(": ");
        text_print(json_object_get(change, "old") != NULL ? text_of(change, "old") : "nothing");
        printf(" -> ");
        text_print(json_object_get(change, "new") != NULL ? text_of(change, "new") : "nothing");
    }
    putchar('\n');
}

bool event_line_is_shown(const json_t *event)
{
    const char *type = text_of(event, "event_type");
    return strcmp(type, "tls") != 0 && strcmp(type, "stats") != 0;
}

void event_line_print(const json_t *event)
{
    const char *type = text_of(event, "event_type");
    if (strcmp(text_of(json_object_get(event, "intercept"), "action"), "change") == 0)
        print_changes(event);
    else if (strcmp(type, "http") == 0)
        print_http(event);
    else if (strcmp(type, "websocket") == 0 || strcmp(type, "sse") == 0)
        print_message(event);
    else
        print_connection(event);
}
