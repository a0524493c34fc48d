/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/following.h"

#include "ctl/event_line.h"
#include "ctl/text.h"
#include "policy/filter.h"

#include <inttypes.h>
#include <string.h>

/* ---- one event ---- */

/* "12:00:00" of EVE's time. */
static void print_time(const json_t *event)
{
    const char *time = strchr(text_of(event, "timestamp"), 'T');
    printf("%.8s ", time != NULL && strlen(time) > 8 ? time + 1 : "        ");
}

static bool print_event(const struct options *options, const json_t *event)
{
    if (options->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (event_line_is_shown(event)) {
        print_time(event);
        event_line_print(event);
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
