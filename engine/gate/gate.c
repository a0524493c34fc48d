/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/gate.h"

#include "core/loop.h"
#include "core/mailbox.h"
#include "core/thread.h"
#include "gate/answering.h"
#include "gate/dns_queue.h"
#include "gate/lan.h"
#include "gate/routes.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct gate {
    struct gate_options options;
    struct gate_counters counters;
    struct ruleset ruleset; /* in force */
    uint8_t ports[8192];
    uint64_t in_force_since; /* ns since 1970 */

    struct netlink nftables; /* owns the table: it lives as long as this socket */
    struct answering answering;
    struct dns_queue dns;
    atomic_bool watches_dns;
    bool dns_failed;        /* it cannot be watched, which was said */
    struct netlink changes; /* in the box's network */
    struct loop loop;
    struct mailbox mailbox;
    struct watch changes_watch;
    struct lan lan;
    pthread_t thread;
    bool running, routed, installed;
    bool excludes_others; /* than the kernel knows */
};

/* ---- DNS ---- */

static void hear_query(void *context, const struct flow *flow, const uint8_t *bytes, size_t length)
{
    struct gate *gate = context;
    answering_see(&gate->answering, flow);
    gate->options.judge.dns_query(gate->answering.policy, flow, bytes, length);
}

/* The rules that did not know of it go before the answer does. */
static void hear_news(void *context, const struct device_key *device, const struct address *address)
{
    struct gate *gate = context;
    answering_news(&gate->answering, device, address);
}

static void hear_answer(void *context, const struct flow *flow, const uint8_t *bytes, size_t length)
{
    struct gate *gate = context;
    gate->options.judge.dns_answer(gate->answering.policy, flow, bytes, length, hear_news, gate);
}

/* Without names everything else still works. */
static void open_dns(struct gate *gate)
{
    const struct dns_listener listener = {hear_query, hear_answer, gate};
    const uint16_t number = dns_queue_number(gate->options.queue);
    if (gate->dns.watch.fd >= 0 || gate->dns_failed)
        return;
    gate->dns_failed = true;
    if (gate->ruleset.queue_kind == QUEUE_NONE) {
        log_warning("without a queue DNS is not watched: names are known by the first bytes only");
    } else if (dns_queue_open(&gate->dns, &gate->loop, number, &listener)) {
        gate->dns_failed = false;
    } else {
        log_warning("queue %u could not be opened, so DNS is not watched: %m", (unsigned)number);
        dns_queue_close(&gate->dns, &gate->loop);
    }
}

/* Whether the messages come to us is for the ruleset to say, and as long as they do they are read:
 * the queue stays open. */
static void watch_dns(struct gate *gate, bool wanted)
{
    if (wanted)
        open_dns(gate);
    const bool watched = wanted && !gate->dns_failed;
    if (watched == atomic_load(&gate->watches_dns))
        return;
    if (!gate->options.external_ruleset && !gate->answering.ending &&
        !ruleset_set_dns(&gate->nftables, &gate->ruleset, watched))
        log_error("DNS could not be %s: %m", watched ? "watched" : "left alone");
    else
        atomic_store(&gate->watches_dns, watched);
}

/* ---- what changes around us ---- */

/* Taken packets would go nowhere. Who manages the box's network may well take our rules for
 * leftovers (systemd-networkd does). */
static void restore_routes(const struct gate *gate)
{
    bool missing;
    if (!routes_add(&gate->options.marks, gate->options.route_table, &missing))
        log_error("the policy routes could not be restored: %m");
    else if (missing)
        log_warning("somebody has removed the policy routes: they are restored");
}

static void network_changed(struct watch *watch, uint32_t events)
{
    (void)events;
    struct gate *gate = container_of(watch, struct gate, changes_watch);
    struct network_changes changes = interfaces_read(&gate->changes);
    if (changes.routing)
        restore_routes(gate);
    if (changes.interfaces)
        answering_forget_interface(&gate->answering);
    if (!changes.interfaces || gate->options.external_ruleset || gate->answering.ending ||
        !lan_find_again(&gate->lan))
        return;
    if (!ruleset_set_lan(&gate->nftables, gate->lan.now.names, gate->lan.now.count))
        log_error("the interfaces in the ruleset could not be changed: %m");
}

void gate_lan_text(struct gate *gate, char *text, size_t size)
{
    if (gate->options.external_ruleset)
        snprintf(text, size, "as in the external ruleset");
    else
        lan_text(&gate->lan, text, size);
}

bool gate_lan(struct gate *gate, struct interfaces *lan)
{
    if (gate->options.external_ruleset)
        return interfaces_find_lan(lan);
    lan_copy(&gate->lan, lan);
    return true;
}

/* ---- messages from other threads ---- */

static bool forget(struct gate *gate, bool devices_only)
{
    answering_forget(&gate->answering, devices_only);
    bool done =
        gate->answering.ending || ruleset_forget(&gate->nftables, &gate->ruleset, devices_only);
    if (!done)
        log_error("the kernel's decisions could not be flushed: %m");
    return done;
}

struct flush_message {
    struct message message;
    bool devices_only;
    void (*done)(void *context, bool flushed);
    void *context;
};

static void deliver_flush(struct message *message, void *receiver)
{
    struct flush_message *flush = container_of(message, struct flush_message, message);
    const bool done = forget(receiver, flush->devices_only);
    if (flush->done != NULL)
        flush->done(flush->context, done);
    free(flush);
}

static void post_flush(struct gate *gate, bool devices_only,
                       void (*done)(void *context, bool flushed), void *context)
{
    struct flush_message *mail = malloc(sizeof(*mail));
    CHECK(mail != NULL);
    *mail = (struct flush_message){{.deliver = deliver_flush}, devices_only, done, context};
    mailbox_post(&gate->mailbox, &mail->message);
}

void gate_flush(struct gate *gate, void (*done)(void *context, bool flushed), void *context)
{
    post_flush(gate, false, done, context);
}

void gate_flush_devices(struct gate *gate, void (*done)(void *context, bool flushed), void *context)
{
    post_flush(gate, true, done, context);
}

struct reload_message {
    struct message message;
    void *policy;
    struct exclusions *exclusions;
    bool watch_dns;
};

/* Between the two policies no packet is answered: this thread is the one that answers. */
static void renew_ruleset(struct gate *gate, struct exclusions *exclusions)
{
    if (!exclusions_same(gate->options.exclusions, exclusions))
        gate->excludes_others = !gate->options.external_ruleset;
    free(gate->options.exclusions);
    gate->options.exclusions = exclusions;
    if (gate->answering.ending)
        return;
    if (gate->excludes_others ? ruleset_renew(&gate->nftables, &gate->ruleset, exclusions)
                              : ruleset_forget(&gate->nftables, &gate->ruleset, false))
        gate->excludes_others = false;
    else
        log_error("the kernel's decisions could not be flushed: %m");
}

static void deliver_reload(struct message *message, void *receiver)
{
    struct gate *gate = receiver;
    struct reload_message *reload = container_of(message, struct reload_message, message);
    watch_dns(gate, reload->watch_dns);
    answering_set_policy(&gate->answering, reload->policy);
    renew_ruleset(gate, reload->exclusions);
    free(reload);
    gate->in_force_since = clock_wall();
}

uint64_t gate_in_force_since(const struct gate *gate)
{
    return gate->in_force_since;
}

void gate_reload(struct gate *gate, void *policy, struct exclusions *exclusions, bool watch_dns)
{
    struct reload_message *reload = malloc(sizeof(*reload));
    CHECK(reload != NULL);
    reload->message.deliver = deliver_reload;
    reload->policy = policy;
    reload->exclusions = exclusions;
    reload->watch_dns = watch_dns;
    mailbox_post(&gate->mailbox, &reload->message);
}

struct remember_message {
    struct message message;
    struct decided decided;
};

static void deliver_remember(struct message *message, void *receiver)
{
    struct gate *gate = receiver;
    struct remember_message *mail = container_of(message, struct remember_message, message);
    answering_remember(&gate->answering, &mail->decided);
    free(mail);
}

void gate_remember(struct gate *gate, const struct decided *decided)
{
    struct remember_message *mail = malloc(sizeof(*mail));
    if (mail == NULL)
        return; /* the next connection teaches it again */
    mail->message.deliver = deliver_remember;
    mail->decided = *decided;
    mailbox_post(&gate->mailbox, &mail->message);
}

/* With a queue it is the judge who lets everything pass. */
static void drain(void *context)
{
    struct gate *gate = context;
    if (gate->answering.ending)
        return;
    answering_teach(&gate->answering);
    gate->answering.ending = true;
    if (gate->ruleset.queue_kind == QUEUE_NONE && !gate->options.external_ruleset &&
        !ruleset_set_lan(&gate->nftables, NULL, 0))
        log_error("new connections are still taken: %m");
}

void gate_drain(struct gate *gate)
{
    mailbox_call(&gate->mailbox, drain, gate);
}

void gate_ping(struct gate *gate, void (*pong)(void *context), void *context)
{
    mailbox_call(&gate->mailbox, pong, context);
}

/* ---- opening and closing ---- */

static struct ruleset ruleset_for(const struct gate_options *options)
{
    return (struct ruleset){
        .external = options->external_ruleset,
        .marks = options->marks,
        .listen_port = options->listen_port,
        .queue = options->queue,
        .queue_kind = options->use_queue ? QUEUE_NATIVE : QUEUE_NONE,
        .fail_closed = options->fail_closed,
        .source_device = options->source_device,
        .pass_quic = options->pass_quic,
        .pass_timeout = options->pass_timeout,
    };
}

static bool install(struct gate *gate)
{
    const struct ruleset_contents contents = {
        .ports = gate->ports,
        .lan = gate->lan.now.names,
        .lan_count = gate->lan.now.count,
        .exclusions = gate->options.exclusions,
    };
    if (!ruleset_install(&gate->nftables, &gate->ruleset, &contents))
        return false;
    if (gate->ruleset.queue_kind == QUEUE_NONE)
        log_info("without a queue every connection is taken, and those that pass are relayed until "
                 "the kernel knows their destination");
    return true;
}

static bool use_external(struct gate *gate)
{
    if (ruleset_exists(&gate->nftables) && ruleset_forget(&gate->nftables, &gate->ruleset, false))
        return true;
    log_error("ruleset = external, but table inet " RULESET_TABLE " is not there: load it with nft "
              "-f, or set ruleset = managed");
    return false;
}

static bool open_queue(struct gate *gate)
{
    struct gate_options *options = &gate->options;
    if (!options->use_queue)
        return true;
    if (answering_open(&gate->answering))
        return true;
    if (errno == EINVAL || errno == EOPNOTSUPP) {
        log_info("this kernel lacks packet queues (nfnetlink_queue): using none");
        options->use_queue = false;
        return true;
    }
    if (errno == EPERM || errno == EBUSY)
        log_error("queue %u is taken by another program: choose another one (queue = NUMBER in "
                  "[network])",
                  (unsigned)options->queue);
    else
        log_error("queue %u could not be opened: %m", (unsigned)options->queue);
    return false;
}

static bool open_sockets(struct gate *gate)
{
    if (loop_init(&gate->loop) && answering_init(&gate->answering, &gate->loop) &&
        mailbox_init(&gate->mailbox, &gate->loop, gate) &&
        netlink_open(&gate->nftables, NETLINK_NETFILTER, 0) && interfaces_watch(&gate->changes))
        return true;
    log_error("the gate could not be opened: %m");
    return false;
}

struct gate *gate_open(const struct gate_options *options, void *policy)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    CHECK(gate != NULL);
    gate->options = *options;
    gate->options.ports = NULL;
    memcpy(gate->ports, options->ports, sizeof(gate->ports));
    gate->answering.options = &gate->options;
    gate->answering.counters = &gate->counters;
    gate->answering.nftables = &gate->nftables;
    gate->answering.ruleset = &gate->ruleset;
    gate->answering.policy = policy;
    gate->answering.watch.fd = gate->changes_watch.fd = gate->dns.watch.fd = -1;
    lan_init(&gate->lan, options->lan, options->lan_count);
    if (open_sockets(gate) && open_queue(gate) &&
        (options->external_ruleset || lan_find(&gate->lan)))
        return gate;
    gate_free(gate);
    return NULL;
}

static void *run(void *context)
{
    struct gate *gate = context;
    thread_begin_leading("gate");
    log_redirect(gate->options.log, gate->options.log_context);
    loop_run(&gate->loop);
    return NULL;
}

static bool watch_sockets(struct gate *gate)
{
    return answering_start(&gate->answering, &gate->loop) &&
           loop_add(&gate->loop, &gate->changes_watch, mnl_socket_get_fd(gate->changes.socket),
                    EPOLLIN, network_changed);
}

/* The routes first: no packet is marked before they are there. */
static bool put_in_force(struct gate *gate)
{
    const struct gate_options *options = &gate->options;
    bool missing;
    gate->routed = routes_add(&options->marks, options->route_table, &missing);
    if (!gate->routed) {
        log_error("the policy routes could not be added: %m");
        return false;
    }
    gate->ruleset = ruleset_for(options);
    gate->installed = options->external_ruleset ? use_external(gate) : install(gate);
    /* If the table is another's, so are routes that were there. */
    gate->routed = gate->installed || missing;
    if (gate->installed)
        watch_dns(gate, options->watch_dns);
    return gate->installed;
}

bool gate_start(struct gate *gate)
{
    if (!watch_sockets(gate)) {
        log_error("the gate could not be started: %m");
        return false;
    }
    if (!put_in_force(gate))
        return false;
    gate->running = pthread_create(&gate->thread, NULL, run, gate) == 0;
    if (!gate->running)
        log_error("the gate's thread could not be started");
    return gate->running;
}

static void stop_thread(struct gate *gate)
{
    mailbox_call(&gate->mailbox, loop_stop, &gate->loop);
    pthread_join(gate->thread, NULL);
    gate->running = false;
    gate->answering.ending = true;
}

static void remove_ruleset(struct gate *gate, bool orderly)
{
    if (!gate->installed)
        return;
    if (gate->options.external_ruleset)
        (void)!ruleset_forget(&gate->nftables, &gate->ruleset, false);
    else if (gate->options.fail_closed && orderly)
        ruleset_remove(&gate->nftables);
}

void gate_stop(struct gate *gate, bool orderly)
{
    if (gate->running)
        stop_thread(gate);
    remove_ruleset(gate, orderly);
    netlink_close(&gate->nftables);
    if (gate->routed)
        routes_remove(&gate->options.marks, gate->options.route_table);
    gate->routed = false;
    answering_close(&gate->answering, &gate->loop);
    dns_queue_close(&gate->dns, &gate->loop);
}

void gate_free(struct gate *gate)
{
    loop_remove(&gate->loop, &gate->changes_watch);
    answering_fini(&gate->answering, &gate->loop);
    dns_queue_close(&gate->dns, &gate->loop);
    netlink_close(&gate->changes);
    netlink_close(&gate->nftables);
    if (gate->mailbox.receiver != NULL)
        mailbox_fini(&gate->mailbox);
    loop_fini(&gate->loop);
    gate->options.judge.release(gate->answering.policy);
    lan_fini(&gate->lan);
    free(gate->options.exclusions);
    free(gate);
}

const struct gate_counters *gate_counters(const struct gate *gate)
{
    return &gate->counters;
}

uint16_t gate_queue_number(const struct gate *gate)
{
    return gate->options.queue;
}

uint32_t gate_pass_timeout(const struct gate *gate)
{
    return gate->options.pass_timeout;
}

enum queue_kind gate_queue_kind(const struct gate *gate)
{
    return gate->ruleset.queue_kind;
}

bool gate_watches_dns(const struct gate *gate)
{
    return atomic_load(&gate->watches_dns);
}
