/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/stats.h"

#include "core/version.h"

#include <inttypes.h>
#include <unistd.h>

static void write_policy(struct jsonw *json, const struct policy *policy, const struct edits *edits)
{
    struct patterns_split split = patterns_split(policy_ignore(policy));
    jsonw_object(json, "policy");
    jsonw_string(json, "file", policy_config(policy)->path);
    jsonw_uint(json, "revision", policy_revision(policy));
    jsonw_uint(json, "ignore_patterns", patterns_count(policy_ignore(policy)));
    jsonw_uint(json, "by_hyperscan", split.hyperscan);
    jsonw_uint(json, "by_hyperscan_and_pcre2", split.confirmed);
    jsonw_uint(json, "by_pcre2", split.pcre2);
    jsonw_uint(json, "edits", edits->count);
    jsonw_object_end(json);
}

/* The kernel's own counts: columns 6 and 7 of its table. */
bool stats_queue_losses(const struct gate *gate, uint64_t *full, uint64_t *user)
{
    const unsigned queue = gate_queue_number(gate);
    unsigned number;
    bool found = false;
    FILE *table = gate_queue_kind(gate) != QUEUE_NONE
                      ? fopen("/proc/net/netfilter/nfnetlink_queue", "re")
                      : NULL;
    if (table == NULL)
        return false;
    while (!found && fscanf(table, "%u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %*u %*u", &number,
                            full, user) == 3)
        found = number == queue;
    fclose(table);
    return found;
}

static uint64_t queue_dropped(const struct gate *gate)
{
    uint64_t full, user;
    return stats_queue_losses(gate, &full, &user) ? full + user : 0;
}

static void write_gate(struct jsonw *json, const struct engine *engine)
{
    const struct gate_counters *counters = gate_counters(engine->gate);
    char lan[1024];
    gate_lan_text(engine->gate, lan, sizeof(lan));
    jsonw_object(json, "gate");
    jsonw_string(json, "lan", lan);
    jsonw_string(json, "queue", queue_kind_text(gate_queue_kind(engine->gate)));
    jsonw_uint(json, "packets", counter_read(&counters->packets));
    jsonw_uint(json, "passed", counter_read(&counters->passed));
    jsonw_uint(json, "taken", counter_read(&counters->taken));
    jsonw_uint(json, "unreadable", counter_read(&counters->unreadable));
    jsonw_uint(json, "dropped", queue_dropped(engine->gate));
    jsonw_uint(json, "kernel_rules_added", counter_read(&counters->remembered));
    jsonw_uint(json, "kernel_rules_refused", counter_read(&counters->forgotten));
    jsonw_object_end(json);
}

static void write_dns(struct jsonw *json, const struct engine *engine)
{
    const struct dns_watch_counters *counters = dns_watch_counters(engine->known->dns);
    jsonw_object(json, "dns");
    jsonw_bool(json, "watched", gate_watches_dns(engine->gate));
    jsonw_uint(json, "queries", counter_read(&counters->queries));
    jsonw_uint(json, "answers", counter_read(&counters->answers));
    jsonw_uint(json, "unasked", counter_read(&counters->unasked));
    jsonw_uint(json, "unreadable", counter_read(&counters->unreadable));
    jsonw_object_end(json);
}

static void write_connections(struct jsonw *json, const struct engine *engine)
{
    uint64_t accepted = 0, intercepted = 0, passed = 0, failed = 0, refused = 0;
    for (size_t i = 0; i < engine->worker_count; i++) {
        const struct pool_counters *counters = &engine->workers[i]->pool.counters;
        accepted += counter_read(&counters->accepted);
        intercepted += counter_read(&counters->intercepted);
        passed += counter_read(&counters->passed);
        failed += counter_read(&counters->failed);
        refused += counter_read(&counters->refused);
    }
    jsonw_object(json, "connections");
    jsonw_uint(json, "active", engine_active(engine));
    jsonw_uint(json, "accepted", accepted);
    jsonw_uint(json, "intercepted", intercepted);
    jsonw_uint(json, "passed", passed);
    jsonw_uint(json, "failed", failed);
    jsonw_uint(json, "refused", refused);
    jsonw_object_end(json);
}

static void write_ignored(struct jsonw *json, const struct engine *engine)
{
    const struct bypassed_counters *counters = bypassed_counters(engine->bypassed);
    jsonw_object(json, "ignored");
    jsonw_uint(json, "ended", counter_read(&counters->ended));
    jsonw_uint(json, "lost", counter_read(&counters->lost));
    jsonw_object_end(json);
}

static void write_leaves(struct jsonw *json, struct engine *engine)
{
    struct leaf_cache_numbers numbers = leaf_cache_numbers(engine->leaves);
    jsonw_object(json, "certificates");
    jsonw_uint(json, "kept", numbers.leaves);
    jsonw_uint(json, "reused", numbers.hits);
    jsonw_uint(json, "forged", numbers.misses);
    jsonw_object_end(json);
}

static void write_records(struct jsonw *json, const struct engine *engine)
{
    const struct recorder_counters *counters = recorder_counters(engine->recorder);
    jsonw_object(json, "records");
    jsonw_string(json, "file", policy_config(engine->policy)->events_file);
    jsonw_uint(json, "written", counter_read(&counters->written));
    jsonw_uint(json, "lost", counter_read(&counters->lost) + recorder_dropped(engine->recorder));
    jsonw_bool(json, "paused", recorder_fails(engine->recorder, OUTPUT_EVENTS));
    jsonw_object_end(json);
}

static void write_store(struct jsonw *json, const struct engine *engine)
{
    const struct store_counters *counters = recorder_store_counters(engine->recorder);
    jsonw_object(json, "store");
    jsonw_string(json, "file", policy_config(engine->policy)->store.file);
    jsonw_uint(json, "stored", counter_read(&counters->stored));
    jsonw_uint(json, "lost", counter_read(&counters->lost));
    jsonw_bool(json, "paused", atomic_load(&counters->paused));
    jsonw_object_end(json);
}

void stats_write(struct jsonw *json, const char *key, struct engine *engine,
                 const struct edits *edits, uint64_t uptime_ms)
{
    jsonw_object(json, key);
    jsonw_string(json, "version", INTERCEPTD_VERSION);
    jsonw_uint(json, "pid", (uint64_t)getpid());
    jsonw_uint(json, "uptime", uptime_ms / 1000);
    jsonw_uint(json, "workers", engine->worker_count);
    write_policy(json, engine->policy, edits);
    write_gate(json, engine);
    write_dns(json, engine);
    write_connections(json, engine);
    write_ignored(json, engine);
    write_leaves(json, engine);
    write_records(json, engine);
    write_store(json, engine);
    jsonw_object_end(json);
}
