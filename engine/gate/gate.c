/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/gate.h"

#include "core/loop.h"
#include "core/mailbox.h"
#include "gate/beginnings.h"
#include "gate/device_rules.h"
#include "gate/dns_queue.h"
#include "gate/lan.h"
#include "gate/packet.h"
#include "gate/queue.h"
#include "gate/routes.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* Packets that wait while the kernel learns what they have taught: one transaction for all of them.
 */
#define LESSONS_LIMIT 64
/* New connections that are answered in a turn of the loop. */
#define READS_A_TURN 256

/* Packets whose destination the kernel is to know before they go on. */
struct lesson {
    struct waiting_packets packets;
    struct flow flow;
    struct gate_answer answer;
};

struct gate {
    struct gate_options options;
    struct gate_counters counters;
    enum queue_kind queue_kind;
    uint8_t ports[8192];
    void *policy;
    uint64_t in_force_since; /* ns since 1970 */

    struct netlink nftables; /* owns the table: it lives as long as this socket */
    struct queue queue;
    struct dns_queue dns;
    struct device_rules device_rules;
    struct netlink changes; /* in the box's network */
    struct loop loop;
    struct mailbox mailbox;
    struct watch queue_watch, changes_watch;
    struct lan lan;
    pthread_t thread;
    bool running, routed, installed;
    bool ending;          /* nothing new is taken, or taught, any more */
    bool excludes_others; /* than the kernel knows */

    struct lesson lessons[LESSONS_LIMIT];
    struct decided remembered[LESSONS_LIMIT]; /* of the lesson with the same index */
    size_t lesson_count;
    struct arena arena; /* of what the judge has added to flows */
    struct beginnings beginnings;
};

/* ---- deciding ---- */

static void add_to_kernel(struct gate *gate, const struct decided *decided, size_t count)
{
    if (decided_add(&gate->nftables, decided, count))
        counter_add(&gate->counters.remembered, count);
    else
        counter_add(&gate->counters.forgotten, count);
}

static void flush_device_rules(struct gate *gate)
{
    device_rules_flushed(&gate->device_rules);
    if (!gate->ending && !decided_flush_devices(&gate->nftables))
        log_error("the kernel's decisions for devices could not be flushed: %m");
}

static uint32_t mark_for(const struct gate *gate, const struct flow *flow, enum verdict verdict)
{
    const struct marks *marks = &gate->options.marks;
    if (verdict == VERDICT_PASS)
        return marks->pass;
    return flow->protocol == IPPROTO_TCP ? marks->take : marks->refuse;
}

static void let_go(struct gate *gate, const struct lesson *lesson)
{
    uint32_t bits = mark_for(gate, &lesson->flow, lesson->answer.verdict);
    for (size_t i = 0; i < lesson->packets.count; i++)
        queue_accept(&gate->queue, lesson->packets.items[i].id,
                     lesson->packets.items[i].mark | bits);
}

/* First the kernel learns, then the packets go on: no later connection to these destinations will
 * be seen here. */
static void teach_lessons(struct gate *gate)
{
    const struct gate_judge *judge = &gate->options.judge;
    size_t count = gate->lesson_count;
    gate->lesson_count = 0;
    if (count == 0)
        return;
    add_to_kernel(gate, gate->remembered, count);
    for (size_t i = 0; i < count; i++)
        let_go(gate, &gate->lessons[i]);
    for (size_t i = 0; i < count; i++)
        judge->note(gate->policy, &gate->lessons[i].flow, &gate->lessons[i].answer);
}

static void add_lesson(struct gate *gate, const struct lesson *lesson)
{
    const struct flow *flow = &lesson->flow;
    struct decided *decided = &gate->remembered[gate->lesson_count];
    *decided = (struct decided){
        .origin = flow->origin, .protocol = flow->protocol, .verdict = lesson->answer.verdict};
    if (lesson->answer.holds == HOLDS_FOR_DEVICE)
        decided_for_device(decided, flow, gate->options.pass_timeout, clock_ms());
    gate->options.judge.explain(&lesson->answer, decided->comment);
    if (decided->device.family != 0)
        (void)!device_rules_add(&gate->device_rules, decided); /* nothing is newer here */
    gate->lessons[gate->lesson_count++] = *lesson;
    if (gate->lesson_count == LESSONS_LIMIT)
        teach_lessons(gate);
}

/* Destinations that pass are remembered, and those whose QUIC is refused, since a stubborn sender
 * would fill the queue. TCP that is taken is not: each connection is to be seen here. */
static bool is_worth_remembering(const struct flow *flow, const struct gate_answer *answer)
{
    if (answer->verdict == VERDICT_PASS)
        return answer->holds != HOLDS_ONCE;
    return answer->holds == HOLDS_FOR_ALL && flow->protocol == IPPROTO_UDP;
}

static void decide(struct gate *gate, struct lesson *lesson)
{
    const struct gate_judge *judge = &gate->options.judge;
    lesson->answer = judge->decide(gate->policy, &lesson->flow, &gate->arena);
    counter_add(
        lesson->answer.verdict == VERDICT_PASS ? &gate->counters.passed : &gate->counters.taken, 1);
    if (is_worth_remembering(&lesson->flow, &lesson->answer)) {
        add_lesson(gate, lesson);
        return;
    }
    let_go(gate, lesson);
    judge->note(gate->policy, &lesson->flow, &lesson->answer);
}

static void decide_beginning(struct gate *gate, struct beginning *beginning)
{
    struct lesson lesson = {.packets = beginning->packets, .flow = beginning->flow};
    decide(gate, &lesson);
    beginnings_decide(&gate->beginnings, beginning,
                      mark_for(gate, &lesson.flow, lesson.answer.verdict), &gate->arena);
}

static void beginning_expired(struct beginnings *beginnings, struct beginning *beginning)
{
    struct gate *gate = container_of(beginnings, struct gate, beginnings);
    decide_beginning(gate, beginning);
    teach_lessons(gate);
    arena_fini(&gate->arena);
}

/* A datagram that cannot be kept in mind is lost, and sent again. */
static void answer_datagram(struct gate *gate, const struct queued_packet *packet,
                            const struct flow *flow)
{
    struct reader payload = packet_payload(packet->bytes, packet->length);
    struct beginning *beginning = beginnings_get(&gate->beginnings, flow, packet_quic_id(payload));
    uint32_t mark = packet->mark & ~gate->options.marks.mask;
    if (beginning == NULL) {
        queue_drop(&gate->queue, packet->id);
        return;
    }
    if (beginning->decided) {
        queue_accept(&gate->queue, packet->id, mark | beginning->answer);
        return;
    }
    struct waiting_packets *packets = &beginning->packets;
    packets->items[packets->count].id = packet->id;
    packets->items[packets->count++].mark = mark;
    if (gate->options.judge.read(gate->policy, &beginning->flow, &beginning->reading, payload,
                                 &beginning->arena) &&
        beginnings_wait(&gate->beginnings, beginning))
        return;
    decide_beginning(gate, beginning);
}

static bool read_flow(struct flow *flow, const struct queued_packet *packet)
{
    *flow = (struct flow){0};
    if (packet->mac != NULL) {
        memcpy(flow->mac, packet->mac, MAC_SIZE);
        flow->has_mac = true;
    }
    if (!packet_parse(flow, packet->bytes, packet->length))
        return false;
    if_indextoname(packet->in_ifindex, flow->interface);
    return true;
}

static void answer_packet(struct queue *queue, const struct queued_packet *packet)
{
    struct gate *gate = container_of(queue, struct gate, queue);
    uint32_t mark = packet->mark & ~gate->options.marks.mask;
    struct lesson lesson = {.packets = {.items = {{packet->id, mark}}, .count = 1}};
    counter_add(&gate->counters.packets, 1);
    if (!read_flow(&lesson.flow, packet)) {
        counter_add(&gate->counters.unreadable, 1);
        if (gate->options.fail_closed)
            queue_drop(queue, packet->id);
        else
            queue_accept(queue, packet->id, mark);
        return;
    }
    if (device_rules_see(&gate->device_rules, &lesson.flow))
        flush_device_rules(gate);
    if (lesson.flow.protocol == IPPROTO_UDP)
        answer_datagram(gate, packet, &lesson.flow);
    else
        decide(gate, &lesson);
}

static void queue_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct gate *gate = container_of(watch, struct gate, queue_watch);
    queue_read(&gate->queue, READS_A_TURN);
    teach_lessons(gate);
    arena_fini(&gate->arena);
}

/* ---- DNS ---- */

static void hear_query(void *context, const struct flow *flow, const uint8_t *bytes, size_t length)
{
    struct gate *gate = context;
    gate->options.judge.dns_query(gate->policy, flow, bytes, length);
}

/* The rules that did not know of it go before the answer does. */
static void hear_news(void *context, const struct device_key *device, const struct address *address)
{
    struct gate *gate = context;
    if (device_rules_news(&gate->device_rules, device, address))
        flush_device_rules(gate);
}

static void hear_answer(void *context, const struct flow *flow, const uint8_t *bytes, size_t length)
{
    struct gate *gate = context;
    gate->options.judge.dns_answer(gate->policy, flow, bytes, length, hear_news, gate);
}

/* Without names everything else still works. */
static void open_dns(struct gate *gate)
{
    const struct dns_listener listener = {hear_query, hear_answer, gate};
    const uint16_t number = dns_queue_number(gate->options.queue);
    if (!gate->options.watch_dns || !gate->options.use_queue ||
        dns_queue_open(&gate->dns, &gate->loop, number, &listener))
        return;
    log_warning("queue %u could not be opened, so DNS is not watched: %m", (unsigned)number);
    dns_queue_close(&gate->dns, &gate->loop);
    gate->options.watch_dns = false;
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
    if (!changes.interfaces || gate->options.external_ruleset || gate->ending ||
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

struct reload_message {
    struct message message;
    void *policy;
    struct exclusions *exclusions;
};

/* Between the two policies no packet is answered: this thread is the one that answers. */
static void renew_ruleset(struct gate *gate, struct exclusions *exclusions)
{
    if (!exclusions_same(gate->options.exclusions, exclusions))
        gate->excludes_others = !gate->options.external_ruleset;
    free(gate->options.exclusions);
    gate->options.exclusions = exclusions;
    device_rules_flushed(&gate->device_rules);
    if (gate->ending)
        return;
    if (ruleset_renew(&gate->nftables, gate->excludes_others ? exclusions : NULL))
        gate->excludes_others = false;
    else
        log_error("the kernel's decisions could not be flushed: %m");
}

static void deliver_reload(struct message *message, void *receiver)
{
    struct gate *gate = receiver;
    struct reload_message *reload = container_of(message, struct reload_message, message);
    gate->options.judge.release(gate->policy);
    gate->policy = reload->policy;
    beginnings_forget(&gate->beginnings);
    renew_ruleset(gate, reload->exclusions);
    free(reload);
    gate->in_force_since = clock_wall();
}

uint64_t gate_in_force_since(const struct gate *gate)
{
    return gate->in_force_since;
}

void gate_reload(struct gate *gate, void *policy, struct exclusions *exclusions)
{
    struct reload_message *reload = malloc(sizeof(*reload));
    CHECK(reload != NULL);
    reload->message.deliver = deliver_reload;
    reload->policy = policy;
    reload->exclusions = exclusions;
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
    const bool is_true =
        mail->decided.device.family == 0 || device_rules_add(&gate->device_rules, &mail->decided);
    if (!gate->ending && is_true)
        add_to_kernel(gate, &mail->decided, 1);
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

struct flush_devices_message {
    struct message message;
    void (*done)(void *context);
    void *context;
};

static void deliver_flush_devices(struct message *message, void *receiver)
{
    struct gate *gate = receiver;
    struct flush_devices_message *mail =
        container_of(message, struct flush_devices_message, message);
    beginnings_forget(&gate->beginnings);
    flush_device_rules(gate);
    mail->done(mail->context);
    free(mail);
}

void gate_flush_devices(struct gate *gate, void (*done)(void *context), void *context)
{
    struct flush_devices_message *mail = malloc(sizeof(*mail));
    CHECK(mail != NULL);
    *mail = (struct flush_devices_message){{.deliver = deliver_flush_devices}, done, context};
    mailbox_post(&gate->mailbox, &mail->message);
}

/* With a queue it is the judge who lets everything pass. */
static void drain(void *context)
{
    struct gate *gate = context;
    if (gate->ending)
        return;
    gate->ending = true;
    if (gate->queue_kind == QUEUE_NONE && !gate->options.external_ruleset &&
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

static bool install(struct gate *gate)
{
    const struct gate_options *options = &gate->options;
    struct ruleset ruleset = {
        .marks = options->marks,
        .listen_port = options->listen_port,
        .queue = options->queue,
        .queue_kind = options->use_queue ? QUEUE_NATIVE : QUEUE_NONE,
        .dns = options->watch_dns && options->use_queue,
        .fail_closed = options->fail_closed,
        .source_device = options->source_device,
        .pass_quic = options->pass_quic,
        .pass_timeout = options->pass_timeout,
        .ports = gate->ports,
        .lan = gate->lan.now.names,
        .lan_count = gate->lan.now.count,
        .exclusions = options->exclusions,
    };
    if (!ruleset_install(&gate->nftables, &ruleset))
        return false;
    gate->queue_kind = ruleset.queue_kind;
    if (options->watch_dns && !ruleset.dns)
        log_warning("without a queue DNS is not watched: names are known by the first bytes only");
    gate->options.watch_dns = ruleset.dns;
    if (gate->queue_kind == QUEUE_NONE)
        log_info("without a queue every connection is taken, and those that pass are relayed until "
                 "the kernel knows their destination");
    return true;
}

static bool use_external(struct gate *gate)
{
    gate->queue_kind = gate->options.use_queue ? QUEUE_NATIVE : QUEUE_NONE;
    if (ruleset_exists(&gate->nftables) && decided_flush(&gate->nftables))
        return true;
    log_error("ruleset = external, but table inet " RULESET_TABLE " is not there: load it with nft "
              "-f, or set ruleset = managed");
    return false;
}

static bool open_queue(struct gate *gate)
{
    struct gate_options *options = &gate->options;
    gate->queue.netlink.socket = NULL;
    if (!options->use_queue)
        return true;
    if (queue_open(&gate->queue, options->queue, QUEUE_COPY_USUAL, !options->fail_closed,
                   answer_packet))
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
    if (loop_init(&gate->loop) &&
        beginnings_init(&gate->beginnings, &gate->loop, beginning_expired) &&
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
    gate->policy = policy;
    gate->queue_watch.fd = gate->changes_watch.fd = gate->dns.watch.fd = -1;
    lan_init(&gate->lan, options->lan, options->lan_count);
    if (open_sockets(gate) && open_queue(gate) &&
        (options->external_ruleset || lan_find(&gate->lan))) {
        open_dns(gate);
        return gate;
    }
    gate_free(gate);
    return NULL;
}

static void *run(void *context)
{
    struct gate *gate = context;
    pthread_setname_np(pthread_self(), "gate");
    log_redirect(gate->options.log, gate->options.log_context);
    loop_run(&gate->loop);
    return NULL;
}

static bool watch_sockets(struct gate *gate)
{
    return (gate->queue.netlink.socket == NULL ||
            loop_add(&gate->loop, &gate->queue_watch, queue_fd(&gate->queue), EPOLLIN,
                     queue_ready)) &&
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
    gate->installed = options->external_ruleset ? use_external(gate) : install(gate);
    /* If the table is another's, so are routes that were there. */
    gate->routed = gate->installed || missing;
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
    gate->ending = true;
}

static void remove_ruleset(struct gate *gate, bool orderly)
{
    if (!gate->installed)
        return;
    if (gate->options.external_ruleset)
        (void)!decided_flush(&gate->nftables);
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
    loop_remove(&gate->loop, &gate->queue_watch);
    queue_close(&gate->queue);
    dns_queue_close(&gate->dns, &gate->loop);
}

void gate_free(struct gate *gate)
{
    loop_remove(&gate->loop, &gate->queue_watch);
    loop_remove(&gate->loop, &gate->changes_watch);
    queue_close(&gate->queue);
    dns_queue_close(&gate->dns, &gate->loop);
    netlink_close(&gate->changes);
    netlink_close(&gate->nftables);
    beginnings_fini(&gate->beginnings);
    if (gate->mailbox.receiver != NULL)
        mailbox_fini(&gate->mailbox);
    loop_fini(&gate->loop);
    gate->options.judge.release(gate->policy);
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
    return gate->queue_kind;
}

bool gate_watches_dns(const struct gate *gate)
{
    return gate->options.watch_dns;
}
