/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * interceptd: start-up order and exit. What follows is in control/: engine.c starts the parts,
 * control.c keeps them running. */
#include "control/captures.h"
#include "control/control.h"
#include "control/privileges.h"
#include "control/selfcheck.h"
#include "core/log.h"
#include "core/thread.h"
#include "core/version.h"

#include <getopt.h>
#include <string.h>
#include <sys/resource.h>

#define DEFAULT_CONFIG "/etc/interceptd.conf"
#define IGNORE_LIMIT 1024

struct arguments {
    struct reload_source source;
    const char *ignore[IGNORE_LIMIT];
    bool test, verbose;
};

static const char usage[] =
    "usage: interceptd [-c FILE] [-t] [-v] [--ignore REGEX]...\n"
    "\n"
    "  -c, --config FILE   the configuration (" DEFAULT_CONFIG ")\n"
    "  -t, --test          check the configuration and exit: 0 if it is good, 1 if not\n"
    "  -v, --verbose       a line for each connection\n"
    "      --ignore REGEX  never intercept destinations in whose host:port this is found\n"
    "  -V, --version       tell the version and exit\n"
    "  -h, --help          this\n";

/* False, with the exit status, if there is nothing more to do. */
static bool parse_arguments(struct arguments *arguments, int argc, char **argv, int *status)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"verbose", no_argument, NULL, 'v'},
        {"ignore", required_argument, NULL, 'i'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    *arguments = (struct arguments){.source.path = DEFAULT_CONFIG};
    arguments->source.ignore = arguments->ignore;
    *status = 0;
    while ((option = getopt_long(argc, argv, "c:tvVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->source.path = optarg;
            break;
        case 't':
            arguments->test = true;
            break;
        case 'v':
            arguments->verbose = true;
            break;
        case 'i':
            if (arguments->source.ignore_count == IGNORE_LIMIT) {
                fprintf(stderr, "interceptd: too many --ignore: put them into a file\n");
                *status = 2;
                return false;
            }
            arguments->ignore[arguments->source.ignore_count++] = optarg;
            break;
        case 'V':
            puts("interceptd " INTERCEPTD_VERSION);
            return false;
        case 'h':
            fputs(usage, stdout);
            return false;
        default:
            fputs(usage, stderr);
            *status = 2;
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "interceptd: unexpected argument %s\n%s", argv[optind], usage);
        *status = 2;
        return false;
    }
    return true;
}

/* What a connection needs most of is descriptors. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* What only starting would find otherwise. */
static int test(struct policy *policy)
{
    const struct config *config = policy_config(policy);
    bool good = engine_tls_check(&config->tls);
    if (good)
        printf("%s is good: %zu ignore patterns\n", config->path,
               patterns_count(policy_ignore(policy)));
    policy_unref(policy);
    return good ? 0 : 1;
}

static bool run(const struct arguments *arguments, struct policy *policy)
{
    const struct config *config = policy_config(policy);
    struct signer signer;
    int mirror = -1;
    control_block_signals();
    raise_descriptor_limit();
    if (!selfcheck() || !privileges_prepare(config) || !selfcheck_lock(config) ||
        !captures_open_mirror(config, &mirror) || !engine_start_signer(&signer, config)) {
        policy_unref(policy);
        return false;
    }
    thread_take_lead();
    if (!privileges_drop(config)) {
        signer_fini(&signer);
        policy_unref(policy);
        return false;
    }
    struct edits *edits = edits_new();
    struct engine *engine = engine_start(control_restore(policy, edits), &signer, mirror);
    thread_leave_lead();
    if (engine == NULL) {
        edits_free(edits);
        return false;
    }
    bool done = control_run(engine, &arguments->source, edits);
    engine_stop(engine, done);
    log_info("stopped");
    return done;
}

int main(int argc, char **argv)
{
    static struct arguments arguments;
    int status;
    if (!parse_arguments(&arguments, argc, argv, &status))
        return status;
    if (arguments.verbose)
        log_set_level(LOG_LEVEL_VERBOSE);
    bool use_cache = !arguments.test && selfcheck_privilege();
    struct policy *policy = reload_read(&arguments.source, 1, use_cache);
    if (policy == NULL)
        return 1;
    if (arguments.test)
        return test(policy);
    return run(&arguments, policy) ? 0 : 1;
}
