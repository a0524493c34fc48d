/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/following.h"

#include "ctl/filter.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

/* ---- one event ---- */

/* "12:00:00" of EVE's time. */
static void print_time(const json_t *event)
{
    const char *time = strchr(text_of(event, "timestamp"), 'T');
    printf("%.8s ", time != NULL && strlen(time) > 8 ? time + 1 : "        ");
}

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
    char text[64];
    const char *host = text_event_host(event);
    print_time(event);
    printf("%-9s %-11s ", text_of(event, "event_type"),
           text_of(json_object_get(event, "intercept"), "action"));
    print_device(event);
    printf(" -> %s",
           text_endpoint(text_of(event, "dest_ip"), text_number(event, "dest_port"), text));
    if (*host != '\0') {
        putchar(' ');
        text_print(host);
    }
    printf("  ");
    print_why(event);
    putchar('\n');
}

static void print_changes(const json_t *event)
{
    const json_t *intercept = json_object_get(event, "intercept"), *change;
    size_t index;
    json_array_foreach(json_object_get(intercept, "changes"), index, change)
    {
        print_time(event);
        printf("change    revision %" PRIu64 ": ", text_number(intercept, "policy_rev"));
        text_print(text_of(change, "what"));
        printf(": ");
        text_print(json_object_get(change, "old") != NULL ? text_of(change, "old") : "nothing");
        printf(" -> ");
        text_print(json_object_get(change, "new") != NULL ? text_of(change, "new") : "nothing");
        putchar('\n');
    }
}

static bool print_event(const struct options *options, const json_t *event)
{
    const char *action = text_of(json_object_get(event, "intercept"), "action");
    if (options->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (strcmp(action, "change") == 0) {
        print_changes(event);
    } else if (strcmp(text_of(event, "event_type"), "tls") != 0 &&
               strcmp(text_of(event, "event_type"), "stats") != 0) {
        print_connection(event); /* those two are for programs */
    }
    return fflush(stdout) == 0;
}

/* ---- all of them ---- */

static void tell_gap(const struct options *options, const json_t *line)
{
    if (options->json) {
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
    } else {
        fprintf(stderr, "interceptctl: %" PRIu64 " events came too fast to be told\n",
                text_number(line, "gap"));
    }
}

static enum status print_all(const struct options *options, struct connection *connection,
                             const struct filter *filter)
{
    json_t *line;
    bool wanted = true;
    while (wanted && (line = client_next(connection)) != NULL) {
        if (json_object_get(line, "gap") != NULL)
            tell_gap(options, line);
        else if (filter_matches(filter, line))
            wanted = print_event(options, line);
        json_decref(line);
    }
    if (wanted)
        fprintf(stderr, "interceptctl: interceptd has ended\n");
    return wanted ? STATUS_NOT_RUNNING : STATUS_DONE;
}

static enum status follow(const struct options *options, const struct filter *filter)
{
    struct connection connection;
    json_t *answer;
    enum status status = client_connect(&options->client, &connection);
    if (status != STATUS_DONE)
        return status;
    status = client_request(&options->client, &connection, "events.follow", NULL, -1, &answer);
    status = status == STATUS_DONE ? print_all(options, &connection, filter)
                                   : client_complain(status, answer);
    json_decref(answer);
    client_disconnect(&connection);
    return status;
}

enum status following(const struct options *options, const char *text)
{
    struct filter_fault fault;
    struct filter *filter = filter_new(text, &fault);
    if (filter == NULL) {
        fprintf(stderr, "interceptctl: column %u of the filter: %s\n", fault.column, fault.what);
        return STATUS_USAGE;
    }
    enum status status = follow(options, filter);
    filter_free(filter);
    return status;
}
