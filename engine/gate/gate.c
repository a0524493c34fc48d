/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/gate.h"

#include "core/loop.h"
#include "core/mailbox.h"
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
    struct netlink link_events;
    struct loop loop;
    struct mailbox mailbox;
    struct watch queue_watch, link_watch;
    pthread_t thread;
    bool running, routed, installed;

    struct lesson lessons[LESSONS_LIMIT];
    struct decided remembered[LESSONS_LIMIT]; /* of the lesson with the same index */
    size_t lesson_count;

    pthread_mutex_t lan_lock; /* of `lan`: others ask for it */
    struct interfaces lan;
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
    return answer->remember && (answer->verdict == VERDICT_PASS || flow->protocol == IPPROTO_UDP);
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
        queue_accept(queue, lesson.id, lesson.mark);
        return;
    }
    lesson.answer = judge->decide(gate->policy, &lesson.flow);
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
}

/* ---- interfaces ---- */

static bool same_interfaces(const struct interfaces *a, const struct interfaces *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

static void join_names(const struct interfaces *interfaces, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < interfaces->count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "",
                                   interfaces->names[i]);
}

static void tell_lan(const struct interfaces *lan)
{
    char names[INTERFACES_LIMIT * IFNAMSIZ];
    join_names(lan, names, sizeof(names));
    if (lan->count > 0)
        log_info("devices are on: %s", names);
    else
        log_warning("no LAN interface found: every interface has the default route; waiting for "
                    "one (or name it: lan = NAME in [network])");
}

static void link_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct gate *gate = container_of(watch, struct gate, link_watch);
    struct interfaces found;
    if (!interfaces_changed(&gate->link_events) || !interfaces_find_lan(&found) ||
        same_interfaces(&found, &gate->lan))
        return;
    if (!ruleset_set_lan(&gate->nftables, found.names, found.count)) {
        log_error("the interfaces in the ruleset could not be changed: %m");
        return;
    }
    pthread_mutex_lock(&gate->lan_lock);
    gate->lan = found;
    pthread_mutex_unlock(&gate->lan_lock);
    tell_lan(&found);
}

static bool find_lan(struct gate *gate)
{
    const struct gate_options *options = &gate->options;
    if (options->lan_count == 0) {
        if (!interfaces_watch(&gate->link_events) || !interfaces_find_lan(&gate->lan)) {
            log_error("the network interfaces could not be listed: %m");
            return false;
        }
        tell_lan(&gate->lan);
        return true;
    }
    for (size_t i = 0; i < options->lan_count && i < INTERFACES_LIMIT; i++) {
        if (if_nametoindex(options->lan[i]) == 0)
            log_warning("there is no interface %s yet: waiting for it", options->lan[i]);
        snprintf(gate->lan.names[gate->lan.count++], IFNAMSIZ, "%s", options->lan[i]);
    }
    return true;
}

void gate_lan_text(struct gate *gate, char *text, size_t size)
{
    pthread_mutex_lock(&gate->lan_lock);
    join_names(&gate->lan, text, size);
    pthread_mutex_unlock(&gate->lan_lock);
}

/* ---- messages from other threads ---- */

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
    if (!decided_flush(&gate->nftables))
        log_error("the kernel's decisions could not be flushed: %m");
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
    struct remember_message *mail = container_of(message, struct remember_message, message);
    add_to_kernel(receiver, &mail->decided, 1);
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

void gate_ping(struct gate *gate, void (*pong)(void *context), void *context)
{
    mailbox_call(&gate->mailbox, pong, context);
}

/* ---- opening and closing ---- */

const char *queue_kind_text(enum queue_kind kind)
{
    static const char *const texts[] = {
        [QUEUE_NATIVE] = "nft queue",
        [QUEUE_XTABLES] = "xtables NFQUEUE through nft_compat",
        [QUEUE_NONE] = "none",
    };
    return texts[kind];
}

static void tell_install_failure(const struct gate *gate, const char *subject)
{
    if (errno == EPERM && subject != NULL && strcmp(subject, "table") == 0)
        log_error("table inet " RULESET_TABLE " belongs to another process: is another interceptd "
                  "running here?");
    else if (subject != NULL && (errno == ENOENT || errno == EOPNOTSUPP || errno == EINVAL))
        log_error("this kernel lacks what `%s` needs in nftables: %m", subject);
    else
        log_error("the ruleset could not be installed%s%s: %m", subject != NULL ? ", at " : "",
                  subject != NULL ? subject : "");
    (void)gate;
}

/* Installs with the best way to the queue that this kernel has. */
static bool install(struct gate *gate)
{
    const struct gate_options *options = &gate->options;
    struct ruleset ruleset = {
        .marks = options->marks,
        .listen_port = options->listen_port,
        .queue = options->queue,
        .fail_closed = options->fail_closed,
        .source_device = options->source_device,
        .pass_timeout = options->pass_timeout,
        .ports = gate->ports,
    };
    const char *subject = NULL;
    for (enum queue_kind kind = options->use_queue ? QUEUE_NATIVE : QUEUE_NONE;; kind++) {
        ruleset.queue_kind = gate->queue_kind = kind;
        if (ruleset_install(&gate->nftables, &ruleset, &subject))
            break;
        if (kind == QUEUE_NONE || subject == NULL || strcmp(subject, "queue") != 0) {
            tell_install_failure(gate, subject);
            return false;
        }
        log_info("this kernel lacks %s: using %s instead", queue_kind_text(kind),
                 queue_kind_text(kind + 1));
    }
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
    const struct gate_options *options = &gate->options;
    gate->queue.netlink.socket = NULL;
    if (!options->use_queue)
        return true;
    if (queue_open(&gate->queue, options->queue, !options->fail_closed, answer_packet))
        return true;
    if (errno == EPERM || errno == EBUSY)
        log_error("queue %u is taken by another program: choose another one (queue = NUMBER in "
                  "[network])",
                  (unsigned)options->queue);
    else
        log_error("queue %u could not be opened: %m", (unsigned)options->queue);
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
    gate->queue_watch.fd = gate->link_watch.fd = -1;
    pthread_mutex_init(&gate->lan_lock, NULL);
    if (!loop_init(&gate->loop) || !mailbox_init(&gate->mailbox, &gate->loop, gate) ||
        !netlink_open(&gate->nftables, NETLINK_NETFILTER, 0)) {
        log_error("the gate could not be opened: %m");
        gate_close(gate);
        return NULL;
    }
    if (!open_queue(gate) || !find_lan(gate)) {
        gate_close(gate);
        return NULL;
    }
    return gate;
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
    if (gate->queue.netlink.socket != NULL &&
        !loop_add(&gate->loop, &gate->queue_watch, queue_fd(&gate->queue), EPOLLIN, queue_ready))
        return false;
    return gate->link_events.socket == NULL ||
           loop_add(&gate->loop, &gate->link_watch, mnl_socket_get_fd(gate->link_events.socket),
                    EPOLLIN, link_ready);
}

/* The routes are only for the one who has the table, and no packet is marked before they are there:
 * the devices' interfaces are named last. */
static bool put_in_force(struct gate *gate)
{
    const struct gate_options *options = &gate->options;
    gate->installed = options->external_ruleset ? use_external(gate) : install(gate);
    if (!gate->installed)
        return false;
    gate->routed = routes_add(&options->marks, options->route_table);
    if (!gate->routed) {
        log_error("the policy routes could not be added: %m");
        return false;
    }
    if (options->external_ruleset ||
        ruleset_set_lan(&gate->nftables, gate->lan.names, gate->lan.count))
        return true;
    log_error("the ruleset could not be put in force: %m");
    return false;
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
}

static void remove_ruleset(struct gate *gate)
{
    if (!gate->installed)
        return;
    if (gate->options.external_ruleset)
        (void)!decided_flush(&gate->nftables);
    else if (gate->options.fail_closed)
        ruleset_remove(&gate->nftables);
}

void gate_close(struct gate *gate)
{
    if (gate->running)
        stop_thread(gate);
    remove_ruleset(gate);
    netlink_close(&gate->nftables);
    if (gate->routed)
        routes_remove(&gate->options.marks, gate->options.route_table);
    loop_remove(&gate->loop, &gate->queue_watch);
    loop_remove(&gate->loop, &gate->link_watch);
    queue_close(&gate->queue);
    netlink_close(&gate->link_events);
    if (gate->mailbox.receiver != NULL)
        mailbox_fini(&gate->mailbox);
    loop_fini(&gate->loop);
    gate->options.judge.release(gate->policy);
    pthread_mutex_destroy(&gate->lan_lock);
    free(gate);
}

const struct gate_counters *gate_counters(const struct gate *gate)
{
    return &gate->counters;
}

uint32_t gate_pass_timeout(const struct gate *gate)
{
    return gate->options.pass_timeout;
}

enum queue_kind gate_queue_kind(const struct gate *gate)
{
    return gate->queue_kind;
}
