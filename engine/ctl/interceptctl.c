/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * interceptctl: the operator's tool. */
#include "core/log.h"
#include "core/version.h"
#include "ctl/completing.h"
#include "ctl/curl.h"
#include "ctl/explaining.h"
#include "ctl/following.h"
#include "ctl/har.h"
#include "ctl/importing.h"
#include "ctl/learned.h"
#include "ctl/lists.h"
#include "ctl/pcap.h"
#include "ctl/screen.h"
#include "ctl/settings.h"
#include "ctl/show.h"
#include "ctl/stored.h"

#include <getopt.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FILTER_SIZE 4096

static const char usage[] =
    "usage: interceptctl [OPTION]... [COMMAND]\n"
    "\n"
    "On a terminal and without a command: the connections as they come and go, and the patterns, "
    "to\n"
    "be changed where they are seen.\n"
    "\n"
    "  status                               how interceptd is\n"
    "  metrics                              the same in numbers, in Prometheus' text format\n"
    "  explain TARGET...                    what happens to host:port, and which pattern decides;\n"
    "                                       with -c by that configuration, without a running\n"
    "                                       interceptd; - reads targets from standard input\n"
    "  flows [-n NUMBER]                    connections that are open, the youngest first\n"
    "  flows --follow [FILTER]              what happens to connections, as it happens\n"
    "  flows FILTER                         what the store has, the youngest first; ~all is all\n"
    "  har [FILTER]                         requests in the store as an HTTP Archive (HAR 1.2)\n"
    "  curl ID                              a request in the store as a command of curl\n"
    "  cut                                  ends those that are decided otherwise by now\n"
    "  devices                              who is there, and whether it is intercepted\n"
    "  ignored [flush]                      destinations that the kernel lets pass by itself;\n"
    "                                       or forget them: each is decided anew\n"
    "  learned [list]                       where devices refuse our certificate: pinned apps\n"
    "  learned forget ID|all | keep ID      decide anew from now on; let it pass for good\n"
    "  pcap [list]                          what is captured: decrypted, as packets\n"
    "  pcap start FILE [FILTER] | stop [FILE]\n"
    "                                       captures into a file; ends that, or all of them\n"
    "  import FILE [OPTION]                 the ignore_hosts of mitmproxy's config.yaml, as a "
    "list\n"
    "\n"
    "At run time, in force from the next connection on:\n"
    "\n"
    "  ignore list | add PATTERN | del ID|PATTERN | replace ID PATTERN | edit | test TARGET...\n"
    "  allow ...                            the same for what alone is intercepted\n"
    "  tcp ...                              the same for what is not interpreted\n"
    "  device list | show DEVICE | name DEVICE NAME | set DEVICE KEY=VALUE...\n"
    "  get [KEY]                            settings, and where they are from\n"
    "  set KEY VALUE                        change one\n"
    "  unset KEY                            as the configuration has it\n"
    "  undo [REVISION]                      take the last change back, or that of a revision\n"
    "  reload                               read the configuration again\n"
    "  log-level [LEVEL]                    error, warning, info or verbose\n"
    "  command-list [WORD]                  the daemon's commands; what may stand for a WORD\n"
    "\n"
    "  -j, --json          one JSON document instead of text for people\n"
    "  -s, --socket PATH   the control socket (/run/interceptd/control.sock)\n"
    "  -t, --timeout N     seconds to wait for an answer\n"
    "  -c, --config FILE   explain by this configuration\n"
    "  -d, --device DEVICE for one device: its name, or its MAC or IP address\n"
    "      --store FILE    read this store, also without a running interceptd\n"
    "      --name NAME     a name of the target; may be given many times\n"
    "      --for TIME      the change expires by itself: 30s, 10m, 1h, 7d\n"
    "      --note TEXT     why it is made\n"
    "      --persist       it survives a restart\n"
    "      --cut           end connections that are decided otherwise by now\n"
    "      --if-rev N      only if this revision of the policy is in force\n"
    "  -f, --follow        for flows\n"
    "  -n, --limit N       list so many at most (1000)\n"
    "  -V, --version       tell the version and exit\n"
    "  -h, --help          this\n"
    "\n"
    "exit status: 0 done, 1 refused or failed, 2 usage, 3 not running, 4 no permission, 5 "
    "timeout,\n6 the policy's revision is another one\n";

/* ---- commands ---- */

static enum status run_status(const struct options *options, int count, char **arguments)
{
    return count > 0 ? options_complain("unexpected argument ", arguments[0])
                     : options_show(options, "status", NULL, show_status);
}

static void print_metrics(const json_t *data)
{
    fputs(json_string_value(json_object_get(data, "text")), stdout);
}

static enum status run_metrics(const struct options *options, int count, char **arguments)
{
    return count > 0 ? options_complain("unexpected argument ", arguments[0])
                     : options_show(options, "metrics", NULL, print_metrics);
}

static enum status run_devices(const struct options *options, int count, char **arguments)
{
    return count > 0 ? options_complain("unexpected argument ", arguments[0])
                     : options_show(options, "devices", NULL, show_devices);
}

static void print_flushed(const json_t *data)
{
    (void)data;
    puts("the kernel's rules are forgotten: each destination is decided anew");
}

static enum status run_ignored(const struct options *options, int count, char **arguments)
{
    if (count == 1 && strcmp(arguments[0], "flush") == 0)
        return options_show(options, "ignored.flush", NULL, print_flushed);
    return count > 0 ? options_complain("unexpected argument ", arguments[0])
                     : options_show(options, "ignored", NULL, show_ignored);
}

/* The words of a filter need no quotes around all of them. */
static bool join_words(int count, char **words, char filter[static FILTER_SIZE])
{
    size_t length = 0;
    filter[0] = '\0';
    for (int i = 0; i < count && length < FILTER_SIZE; i++)
        length += (size_t)snprintf(filter + length, FILTER_SIZE - length, "%s%s", i > 0 ? " " : "",
                                   words[i]);
    return length < FILTER_SIZE;
}

static enum status run_flows(const struct options *options, int count, char **arguments)
{
    char filter[FILTER_SIZE];
    if (!join_words(count, arguments, filter))
        return options_complain("a filter that is too long", "");
    if (options->follow)
        return following(options, filter);
    if (count > 0)
        return stored_flows(options, filter);
    return options_show(options, "flows",
                        options->limit > 0 ? json_pack("{s:I}", "limit", options->limit) : NULL,
                        show_flows);
}

static enum status run_har(const struct options *options, int count, char **arguments)
{
    char filter[FILTER_SIZE];
    if (!join_words(count, arguments, filter))
        return options_complain("a filter that is too long", "");
    return har_print(options, filter);
}

static enum status run_curl(const struct options *options, int count, char **arguments)
{
    if (count != 1)
        return options_complain("curl needs the ID of one request, from flows FILTER", "");
    return curl_print(options, arguments[0]);
}

static enum status run_cut(const struct options *options, int count, char **arguments)
{
    return count > 0 ? options_complain("unexpected argument ", arguments[0])
                     : options_show(options, "cut", NULL, show_cuts);
}

static enum status run_reload(const struct options *options, int count, char **arguments)
{
    return count > 0 ? options_complain("unexpected argument ", arguments[0])
                     : options_change(options, "reload", NULL);
}

static enum status run_undo(const struct options *options, int count, char **arguments)
{
    char *end = NULL;
    long long revision = count > 0 ? strtoll(arguments[0], &end, 10) : 0;
    if (count > 1 || (count == 1 && (*end != '\0' || revision <= 0)))
        return options_complain("expected the revision of a change", "");
    return options_change(options, "undo", json_pack("{s:I}", "rev", (json_int_t)revision));
}

static enum status run_explain(const struct options *options, int count, char **arguments)
{
    if (count == 0)
        return options_complain("explain needs a TARGET, such as 192.0.2.1:443", "");
    return explaining(options, count, arguments);
}

static enum status run_import(const struct options *options, int count, char **arguments)
{
    (void)options;
    if (count == 0)
        return options_complain("import needs a FILE, such as ~/.mitmproxy/config.yaml", "");
    if (count > 2)
        return options_complain("unexpected argument ", arguments[2]);
    return importing(arguments[0], count == 2 ? arguments[1] : "ignore_hosts");
}

static enum status run_learned(const struct options *options, int count, char **arguments)
{
    return learned_command(options, count, arguments);
}

static enum status run_pcap(const struct options *options, int count, char **arguments)
{
    return pcap_command(options, count, arguments);
}

static enum status run_ignore(const struct options *options, int count, char **arguments)
{
    return lists_run(options, "ignore", count, arguments);
}

static enum status run_allow(const struct options *options, int count, char **arguments)
{
    return lists_run(options, "allow", count, arguments);
}

static enum status run_tcp(const struct options *options, int count, char **arguments)
{
    return lists_run(options, "tcp", count, arguments);
}

static const struct {
    const char *name;
    enum status (*run)(const struct options *options, int count, char **arguments);
} commands[] = {
    {"status", run_status},
    {"metrics", run_metrics},
    {"explain", run_explain},
    {"flows", run_flows},
    {"har", run_har},
    {"curl", run_curl},
    {"cut", run_cut},
    {"devices", run_devices},
    {"ignored", run_ignored},
    {"learned", run_learned},
    {"pcap", run_pcap},
    {"import", run_import},
    {"ignore", run_ignore},
    {"allow", run_allow},
    {"tcp", run_tcp},
    {"device", settings_device},
    {"get", settings_get},
    {"set", settings_set},
    {"unset", settings_unset},
    {"undo", run_undo},
    {"reload", run_reload},
    {"log-level", settings_log_level},
    {"command-list", completing},
};

static enum status run_command(const struct options *options, int count, char **arguments)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, arguments[0]) == 0)
            return commands[i].run(options, count - 1, arguments + 1);
    return options_complain("unknown command ", arguments[0]);
}

/* ---- the command line ---- */

enum {
    OPTION_NAME = 256,
    OPTION_FOR,
    OPTION_NOTE,
    OPTION_PERSIST,
    OPTION_CUT,
    OPTION_IF_REV,
    OPTION_STORE
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"cut", no_argument, NULL, OPTION_CUT},
    {"device", required_argument, NULL, 'd'},
    {"follow", no_argument, NULL, 'f'},
    {"for", required_argument, NULL, OPTION_FOR},
    {"help", no_argument, NULL, 'h'},
    {"if-rev", required_argument, NULL, OPTION_IF_REV},
    {"json", no_argument, NULL, 'j'},
    {"limit", required_argument, NULL, 'n'},
    {"name", required_argument, NULL, OPTION_NAME},
    {"note", required_argument, NULL, OPTION_NOTE},
    {"persist", no_argument, NULL, OPTION_PERSIST},
    {"socket", required_argument, NULL, 's'},
    {"store", required_argument, NULL, OPTION_STORE},
    {"timeout", required_argument, NULL, 't'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* A whole number; -1 if it is none, or not within the limits. */
static json_int_t number_of(const char *text, json_int_t first, json_int_t last)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    return end != text && *end == '\0' && number >= first && number <= last ? number : -1;
}

static enum status take_number(struct options *options, int option, const char *text)
{
    switch (option) {
    case 't':
        options->client.timeout = (unsigned)number_of(text, 1, 3600);
        if (options->client.timeout == (unsigned)-1)
            return options_complain("a timeout is 1 to 3600 seconds, not ", text);
        break;
    case 'n':
        options->limit = number_of(text, 1, 10000);
        if (options->limit < 0)
            return options_complain("a limit is 1 to 10000, not ", text);
        break;
    default:
        options->revision = number_of(text, 0, INT64_MAX);
        if (options->revision < 0)
            return options_complain("a revision is a number, not ", text);
    }
    return STATUS_DONE;
}

static enum status take_option(struct options *options, int option, const char *text)
{
    switch (option) {
    case 'c':
        options->config = text;
        break;
    case 'd':
        options->device = text;
        break;
    case 'f':
        options->follow = true;
        break;
    case 'j':
        options->json = true;
        break;
    case 's':
        options->client.socket_path = text;
        break;
    case OPTION_STORE:
        options->store = text;
        break;
    case OPTION_FOR:
        options->time = text;
        break;
    case OPTION_NOTE:
        options->note = text;
        break;
    case OPTION_PERSIST:
        options->persist = true;
        break;
    case OPTION_CUT:
        options->cut = true;
        break;
    case OPTION_NAME:
        if (options->name_count == ASKED_NAMES_LIMIT)
            return options_complain("more than 16 names", "");
        options->names[options->name_count++] = text;
        break;
    default:
        return take_number(options, option, text);
    }
    return STATUS_DONE;
}

int main(int argc, char **argv)
{
    struct options options = {.client = {.socket_path = OPTIONS_SOCKET}, .revision = -1};
    int option;
    log_set_level(LOG_LEVEL_WARNING);
    /* GNU getopt moves options in front: they may stand before the command and behind it. */
    while ((option = getopt_long(argc, argv, "c:d:fjn:s:t:Vh", long_options, NULL)) != -1) {
        switch (option) {
        case 'V':
            puts("interceptctl " INTERCEPTD_VERSION);
            return STATUS_DONE;
        case 'h':
            fputs(usage, stdout);
            return STATUS_DONE;
        case '?':
            fputs(usage, stderr);
            return STATUS_USAGE;
        default:
            if (take_option(&options, option, optarg) != STATUS_DONE)
                return STATUS_USAGE;
        }
    }
    if (optind < argc)
        return (int)run_command(&options, argc - optind, argv + optind);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        return (int)screen_run(&options.client);
    fputs(usage, stderr);
    return STATUS_USAGE;
}
