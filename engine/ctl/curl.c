/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/curl.h"

#include "ctl/curl_command.h"
#include "ctl/stored.h"

#include <inttypes.h>

static void tell_missing(const struct curl_command *command)
{
    if (command->redacted)
        fprintf(stderr, "note: credentials are redacted: put yours where (redacted) stands\n");
    if (command->headers_cut)
        fprintf(stderr, "note: not all headers were recorded, or not all of them as a whole\n");
    if (command->body_missing)
        fprintf(stderr, "note: the body was not recorded as a whole (bodies = in [events])\n");
}

static enum status print_command(const json_t *event, int64_t id)
{
    struct curl_command command = curl_command_make(event);
    if (command.text == NULL) {
        fprintf(stderr, "interceptctl: %" PRId64 " is no request\n", id);
        return STATUS_FAILED;
    }
    fputs(command.text, stdout);
    free(command.text);
    tell_missing(&command);
    return STATUS_DONE;
}

static enum status print_request(struct store_reader *reader, int64_t id)
{
    store_reader_ask(reader, &(struct store_query){.id = id});
    json_t *event = store_reader_next(reader, &id);
    enum status status = stored_finish(reader);
    if (event != NULL) {
        status = print_command(event, id);
    } else if (status == STATUS_DONE) {
        fprintf(stderr, "interceptctl: the store has no event %" PRId64 "\n", id);
        status = STATUS_FAILED;
    }
    json_decref(event);
    return status;
}

enum status curl_print(const struct options *options, const char *text)
{
    struct store_reader *reader = NULL;
    char *end;
    const long long id = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || id <= 0)
        return options_complain("an ID is the number in front of a line of flows, not ", text);
    enum status status = stored_open(options, &reader);
    if (status == STATUS_DONE)
        status = print_request(reader, id);
    store_reader_close(reader);
    return status;
}
