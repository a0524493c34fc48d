/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * interceptctl: the operator's tool. */
#include "core/log.h"
#include "core/version.h"
#include "ctl/client.h"
#include "ctl/explaining.h"
#include "ctl/importing.h"
#include "ctl/learned.h"
#include "ctl/show.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: interceptctl [-j] [-s SOCKET] [-t SECONDS] COMMAND\n"
    "\n"
    "  status                               how interceptd is\n"
    "  ignored                              destinations that the kernel lets pass by itself\n"
    "  devices                              who is there, and whether it is intercepted\n"
    "  flows [-n NUMBER]                    connections that are open, the youngest first\n"
    "  cut                                  ends those that are decided otherwise by now\n"
    "  explain [-c FILE] [-j] TARGET...     what happens to host:port, and which pattern decides;\n"
    "                                       with -c by that configuration, without a running\n"
    "                                       interceptd; - reads targets from standard input\n"
    "  learned [list]                       where devices refuse our certificate: pinned apps\n"
    "  learned forget ID|all | keep ID      decide anew from now on; let it pass for good\n"
    "  reload                               read the configuration again\n"
    "  import FILE [OPTION]                 the ignore_hosts of mitmproxy's config.yaml, as a "
    "list\n"
    "\n"
    "  -n, --limit N       list so many at most (1000)\n"
    "  -j, --json          one JSON document instead of text for people\n"
    "  -s, --socket PATH   the control socket (/run/interceptd/control.sock)\n"
    "  -t, --timeout N     seconds to wait for an answer (10)\n"
    "  -V, --version       tell the version and exit\n"
    "  -h, --help          this\n"
    "\n"
    "exit status: 0 done, 1 refused or failed, 2 usage, 3 not running, 4 no permission, 5 "
    "timeout\n";

struct options {
    struct client client;
    bool json;
    const char *config; /* explain -c */
    unsigned limit;     /* flows -n; 0: as the daemon likes */
};

static enum status complain(const char *what, const char *argument)
{
    fprintf(stderr, "interceptctl: %s%s\n%s", what, argument, usage);
    return STATUS_USAGE;
}

/* ---- commands ---- */

static enum status show(const struct options *options, const char *command, json_t *arguments,
                        void (*print)(const json_t *data))
{
    json_t *data;
    enum status status = client_ask(&options->client, command, arguments, &data);
    if (status != STATUS_DONE)
        return status;
    if (options->json)
        show_json(data);
    else
        print(data);
    json_decref(data);
    return STATUS_DONE;
}

static enum status run_status(const struct options *options, int count, char **arguments)
{
    (void)arguments;
    return count > 0 ? complain("unexpected argument ", arguments[0])
                     : show(options, "status", NULL, show_status);
}

static enum status run_ignored(const struct options *options, int count, char **arguments)
{
    (void)arguments;
    return count > 0 ? complain("unexpected argument ", arguments[0])
                     : show(options, "ignored", NULL, show_ignored);
}

static enum status run_flows(const struct options *options, int count, char **arguments)
{
    if (count > 0)
        return complain("unexpected argument ", arguments[0]);
    json_t *limit = options->limit > 0 ? json_pack("{s:i}", "limit", (int)options->limit) : NULL;
    return show(options, "flows", limit, show_flows);
}

static enum status run_cut(const struct options *options, int count, char **arguments)
{
    return count > 0 ? complain("unexpected argument ", arguments[0])
                     : show(options, "cut", NULL, show_cuts);
}

static enum status run_devices(const struct options *options, int count, char **arguments)
{
    (void)arguments;
    return count > 0 ? complain("unexpected argument ", arguments[0])
                     : show(options, "devices", NULL, show_devices);
}

static enum status run_reload(const struct options *options, int count, char **arguments)
{
    json_t *data;
    if (count > 0)
        return complain("unexpected argument ", arguments[0]);
    enum status status = client_ask(&options->client, "reload", NULL, &data);
    json_decref(data);
    return status;
}

static enum status run_explain(const struct options *options, int count, char **arguments)
{
    if (count == 0)
        return complain("explain needs a TARGET, such as 192.0.2.1:443", "");
    return explaining(&options->client, options->config, options->json, count, arguments);
}

static enum status run_import(const struct options *options, int count, char **arguments)
{
    (void)options;
    if (count == 0)
        return complain("import needs a FILE, such as ~/.mitmproxy/config.yaml", "");
    if (count > 2)
        return complain("unexpected argument ", arguments[2]);
    return importing(arguments[0], count == 2 ? arguments[1] : "ignore_hosts");
}

static enum status run_learned(const struct options *options, int count, char **arguments)
{
    return learned_command(&options->client, options->json, count, arguments);
}

static const struct {
    const char *name;
    enum status (*run)(const struct options *options, int count, char **arguments);
} commands[] = {
    {"status", run_status},   {"ignored", run_ignored}, {"devices", run_devices},
    {"flows", run_flows},     {"cut", run_cut},         {"explain", run_explain},
    {"learned", run_learned}, {"reload", run_reload},   {"import", run_import},
};

static enum status run_command(const struct options *options, int count, char **arguments)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, arguments[0]) == 0)
            return commands[i].run(options, count - 1, arguments + 1);
    return complain("unknown command ", arguments[0]);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},  {"json", no_argument, NULL, 'j'},
        {"limit", required_argument, NULL, 'n'},   {"socket", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'}, {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    struct options options = {.client = {"/run/interceptd/control.sock", 10}};
    int option;
    log_set_level(LOG_LEVEL_WARNING);
    /* GNU getopt moves options in front: they may stand before the command and behind it. */
    while ((option = getopt_long(argc, argv, "c:jn:s:t:Vh", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            options.config = optarg;
            break;
        case 'j':
            options.json = true;
            break;
        case 'n':
            options.limit = (unsigned)strtoul(optarg, NULL, 10);
            if (options.limit == 0 || options.limit > 10000)
                return (int)complain("a limit is 1 to 10000, not ", optarg);
            break;
        case 's':
            options.client.socket_path = optarg;
            break;
        case 't':
            options.client.timeout = (unsigned)strtoul(optarg, NULL, 10);
            if (options.client.timeout == 0 || options.client.timeout > 3600)
                return (int)complain("a timeout is 1 to 3600 seconds, not ", optarg);
            break;
        case 'V':
            puts("interceptctl " INTERCEPTD_VERSION);
            return STATUS_DONE;
        case 'h':
            fputs(usage, stdout);
            return STATUS_DONE;
        default:
            fputs(usage, stderr);
            return STATUS_USAGE;
        }
    }
    if (optind == argc)
        return (int)complain("which command?", "");
    return (int)run_command(&options, argc - optind, argv + optind);
}
