/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/stored.h"

#include "ctl/event_line.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

/* So many are listed, unless it is said. */
#define LIMIT 1000

static enum status open_file(const char *file, struct store_reader **reader)
{
    char reason[256] = "";
    *reader = store_reader_open(file, reason);
    if (*reader == NULL)
        fprintf(stderr, "interceptctl: %s: %s\n", file, reason);
    return *reader != NULL ? STATUS_DONE : STATUS_FAILED;
}

enum status stored_open(const struct options *options, struct store_reader **reader)
{
    json_t *data;
    if (options->store != NULL)
        return open_file(options->store, reader);
    enum status status = client_ask(&options->client, "status", NULL, &data);
    if (status != STATUS_DONE) {
        if (status == STATUS_NOT_RUNNING)
            fprintf(stderr, "interceptctl: --store FILE reads a store without it\n");
        return status;
    }
    const char *file = text_of(json_object_get(data, "store"), "file");
    if (*file != '\0') {
        status = open_file(file, reader);
    } else {
        fprintf(stderr, "interceptctl: interceptd keeps no store: file = in [store] is not set\n");
        status = STATUS_FAILED;
    }
    json_decref(data);
    return status;
}

enum status stored_finish(const struct store_reader *reader)
{
    const char *fault = store_reader_fault(reader);
    if (fault != NULL)
        fprintf(stderr, "interceptctl: the store: %s\n", fault);
    return fault != NULL ? STATUS_FAILED : STATUS_DONE;
}

struct filter *stored_filter(const char *text)
{
    struct filter_fault fault;
    struct filter *filter = filter_new(text, &fault);
    if (filter == NULL)
        fprintf(stderr, "interceptctl: column %u of the filter: %s\n", fault.column, fault.what);
    return filter;
}

/* ---- listing ---- */

static void print_json(json_t *event, int64_t id, bool is_first)
{
    json_object_set_new(event, "store_id", json_integer(id));
    fputs(is_first ? "[\n" : ",\n", stdout);
    json_dumpf(event, stdout, JSON_COMPACT);
}

static void print_line(const json_t *event, int64_t id)
{
    const char *time = text_of(event, "timestamp");
    const char *clock = strchr(time, 'T');
    printf("%-8" PRId64 " %.10s %.8s ", id, time, clock != NULL ? clock + 1 : "");
    event_line_print(event);
}

/* That a connection was decided is told once more when it ends. */
static bool is_listed(const json_t *event)
{
    return event_line_is_shown(event) && strcmp(text_of(event, "event_type"), "intercept") != 0;
}

/* True if it was printed. */
static bool print_event(const struct options *options, const struct filter *filter, json_t *event,
                        int64_t id, bool is_first)
{
    if (!is_listed(event) || !filter_matches(filter, event))
        return false;
    if (options->json)
        print_json(event, id, is_first);
    else
        print_line(event, id);
    return true;
}

static enum status list(const struct options *options, struct store_reader *reader,
                        const struct filter *filter)
{
    const json_int_t limit = options->limit > 0 ? options->limit : LIMIT;
    json_int_t count = 0;
    json_t *event;
    int64_t id;
    store_reader_ask(reader, &(struct store_query){.youngest_first = true});
    while (count < limit && ferror(stdout) == 0 && (event = store_reader_next(reader, &id))) {
        count += print_event(options, filter, event, id, count == 0);
        json_decref(event);
    }
    if (options->json)
        puts(count == 0 ? "[]" : "\n]");
    else if (count == limit)
        printf("these are the youngest %" JSON_INTEGER_FORMAT ": -n NUMBER\n", limit);
    return stored_finish(reader);
}

enum status stored_flows(const struct options *options, const char *text)
{
    struct store_reader *reader = NULL;
    struct filter *filter = stored_filter(text);
    if (filter == NULL)
        return STATUS_USAGE;
    enum status status = stored_open(options, &reader);
    if (status == STATUS_DONE)
        status = list(options, reader, filter);
    store_reader_close(reader);
    filter_free(filter);
    return status;
}
