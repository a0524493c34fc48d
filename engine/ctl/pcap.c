/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/pcap.h"

#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

#define FILTER_LIMIT 4096

/* ---- telling ---- */

static void print_numbers(const json_t *sink)
{
    printf("%" PRIu64 " packets of %" PRIu64 " connections, %" PRIu64 " lost\n",
           text_number(sink, "packets"), text_number(sink, "connections"),
           text_number(sink, "lost"));
}

static void print_file(const json_t *file)
{
    text_print(text_of(file, "file"));
    if (json_object_get(file, "filter") != NULL) {
        printf(" (");
        text_print(text_of(file, "filter"));
        putchar(')');
    }
    printf(": %s%s%" PRIu64 " bytes, ", text_of(file, "ended"),
           json_object_get(file, "ended") != NULL ? ": " : "", text_number(file, "bytes"));
    print_numbers(file);
}

static void print_files(const json_t *files)
{
    const json_t *file;
    size_t index;
    json_array_foreach(files, index, file) print_file(file);
}

static void print_live(const json_t *live)
{
    const json_t *clients = json_object_get(live, "clients"), *client;
    size_t index;
    if (live == NULL)
        return;
    printf("live feed at %s: %zu clients\n", text_of(live, "address"), json_array_size(clients));
    json_array_foreach(clients, index, client)
    {
        printf("  %s: ", text_of(client, "peer"));
        print_numbers(client);
    }
}

static void print_mirror(const json_t *mirror)
{
    if (mirror == NULL)
        return;
    printf("mirror ");
    text_print(text_of(mirror, "interface"));
    printf("%s: ", json_is_true(json_object_get(mirror, "there")) ? "" : " (not there)");
    print_numbers(mirror);
}

static void print_all(const json_t *data)
{
    const json_t *files = json_object_get(data, "files"), *live = json_object_get(data, "live"),
                 *mirror = json_object_get(data, "mirror");
    if (json_array_size(files) == 0 && live == NULL && mirror == NULL)
        puts("nothing is captured");
    print_files(files);
    print_live(live);
    print_mirror(mirror);
    const uint64_t bytes = text_number(data, "lost_bytes"),
                   connections = text_number(data, "lost_connections");
    if (bytes + connections > 0)
        printf("lost on the way: %" PRIu64 " bytes, %" PRIu64 " connections\n", bytes, connections);
}

static void print_started(const json_t *data)
{
    text_print(text_of(data, "file"));
    puts(": from the next connection on");
}

/* ---- asking ---- */

static enum status start(const struct options *options, int count, char **arguments)
{
    char filter[FILTER_LIMIT] = "";
    size_t length = 0;
    for (int i = 1; i < count && length < sizeof(filter); i++)
        length += (size_t)snprintf(filter + length, sizeof(filter) - length, "%s%s",
                                   i > 1 ? " " : "", arguments[i]);
    if (length >= sizeof(filter))
        return options_complain("the filter is too long", "");
    return options_show(options, "pcap.start",
                        json_pack("{s:s, s:s}", "file", arguments[0], "filter", filter),
                        print_started);
}

static enum status stop(const struct options *options, const char *name)
{
    return options_show(options, "pcap.stop",
                        name != NULL ? json_pack("{s:s}", "file", name) : NULL, print_files);
}

enum status pcap_command(const struct options *options, int count, char **arguments)
{
    const char *verb = count > 0 ? arguments[0] : "list";
    if (strcmp(verb, "list") == 0 && count <= 1)
        return options_show(options, "pcap.list", NULL, print_all);
    if (strcmp(verb, "start") == 0 && count >= 2)
        return start(options, count - 1, arguments + 1);
    if (strcmp(verb, "stop") == 0 && count <= 2)
        return stop(options, count == 2 ? arguments[1] : NULL);
    return options_complain("pcap [list], pcap start FILE [FILTER], pcap stop [FILE]", "");
}
