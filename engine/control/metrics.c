/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/metrics.h"

#include "control/stats.h"
#include "core/version.h"

#include <inttypes.h>
#include <stddef.h>
#include <time.h>

/* ---- the format ---- */

static void family(FILE *page, const char *name, const char *type, const char *help)
{
    fprintf(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(FILE *page, const char *name, const char *type, const char *help, uint64_t value)
{
    family(page, name, type, help);
    fprintf(page, "%s %" PRIu64 "\n", name, value);
}

/* Labels of which neither a name nor a value has anything to be escaped. */
static void one_label(FILE *page, const char *name, const char *label, const char *word,
                      uint64_t value)
{
    fprintf(page, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, word, value);
}

static void two_labels(FILE *page, const char *name, const char *labels[2], const char *words[2],
                       uint64_t value)
{
    fprintf(page, "%s{%s=\"%s\",%s=\"%s\"} %" PRIu64 "\n", name, labels[0], words[0], labels[1],
            words[1], value);
}

/* ---- over all workers ---- */

/* Of a counter that stands at this place in each one's pool. */
static uint64_t sum(const struct engine *engine, size_t place)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < engine->worker_count; i++)
        sum +=
            counter_read((const struct counter *)((const char *)&engine->workers[i]->pool + place));
    return sum;
}
#define SUM(engine, member) sum(engine, offsetof(struct pool, member))
/* Of item `index` of an array of counters. */
#define SUM_AT(engine, member, index) \
    sum(engine, offsetof(struct pool, member) + (index) * sizeof(struct counter))

/* `place` is the histogram's. Buckets of the format contain those before them. */
static void write_histogram(FILE *page, const struct engine *engine, const char *name,
                            const char *labels, size_t place)
{
    uint64_t count = 0;
    const char *comma = labels[0] != '\0' ? "," : "";
    const char *open = labels[0] != '\0' ? "{" : "", *close = labels[0] != '\0' ? "}" : "";
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count +=
            sum(engine, place + offsetof(struct histogram, buckets) + i * sizeof(struct counter));
        fprintf(page, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, labels, comma,
                (double)histogram_bound(i) / 1000, count);
    }
    count += sum(engine, place + offsetof(struct histogram, buckets) +
                             HISTOGRAM_BOUNDS * sizeof(struct counter));
    fprintf(page, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, count);
    fprintf(page, "%s_sum%s%s%s %g\n", name, open, labels, close,
            (double)sum(engine, place + offsetof(struct histogram, sum)) / 1000);
    fprintf(page, "%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, count);
}

/* ---- what there is ---- */

static void write_process(FILE *page, const struct engine *engine, uint64_t uptime_ms)
{
    family(page, "interceptd_build_info", "gauge", "Always 1; the label tells the version.");
    one_label(page, "interceptd_build_info", "version", INTERCEPTD_VERSION, 1);
    single(page, "interceptd_start_time_seconds", "gauge",
           "When interceptd was started, in seconds since 1970.",
           (uint64_t)time(NULL) - uptime_ms / 1000);
    single(page, "interceptd_policy_revision", "gauge", "Of the policy in force.",
           policy_revision(engine->policy));
    single(page, "interceptd_patterns", "gauge", "Patterns that are ignored, in force.",
           patterns_count(policy_ignore(engine->policy)));
}

static void write_connections(FILE *page, const struct engine *engine)
{
    static const char *labels[2] = {"action", "reason"};
    const struct bypassed_counters *bypassed = bypassed_counters(engine->bypassed);
    const char *name = "interceptd_connections_total";
    family(page, name, "counter",
           "Connections that have ended, by what was done with them, and why.");
    for (enum reason reason = 0; reason < REASONS; reason++) {
        const char *word = reason_name(reason);
        two_labels(page, name, labels, (const char *[]){"intercept", word},
                   SUM_AT(engine, tally.intercepted, reason));
        two_labels(page, name, labels, (const char *[]){"passthrough", word},
                   SUM_AT(engine, tally.passed, reason));
        two_labels(page, name, labels, (const char *[]){"bypass", word},
                   counter_read(&bypassed->reasons[reason]));
    }
    two_labels(page, name, labels, (const char *[]){"none", "undecided"},
               SUM(engine, tally.undecided));
    two_labels(page, name, labels, (const char *[]){"bypass", "unrecorded"},
               counter_read(&bypassed->lost));
    single(page, "interceptd_connections_active", "gauge",
           "Connections that interceptd carries now.", engine_active(engine));
    single(page, "interceptd_connections_refused_total", "counter",
           "Connections that were turned away for lack of room.", SUM(engine, counters.refused));
    name = "interceptd_endings_total";
    family(page, name, "counter", "How connections that interceptd carried have ended.");
    for (enum ending ending = ENDING_CLOSED; ending < ENDING_COUNT; ending++)
        one_label(page, name, "ending", ending_name(ending), SUM_AT(engine, tally.ended, ending));
    name = "interceptd_bytes_total";
    family(page, name, "counter", "Payload of connections that have ended, on the devices' side.");
    two_labels(page, name, (const char *[]){"side", "direction"},
               (const char *[]){"device", "to_server"}, SUM(engine, tally.bytes_to_server));
    two_labels(page, name, (const char *[]){"side", "direction"},
               (const char *[]){"device", "to_client"}, SUM(engine, tally.bytes_to_client));
}

static const char *const sides[TALLY_SIDES] = {
    [TALLY_DEVICE] = "device", [TALLY_ORIGIN] = "origin"};

/* Of 256 alerts those that there were. */
static void write_failures(FILE *page, const struct engine *engine)
{
    static const char *labels[2] = {"side", "alert"};
    const char *name = "interceptd_handshake_failures_total";
    family(page, name, "counter",
           "TLS handshakes that failed, by the side that was to blame and the alert it sent.");
    for (size_t side = 0; side < TALLY_SIDES; side++)
        for (size_t alert = 0; alert < TALLY_ALERTS; alert++) {
            uint64_t count = SUM_AT(engine, tally.failed, side * TALLY_ALERTS + alert);
            const char *word =
                alert == TALLY_NO_ALERT ? "none" : SSL_alert_desc_string_long((int)alert);
            if (count > 0 || alert == TALLY_NO_ALERT)
                two_labels(page, name, labels, (const char *[]){sides[side], word}, count);
        }
}

static void write_tls(FILE *page, const struct engine *engine)
{
    const char *name = "interceptd_handshake_seconds";
    family(page, name, "histogram", "How long TLS handshakes took that succeeded.");
    write_histogram(page, engine, name, "side=\"device\"",
                    offsetof(struct pool, tally.handshakes[TALLY_DEVICE]));
    write_histogram(page, engine, name, "side=\"origin\"",
                    offsetof(struct pool, tally.handshakes[TALLY_ORIGIN]));
    write_failures(page, engine);
    name = "interceptd_forge_seconds";
    family(page, name, "histogram", "How long connections waited for a new certificate.");
    write_histogram(page, engine, name, "", offsetof(struct pool, tally.forging));
    struct leaf_cache_numbers numbers = leaf_cache_numbers(engine->leaves);
    single(page, "interceptd_leaf_cache_hits_total", "counter",
           "Connections whose certificate had been forged before.", numbers.hits);
    single(page, "interceptd_leaf_cache_misses_total", "counter",
           "Connections that needed a new certificate.", numbers.misses);
    single(page, "interceptd_leaf_cache_size", "gauge", "Forged certificates that are kept.",
           numbers.leaves);
}

static void write_queue(FILE *page, const struct engine *engine)
{
    const char *name = "interceptd_nfqueue_packets_total";
    uint64_t full, user;
    char queue[8];
    if (gate_queue_kind(engine->gate) == QUEUE_NONE)
        return;
    snprintf(queue, sizeof(queue), "%u", (unsigned)gate_queue_number(engine->gate));
    family(page, name, "counter", "Packets that waited in the queue for a decision.");
    one_label(page, name, "queue", queue, counter_read(&gate_counters(engine->gate)->packets));
    if (!stats_queue_losses(engine->gate, &full, &user))
        return;
    name = "interceptd_nfqueue_dropped_total";
    family(page, name, "counter", "Packets that found the queue full.");
    one_label(page, name, "queue", queue, full);
    name = "interceptd_nfqueue_user_dropped_total";
    family(page, name, "counter", "Packets that could not be handed over to interceptd.");
    one_label(page, name, "queue", queue, user);
}

static void write_gate(FILE *page, const struct engine *engine)
{
    const struct gate_counters *counters = gate_counters(engine->gate);
    const char *name = "interceptd_decisions_total";
    family(page, name, "counter", "New connections that were decided with their first packet.");
    one_label(page, name, "verdict", "pass", counter_read(&counters->passed));
    one_label(page, name, "verdict", "take", counter_read(&counters->taken));
    one_label(page, name, "verdict", "unreadable", counter_read(&counters->unreadable));
    name = "interceptd_kernel_rules_total";
    family(page, name, "counter", "Decisions that the kernel was taught, or had no room for.");
    one_label(page, name, "result", "added", counter_read(&counters->remembered));
    one_label(page, name, "result", "refused", counter_read(&counters->forgotten));
}

static void write_dns(FILE *page, const struct engine *engine)
{
    const struct dns_watch_counters *counters = dns_watch_counters(engine->known->dns);
    const char *name = "interceptd_dns_messages_total";
    family(page, name, "counter", "Messages between devices and resolvers that were read.");
    one_label(page, name, "kind", "query", counter_read(&counters->queries));
    one_label(page, name, "kind", "answer", counter_read(&counters->answers));
    one_label(page, name, "kind", "unasked", counter_read(&counters->unasked));
    one_label(page, name, "kind", "unreadable", counter_read(&counters->unreadable));
}

static void write_records(FILE *page, const struct engine *engine)
{
    const struct recorder_counters *counters = recorder_counters(engine->recorder);
    const struct config *config = policy_config(engine->policy);
    const char *name = "interceptd_events_dropped_total";
    single(page, "interceptd_events_written_total", "counter",
           "Lines of records, keys and log that were written.", counter_read(&counters->written));
    family(page, name, "counter",
           "Lines that were lost: the disk took none, or they came faster than it.");
    one_label(page, name, "class", "disk", counter_read(&counters->lost));
    one_label(page, name, "class", "overflow", recorder_dropped(engine->recorder));
    name = "interceptd_sink_up";
    family(page, name, "gauge", "Whether a file takes what is written to it.");
    if (config->events_file != NULL)
        one_label(page, name, "sink", "events", !recorder_fails(engine->recorder, OUTPUT_EVENTS));
    if (config->tls.keylog != NULL)
        one_label(page, name, "sink", "keylog", !recorder_fails(engine->recorder, OUTPUT_KEYLOG));
}

char *metrics_page(struct engine *engine, uint64_t uptime_ms)
{
    char *text = NULL;
    size_t length;
    FILE *page = open_memstream(&text, &length);
    CHECK(page != NULL);
    write_process(page, engine, uptime_ms);
    write_connections(page, engine);
    write_tls(page, engine);
    write_queue(page, engine);
    write_gate(page, engine);
    write_dns(page, engine);
    write_records(page, engine);
    CHECK(fclose(page) == 0 && text != NULL);
    return text;
}
