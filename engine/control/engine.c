/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/engine.h"

#include "control/captures.h"
#include "control/learning.h"
#include "core/log.h"
#include "policy/device.h"
#include "tls/authority.h"
#include "tls/constraints.h"

#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Forged certificates that are kept; each takes some 3 KB. */
#define LEAVES_LIMIT 4096
/* Descriptors that are not connections': netlink, logs, pipes, the control sockets' clients. */
#define DESCRIPTORS_APART ((size_t)160)

struct engine_change {
    struct policy *policy;
    void *admission;
    struct exclusions *exclusions;
    struct policy_view *bypassed;
    struct engine *engine; /* from here on: once it is applied */
    struct mailbox *mailbox;
    void (*done)(void *context);
    void *context;
    bool reopen;    /* the records' files, too */
    size_t awaited; /* workers that do not have it yet */
    size_t worker_count;
    struct pool_policy *workers[];
};

/* ---- what a policy needs ---- */

void engine_discard(struct engine_change *change)
{
    for (size_t i = 0; i < change->worker_count; i++)
        pool_policy_unref(change->workers[i]);
    if (change->admission != NULL)
        admission_judge.release(change->admission);
    free(change->exclusions);
    policy_view_free(change->bypassed);
    policy_unref(change->policy);
    free(change);
}

/* TLS is as it was where `tls` is NULL. */
static bool fill_change(struct engine_change *change, struct engine *engine, struct engine_tls *tls)
{
    struct policy *policy = change->policy;
    if (!policy_grow_scratch(policy, &engine->model))
        return false;
    for (size_t i = 0; i < change->worker_count; i++) {
        struct policy_view *view = policy_view_like(policy, engine->known, engine->model);
        if (view == NULL)
            return false;
        change->workers[i] = pool_policy_new(view, tls != NULL ? tls->workers[i] : NULL);
        if (tls != NULL)
            tls->workers[i] = NULL;
    }
    struct policy_view *view = policy_view_like(policy, engine->known, engine->model);
    if (view == NULL)
        return false;
    change->admission = admission_new(view, engine->gate_feed, &engine->state);
    change->exclusions = device_exclusions(policy_config(policy));
    change->bypassed = policy_view_like(policy, engine->known, engine->model);
    return change->bypassed != NULL;
}

struct engine_tls *engine_load(const struct engine *engine, const struct policy *policy)
{
    return engine_tls_new(&policy_config(policy)->tls, engine->leaf_maker.authority,
                          engine->worker_feeds, engine->worker_count);
}

struct engine_change *engine_prepare(struct engine *engine, struct policy *policy,
                                     struct engine_tls *tls)
{
    size_t size =
        sizeof(struct engine_change) + engine->worker_count * sizeof(struct pool_policy *);
    struct engine_change *change = calloc(1, size);
    CHECK(change != NULL);
    change->policy = policy;
    change->reopen = tls != NULL;
    change->worker_count = engine->worker_count;
    bool done = fill_change(change, engine, tls);
    engine_tls_free(tls);
    if (done)
        return change;
    log_error("there is not enough memory for the policy");
    engine_discard(change);
    return NULL;
}

static void set_policy(struct engine *engine, struct policy *policy)
{
    policy_unref(engine->policy);
    engine->policy = policy;
}

/* ---- putting it in force ----
 *
 * The workers first and the gate last: when the gate flushes what the kernel has remembered, nobody
 * is left who could teach it by the old policy. Each step is taken in the thread that applies. */

/* What a device resolves comes to be known from now on, or does not. */
static void note_dns(struct engine *engine)
{
    atomic_store(&engine->known->watches_dns, gate_watches_dns(engine->gate));
}

static void all_have_it(void *context)
{
    struct engine_change *change = context;
    set_policy(change->engine, change->policy);
    note_dns(change->engine);
    if (change->reopen) {
        captures_configure(change->engine, policy_config(change->policy));
        engine_reopen(change->engine);
    }
    change->done(change->context);
    free(change);
}

static void gate_has_it(void *context)
{
    struct engine_change *change = context;
    const struct engine *engine = change->engine;
    bypassed_reload(engine->bypassed, change->bypassed, gate_in_force_since(engine->gate));
    mailbox_call(change->mailbox, all_have_it, change);
}

static void count_worker(void *context)
{
    struct engine_change *change = context;
    if (--change->awaited > 0)
        return;
    gate_reload(change->engine->gate, change->admission, change->exclusions,
                policy_watches_dns(policy_config(change->policy)));
    gate_ping(change->engine->gate, gate_has_it, change);
}

static void worker_has_it(void *context)
{
    struct engine_change *change = context;
    mailbox_call(change->mailbox, count_worker, change);
}

void engine_apply(struct engine *engine, struct engine_change *change, struct mailbox *mailbox,
                  void (*done)(void *context), void *context)
{
    change->engine = engine;
    change->mailbox = mailbox;
    change->done = done;
    change->context = context;
    change->awaited = change->worker_count;
    for (size_t i = 0; i < change->worker_count; i++) {
        worker_reload(engine->workers[i], change->workers[i]);
        worker_ping(engine->workers[i], worker_has_it, change);
    }
}

/* ---- starting ---- */

static struct recorder_paths record_paths(const struct config *config)
{
    return (struct recorder_paths){
        .events = config->events_file,
        .keylog = config->tls.keylog,
        .store = {config->store.file, config->store.keep, config->store.size},
        .rotation = {.size = config->rotate_size, .keep = config->rotate_keep},
    };
}

static size_t count_workers(const struct network_config *network)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (network->workers > 0)
        return network->workers;
    return cores > 0 ? (size_t)cores : 1;
}

static NAME_CONSTRAINTS *name_constraints(const struct config *config)
{
    const struct words *domains = &config->tls.name_constraints;
    return constraints_new(domains->items, domains->count);
}

bool engine_start_signer(struct signer *signer, const struct config *config)
{
    char path[PATH_MAX];
    NAME_CONSTRAINTS *constraints = name_constraints(config);
    struct signer_options options = {.path = config->tls.ca,
                                     .constraints = constraints,
                                     .channel_count = count_workers(&config->network)};
    bool done = signer_start(signer, &options);
    NAME_CONSTRAINTS_free(constraints);
    if (!done) {
        signer_fini(signer);
        return false;
    }
    if (signer->made) {
        authority_certificate_path(config->tls.ca, path, sizeof(path));
        log_info("made a new CA; install its certificate on the devices: %s", path);
    }
    return true;
}

static bool open_leaves(struct engine *engine, const struct config *config)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/leaf-keys.pem", config->state_directory);
    STACK_OF(X509) *certificates = X509_chain_up_ref(engine->signer.certificates);
    CHECK(certificates != NULL);
    if (!leaf_maker_init(&engine->leaf_maker, certificates, name_constraints(config), path))
        return false;
    engine->leaves = leaf_cache_new(LEAVES_LIMIT);
    return engine->leaves != NULL;
}

static bool open_records(struct engine *engine, const struct config *config)
{
    struct recorder_paths paths = record_paths(config);
    engine->recorder = recorder_start(&paths, engine->worker_count + 3);
    if (engine->recorder == NULL)
        return false;
    engine->gate_feed = recorder_feed(engine->recorder);
    engine->bypassed_feed = recorder_feed(engine->recorder);
    engine->control_feed = recorder_feed(engine->recorder);
    for (size_t i = 0; i < engine->worker_count; i++)
        engine->worker_feeds[i] = recorder_feed(engine->recorder);
    return true;
}

static void set_ports(uint8_t *ports, const struct network_config *network)
{
    for (size_t i = 0; i < network->port_count; i++)
        for (uint32_t port = network->ports[i].first; port <= network->ports[i].last; port++)
            ports[port >> 3] |= (uint8_t)(1u << (port & 7));
}

static bool open_gate(struct engine *engine, const struct config *config, void *admission,
                      struct exclusions *exclusions)
{
    const struct network_config *network = &config->network;
    uint8_t ports[8192] = {0};
    set_ports(ports, network);
    struct gate_options options = {
        .marks = marks_choose(network->mark, network->mark_mask),
        .listen_port = (uint16_t)network->listen_port,
        .use_queue = network->use_queue,
        .queue = (uint16_t)network->queue,
        .fail_closed = network->fail_closed,
        .source_device = network->source_device,
        .external_ruleset = network->external_ruleset,
        .pass_quic = network->quic == QUIC_PASS,
        .watch_dns = policy_watches_dns(config),
        .pass_timeout = network->pass_timeout,
        .route_table = network->route_table,
        .ports = ports,
        .lan = network->lan.items,
        .lan_count = network->lan.count,
        .exclusions = exclusions,
        .judge = admission_judge,
        .log = recorder_log_sink,
        .log_context = engine->gate_feed,
    };
    engine->gate = gate_open(&options, admission);
    return engine->gate != NULL;
}

/* Before the ruleset: what it lets pass is counted from the first on. */
static bool open_bypassed(struct engine *engine, const struct network_config *network,
                          struct policy_view *view)
{
    uint8_t ports[8192] = {0};
    set_ports(ports, network);
    struct bypassed_options options = {
        .marks = marks_choose(network->mark, network->mark_mask),
        .ports = ports,
        .feed = engine->bypassed_feed,
    };
    engine->bypassed = bypassed_open(&options, view);
    return engine->bypassed != NULL && bypassed_start(engine->bypassed);
}

/* Two descriptors a connection. */
static size_t conn_limit(const struct engine *engine)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 2 * (rlim_t)UINT32_MAX)
        return UINT32_MAX;
    size_t descriptors = (size_t)limit.rlim_cur;
    size_t share =
        descriptors > 2 * DESCRIPTORS_APART ? descriptors - DESCRIPTORS_APART : descriptors / 2;
    size_t conns = share / 2 / engine->worker_count;
    return conns > 0 ? conns : 1;
}

static bool open_workers(struct engine *engine, const struct network_config *network,
                         struct pool_policy *const *policies)
{
    struct pool_options options = {
        .source_device = network->source_device,
        .conn_limit = conn_limit(engine),
        .leaves = engine->leaves,
        .maker = &engine->leaf_maker,
        .ca_digest = engine->signer.digest,
        .gate = engine->gate,
        .state = &engine->state,
    };
    for (size_t i = 0; i < engine->worker_count; i++) {
        options.feed = engine->worker_feeds[i];
        options.packets = capture_feed(engine->capture);
        options.signing_channel = engine->signer.channels[i];
        engine->workers[i] = worker_open((uint16_t)network->listen_port, &options, policies[i]);
        if (engine->workers[i] == NULL)
            return false;
    }
    return true;
}

/* The ruleset decides how the queue is reached, and whether the workers have to teach the kernel.
 */
static bool start_threads(struct engine *engine)
{
    if (!gate_start(engine->gate))
        return false;
    bool teach = gate_queue_kind(engine->gate) == QUEUE_NONE;
    note_dns(engine);
    for (size_t i = 0; i < engine->worker_count; i++) {
        engine->workers[i]->pool.options.teach_kernel = teach;
        if (!worker_start(engine->workers[i]))
            return false;
    }
    return true;
}

/* Shares a prepared policy out among the parts that are opened with it. */
static bool open_parts(struct engine *engine, struct engine_change *change)
{
    const struct config *config = policy_config(change->policy);
    void *admission = change->admission;
    struct exclusions *exclusions = change->exclusions;
    change->admission = NULL;
    change->exclusions = NULL;
    if (!open_gate(engine, config, admission, exclusions) ||
        !open_workers(engine, &config->network, change->workers))
        return false;
    struct policy_view *view = change->bypassed;
    change->bypassed = NULL;
    return open_bypassed(engine, &config->network, view) && start_threads(engine);
}

static bool start(struct engine *engine, struct policy *policy)
{
    const struct config *config = policy_config(policy);
    engine->state.fail_closed = config->network.fail_closed;
    learning_load(engine->known, config);
    if (!open_leaves(engine, config) || !open_records(engine, config) ||
        !captures_open(engine, config)) {
        policy_unref(policy);
        return false;
    }
    struct engine_tls *tls = engine_load(engine, policy);
    if (tls == NULL) {
        policy_unref(policy);
        return false;
    }
    struct engine_change *change = engine_prepare(engine, policy, tls);
    if (change == NULL)
        return false;
    bool done = open_parts(engine, change);
    /* Workers that were opened have taken theirs over. */
    for (size_t i = 0; i < engine->worker_count && engine->workers[i] != NULL; i++)
        change->workers[i] = NULL;
    if (done) {
        set_policy(engine, change->policy);
        change->policy = NULL;
    }
    engine_discard(change);
    return done;
}

struct engine *engine_start(struct policy *policy, struct signer *signer, int mirror_socket)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    CHECK(engine != NULL);
    engine->mirror_socket = mirror_socket;
    engine->signer = *signer;
    *signer = (struct signer){0};
    engine->worker_count = engine->signer.channel_count;
    engine->workers = calloc(engine->worker_count, sizeof(*engine->workers));
    engine->worker_feeds = calloc(engine->worker_count, sizeof(*engine->worker_feeds));
    engine->known = known_new();
    CHECK(engine->workers != NULL && engine->worker_feeds != NULL && engine->known != NULL);
    if (start(engine, policy))
        return engine;
    engine_stop(engine, false);
    return NULL;
}

/* ---- running and stopping ---- */

void engine_drain(struct engine *engine)
{
    atomic_store(&engine->state.draining, true);
    gate_drain(engine->gate);
}

uint64_t engine_active(const struct engine *engine)
{
    uint64_t active = 0;
    for (size_t i = 0; i < engine->worker_count; i++)
        active += counter_read(&engine->workers[i]->pool.counters.active);
    return active;
}

void engine_reopen(struct engine *engine)
{
    struct recorder_paths paths = record_paths(policy_config(engine->policy));
    recorder_reopen(engine->recorder, &paths);
}

void engine_stop(struct engine *engine, bool orderly)
{
    /* The door first: from here on connections go their own way. The workers talk to it till their
     * end. */
    if (engine->gate != NULL)
        gate_stop(engine->gate, orderly);
    for (size_t i = 0; i < engine->worker_count; i++)
        if (engine->workers[i] != NULL)
            worker_close(engine->workers[i]);
    if (engine->gate != NULL)
        gate_free(engine->gate);
    bypassed_close(engine->bypassed);
    capture_stop(engine->capture);
    if (engine->mirror_socket >= 0)
        close(engine->mirror_socket);
    recorder_stop(engine->recorder);
    leaf_cache_free(engine->leaves);
    leaf_maker_fini(&engine->leaf_maker);
    signer_fini(&engine->signer);
    policy_unref(engine->policy);
    pattern_scratch_free(engine->model);
    known_free(engine->known);
    free(engine->workers);
    free(engine->worker_feeds);
    free(engine);
}
