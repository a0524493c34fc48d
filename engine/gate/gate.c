/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/gate.h"

#include "core/loop.h"
#include "core/mailbox.h"
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

/* A packet whose destination the kernel is to know before it goes on. */
struct lesson {
    uint32_t id, mark;
    struct flow flow;
    struct gate_answer answer;
};

struct gate {
    struct gate_options options;
    struct gate_counters counters;
    enum queue_kind queue_kind;
    uint8_t ports[8192];
    void *policy;

    struct netlink nftables; /* owns the table: it lives as long as this socket */
    struct queue queue;
    struct netlink changes; /* in the box's network */
    struct loop loop;
    struct mailbox mailbox;
    struct watch queue_watch, changes_watch;
    struct lan lan;
    pthread_t thread;
    bool running, routed, installed;
    bool ending; /* nothing new is taken, or taught, any more */

    struct lesson lessons[LESSONS_LIMIT];
    struct decided remembered[LESSONS_LIMIT]; /* of the lesson with the same index */
    size_t lesson_count;
    struct arena arena; /* of what the judge has added to flows */
};

/* ---- deciding ---- */

static void add_to_kernel(struct gate *gate, const struct decided *decided, size_t count)
{
    if (decided_add(&gate->nftables, decided, count))
        counter_add(&gate->counters.remembered, count);
    else
        counter_add(&gate->counters.forgotten, count);
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
        queue_accept(&gate->queue, gate->lessons[i].id, gate->lessons[i].mark);
    for (size_t i = 0; i < count; i++)
        judge->note(gate->policy, &gate->lessons[i].flow, &gate->lessons[i].answer);
}

static void add_lesson(struct gate *gate, const struct lesson *lesson)
{
    struct decided *decided = &gate->remembered[gate->lesson_count];
    *decided = (struct decided){.origin = lesson->flow.origin,
                                .protocol = lesson->flow.protocol,
                                .verdict = lesson->answer.verdict};
    gate->options.judge.explain(&lesson->answer, decided->comment);
    gate->lessons[gate->lesson_count++] = *lesson;
    if (gate->lesson_count == LESSONS_LIMIT)
        teach_lessons(gate);
}

/* Destinations that pass are remembered, and those whose QUIC is refused, since a stubborn sender
 * would fill the queue. TCP that is taken is not: each connection is to be seen here. */
static bool is_worth_remembering(const struct flow *flow, const struct gate_answer *answer)
{
    return answer->holds == HOLDS_FOR_ALL && (answer->verdict == VERDICT_PASS || flow->protocol == IPPROTO_UDP);
}

static uint32_t mark_for(const struct gate *gate, const struct flow *flow, enum verdict verdict)
{
    const struct marks *marks = &gate->options.marks;
    if (verdict == VERDICT_PASS)
        return marks->pass;
    return flow->protocol == IPPROTO_TCP ? marks->take : marks->refuse;
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
    const struct gate_judge *judge = &gate->options.judge;
    struct lesson lesson = {.id = packet->id, .mark = packet->mark & ~gate->options.marks.mask};
    counter_add(&gate->counters.packets, 1);
    if (!read_flow(&lesson.flow, packet)) {
        counter_add(&gate->counters.unreadable, 1);
        if (gate->options.fail_closed)
            queue_drop(queue, lesson.id);
        else
            queue_accept(queue, lesson.id, lesson.mark);
        return;
    }
    lesson.answer = judge->decide(gate->policy, &lesson.flow, &gate->arena);
    lesson.mark |= mark_for(gate, &lesson.flow, lesson.answer.verdict);
    counter_add(
        lesson.answer.verdict == VERDICT_PASS ? &gate->counters.passed : &gate->counters.taken, 1);
    if (is_worth_remembering(&lesson.flow, &lesson.answer)) {
        add_lesson(gate, &lesson);
        return;
    }
    queue_accept(queue, lesson.id, lesson.mark);
    judge->note(gate->policy, &lesson.flow, &lesson.answer);
}

static void queue_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct gate *gate = container_of(watch, struct gate, queue_watch);
    queue_read(&gate->queue);
    teach_lessons(gate);
    arena_fini(&gate->arena);
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

/* ---- messages from other threads ---- */

static bool flush_decided(struct gate *gate)
{
    bool done = gate->ending || decided_flush(&gate->nftables);
    if (!done)
        log_error("the kernel's decisions could not be flushed: %m");
    return done;
}

struct flush_message {
    struct message message;
    void (*done)(void *context, bool flushed);
    void *context;
};

static void deliver_flush(struct message *message, void *receiver)
{
    struct flush_message *flush = container_of(message, struct flush_message, message);
    flush->done(flush->context, flush_decided(receiver));
    free(flush);
}

void gate_flush(struct gate *gate, void (*done)(void *context, bool flushed), void *context)
{
    struct flush_message *flush = malloc(sizeof(*flush));
    CHECK(flush != NULL);
    *flush = (struct flush_message){{.deliver = deliver_flush}, done, context};
    mailbox_post(&gate->mailbox, &flush->message);
}

struct reload_message {
    struct message message;
    void *policy;
};

static void deliver_reload(struct message *message, void *receiver)
{
    struct gate *gate = receiver;
    struct reload_message *reload = container_of(message, struct reload_message, message);
    gate->options.judge.release(gate->policy);
    gate->policy = reload->policy;
    free(reload);
    /* Between the two no packet is answered: this thread is the one that answers. */
    (void)flush_decided(gate);
}

void gate_reload(struct gate *gate, void *policy)
{
    struct reload_message *reload = malloc(sizeof(*reload));
    CHECK(reload != NULL);
    reload->message.deliver = deliver_reload;
    reload->policy = policy;
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
    if (!gate->ending)
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
        .fail_closed = options->fail_closed,
        .source_device = options->source_device,
        .pass_timeout = options->pass_timeout,
        .ports = gate->ports,
        .lan = gate->lan.now.names,
        .lan_count = gate->lan.now.count,
    };
    if (!ruleset_install(&gate->nftables, &ruleset))
        return false;
    gate->queue_kind = ruleset.queue_kind;
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
    if (queue_open(&gate->queue, options->queue, !options->fail_closed, answer_packet))
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
    if (loop_init(&gate->loop) && mailbox_init(&gate->mailbox, &gate->loop, gate) &&
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
    gate->queue_watch.fd = gate->changes_watch.fd = -1;
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
}

void gate_free(struct gate *gate)
{
    loop_remove(&gate->loop, &gate->queue_watch);
    loop_remove(&gate->loop, &gate->changes_watch);
    queue_close(&gate->queue);
    netlink_close(&gate->changes);
    netlink_close(&gate->nftables);
    if (gate->mailbox.receiver != NULL)
        mailbox_fini(&gate->mailbox);
    loop_fini(&gate->loop);
    gate->options.judge.release(gate->policy);
    lan_fini(&gate->lan);
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
