/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/har.h"

#include "core/version.h"
#include "ctl/har_entry.h"
#include "ctl/stored.h"

#include <string.h>

struct archive {
    struct store_reader *reader;
    struct store_reader *messages; /* asked meanwhile */
    const struct filter *filter;
    bool is_first;
};

/* What was said by WebSocket after this request, within its connection. */
static void print_messages(struct store_reader *messages, const json_t *event)
{
    const struct store_query query = {
        .type = "websocket", .flow_id = json_integer_value(json_object_get(event, "flow_id"))};
    const char *separator = "";
    json_t *line;
    int64_t id;
    fputs(",\"_webSocketMessages\":[", stdout);
    store_reader_ask(messages, &query);
    while ((line = store_reader_next(messages, &id)) != NULL) {
        json_t *message = har_entry_message(line);
        fputs(separator, stdout);
        json_dumpf(message, stdout, JSON_COMPACT);
        separator = ",";
        json_decref(message);
        json_decref(line);
    }
    putchar(']');
}

/* The messages are not held in memory: the end of the entry waits for them. */
static void print_entry(struct archive *archive, const json_t *event, int64_t id)
{
    json_t *entry = har_entry_new(event, id);
    if (entry == NULL)
        return;
    char *text = json_dumps(entry, JSON_COMPACT);
    CHECK(text != NULL);
    fputs(archive->is_first ? "\n" : ",\n", stdout);
    fwrite(text, 1, strlen(text) - 1, stdout);
    if (har_entry_is_websocket(event))
        print_messages(archive->messages, event);
    putchar('}');
    archive->is_first = false;
    free(text);
    json_decref(entry);
}

static enum status print_all(struct archive *archive)
{
    json_t *event;
    int64_t id;
    fputs("{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"interceptd\",\"version\":"
          "\"" INTERCEPTD_VERSION "\"},\"entries\":[",
          stdout);
    store_reader_ask(archive->reader, &(struct store_query){.type = "http"});
    while (ferror(stdout) == 0 && (event = store_reader_next(archive->reader, &id)) != NULL) {
        if (filter_matches(archive->filter, event))
            print_entry(archive, event, id);
        json_decref(event);
    }
    puts("\n]}}");
    enum status status = stored_finish(archive->reader);
    return status == STATUS_DONE ? stored_finish(archive->messages) : status;
}

enum status har_print(const struct options *options, const char *text)
{
    struct filter *filter = stored_filter(text);
    struct archive archive = {.filter = filter, .is_first = true};
    if (filter == NULL)
        return STATUS_USAGE;
    enum status status = stored_open(options, &archive.reader);
    if (status == STATUS_DONE)
        status = stored_open(options, &archive.messages);
    if (status == STATUS_DONE)
        status = print_all(&archive);
    store_reader_close(archive.reader);
    store_reader_close(archive.messages);
    filter_free(filter);
    return status;
}
