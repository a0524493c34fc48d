/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What one decision costs, by the number of patterns: policy_decide() alone, a million times over
 * destinations of which one in a hundred is ignored. Target: 1 us each. */
#include "core/loop.h"
#include "policy/policy.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#define DECISIONS 1000000

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Addresses and names, as lists of things not to touch have them. */
static char *make_configuration(size_t patterns)
{
    size_t size = patterns * 96 + 64, length = 0;
    char *text = malloc(size);
    CHECK(text != NULL);
    length += (size_t)snprintf(text, size, "[ignore]\n");
    for (size_t i = 0; i < patterns; i++) {
        const char *format = i % 2 == 0 ? "pattern = ^10\\.%zu\\.%zu\\.0:443$\n"
                                        : "pattern = ^(.+\\.)?host%zu\\.example%zu\\.com:443$\n";
        length += (size_t)snprintf(text + length, size - length, format, i % 250, i / 250);
    }
    return text;
}

static struct policy_view *make_view(size_t patterns, double *compiling)
{
    struct report report = {0};
    char *text = make_configuration(patterns);
    double start = seconds();
    struct config *config = config_parse(text, strlen(text), "bench.conf", NULL, 0, &report);
    struct policy *policy = policy_new(config, 1, false, &report);
    CHECK(policy != NULL);
    *compiling = seconds() - start;
    struct policy_view *view = policy_view_new(policy, NULL);
    CHECK(view != NULL);
    policy_unref(policy);
    report_fini(&report);
    free(text);
    return view;
}

static void measure(size_t patterns)
{
    double compiling;
    struct policy_view *view = make_view(patterns, &compiling);
    struct flow flow = {.protocol = IPPROTO_TCP, .origin = {.family = AF_INET, .port = 443}};
    size_t ignored = 0;
    double start = seconds();
    for (uint32_t i = 0; i < DECISIONS; i++) {
        uint32_t address = i % 100 == 0 ? 0x0a000000 : 0xc0000000 + i;
        flow.origin.ip.v4.s_addr = htonl(address);
        ignored += policy_decide(view, &flow).verdict == VERDICT_PASS;
    }
    double elapsed = seconds() - start;
    printf("%6zu patterns: %6.3f s to compile, %6.3f us a decision, %zu of %d ignored\n", patterns,
           compiling, elapsed / DECISIONS * 1e6, ignored, DECISIONS);
    policy_view_free(view);
}

int main(void)
{
    static const size_t counts[] = {1, 100, 1000, 10000};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        measure(counts[i]);
    return 0;
}
