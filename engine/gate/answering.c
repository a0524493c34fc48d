/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/answering.h"

#include "gate/packet.h"

#include <string.h>
#include <time.h>

/* New connections that are answered in a turn of the loop. */
#define READS_A_TURN 256
/* For how long lessons on SYNs are gathered: a transaction behind each was in the way of its
 * answer. */
#define GATHERING_MS 10
/* Through a flood the gate would keep its processor, since it runs in real time: after a full turn
 * others have it for so long, the kernel's own threads among them. */
#define BREATH_NS 200000

/* ---- deciding ---- */

static void add_to_kernel(struct answering *answering, const struct decided *decided, size_t count)
{
    const size_t added =
        decided_add(answering->nftables, &answering->room, decided, count, clock_ms());
    counter_add(&answering->counters->remembered, added);
    counter_add(&answering->counters->forgotten, count - added);
}

static uint32_t mark_for(const struct answering *answering, const struct flow *flow,
                         enum verdict verdict)
{
    const struct marks *marks = &answering->options->marks;
    if (verdict == VERDICT_PASS)
        return marks->pass;
    return flow->protocol == IPPROTO_TCP ? marks->take : marks->refuse;
}

static void let_go(struct answering *answering, const struct lesson *lesson)
{
    uint32_t bits = mark_for(answering, &lesson->flow, lesson->answer.verdict);
    for (size_t i = 0; i < lesson->packets.count; i++)
        queue_accept(&answering->queue, lesson->packets.items[i].id,
                     lesson->packets.items[i].mark | bits);
}

/* The kernel learns, and then datagrams go on: those that follow at once are not seen here. A SYN
 * has gone on by now, since nothing follows until it is answered; another connection that begins
 * meanwhile is decided here, as it was. */
void answering_teach(struct answering *answering)
{
    const struct gate_judge *judge = &answering->options->judge;
    size_t count = answering->lesson_count;
    answering->lesson_count = 0;
    answering->datagrams_wait = false;
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        judge->explain(&answering->lessons[i].answer, answering->remembered[i].comment);
    add_to_kernel(answering, answering->remembered, count);
    for (size_t i = 0; i < count; i++)
        if (answering->lessons[i].flow.protocol == IPPROTO_UDP)
            let_go(answering, &answering->lessons[i]);
    for (size_t i = 0; i < count; i++)
        judge->note(answering->policy, &answering->lessons[i].flow, &answering->lessons[i].answer);
}

static void time_to_teach(struct timer *timer)
{
    struct answering *answering = container_of(timer, struct answering, timer);
    answering_teach(answering);
    arena_fini(&answering->arena);
}

/* After some packets were answered. */
static void finish_turn(struct answering *answering)
{
    if (answering->datagrams_wait)
        answering_teach(answering);
    if (answering->lesson_count == 0)
        arena_fini(&answering->arena);
    else if (answering->timer.class == NULL)
        timer_start(&answering->timer, &answering->gathering, answering->loop->now, time_to_teach);
}

/* What waits to be taught goes with the rest: nobody would know of it any more. */
static void flush_device_rules(struct answering *answering)
{
    answering_teach(answering);
    device_rules_flushed(&answering->device_rules);
    decided_room_reset(&answering->room, true);
    if (!answering->ending && !ruleset_forget(answering->nftables, answering->ruleset, true))
        log_error("the kernel's decisions for devices could not be flushed: %m");
}

void answering_see(struct answering *answering, const struct flow *flow)
{
    if (device_rules_see(&answering->device_rules, flow))
        flush_device_rules(answering);
}

static void add_lesson(struct answering *answering, const struct lesson *lesson)
{
    const struct flow *flow = &lesson->flow;
    struct decided *decided = &answering->remembered[answering->lesson_count];
    *decided = (struct decided){
        .origin = flow->origin, .protocol = flow->protocol, .verdict = lesson->answer.verdict};
    if (lesson->answer.holds == HOLDS_FOR_DEVICE)
        decided_for_device(decided, flow, answering->options->pass_timeout, clock_ms());
    if (decided->device.family != 0)
        (void)!device_rules_add(&answering->device_rules, decided); /* nothing is newer here */
    if (flow->protocol == IPPROTO_UDP)
        answering->datagrams_wait = true;
    answering->lessons[answering->lesson_count++] = *lesson;
    if (answering->lesson_count == DECIDED_LIMIT)
        answering_teach(answering);
}

/* Destinations that pass are remembered, and those whose QUIC is refused, since a stubborn sender
 * would fill the queue. TCP that is taken is not: each connection is to be seen here. */
static bool is_worth_remembering(const struct flow *flow, const struct gate_answer *answer)
{
    if (answer->verdict == VERDICT_PASS)
        return answer->holds != HOLDS_ONCE;
    return answer->holds == HOLDS_FOR_ALL && flow->protocol == IPPROTO_UDP;
}

static void decide(struct answering *answering, struct lesson *lesson)
{
    const struct gate_judge *judge = &answering->options->judge;
    lesson->answer = judge->decide(answering->policy, &lesson->flow, &answering->arena);
    counter_add(lesson->answer.verdict == VERDICT_PASS ? &answering->counters->passed
                                                       : &answering->counters->taken,
                1);
    bool remembered = is_worth_remembering(&lesson->flow, &lesson->answer);
    if (lesson->flow.protocol != IPPROTO_UDP || !remembered)
        let_go(answering, lesson);
    if (remembered)
        add_lesson(answering, lesson);
    else
        judge->note(answering->policy, &lesson->flow, &lesson->answer);
}

static void decide_beginning(struct answering *answering, struct beginning *beginning)
{
    struct lesson lesson = {.packets = beginning->packets, .flow = beginning->flow};
    decide(answering, &lesson);
    beginnings_decide(&answering->beginnings, beginning,
                      mark_for(answering, &lesson.flow, lesson.answer.verdict), &answering->arena);
}

static void beginning_expired(struct beginnings *beginnings, struct beginning *beginning)
{
    struct answering *answering = container_of(beginnings, struct answering, beginnings);
    decide_beginning(answering, beginning);
    finish_turn(answering);
}

/* A datagram that cannot be kept in mind is lost, and sent again. */
static void answer_datagram(struct answering *answering, const struct queued_packet *packet,
                            const struct flow *flow)
{
    struct reader payload = packet_payload(packet->bytes, packet->length);
    struct beginning *beginning =
        beginnings_get(&answering->beginnings, flow, packet_quic_id(payload));
    uint32_t mark = packet->mark & ~answering->options->marks.mask;
    if (beginning == NULL) {
        queue_drop(&answering->queue, packet->id);
        return;
    }
    if (beginning->decided) {
        queue_accept(&answering->queue, packet->id, mark | beginning->answer);
        return;
    }
    struct waiting_packets *packets = &beginning->packets;
    packets->items[packets->count].id = packet->id;
    packets->items[packets->count++].mark = mark;
    if (answering->options->judge.read(answering->policy, &beginning->flow, &beginning->reading,
                                       payload, &beginning->arena) &&
        beginnings_wait(&answering->beginnings, beginning))
        return;
    decide_beginning(answering, beginning);
}

/* Most come from one interface, and asking takes three system calls. */
static const char *interface_name(struct answering *answering, uint32_t index)
{
    if (answering->interface.index != index) {
        answering->interface.index = index;
        if (if_indextoname(index, answering->interface.name) == NULL)
            answering->interface.name[0] = '\0';
    }
    return answering->interface.name;
}

void answering_forget_interface(struct answering *answering)
{
    answering->interface.index = 0;
    answering->interface.name[0] = '\0';
}

static bool read_flow(struct answering *answering, struct flow *flow,
                      const struct queued_packet *packet)
{
    *flow = (struct flow){0};
    if (packet->mac != NULL) {
        memcpy(flow->mac, packet->mac, MAC_SIZE);
        flow->has_mac = true;
    }
    if (!packet_parse(flow, packet->bytes, packet->length))
        return false;
    memcpy(flow->interface, interface_name(answering, packet->in_ifindex), sizeof(flow->interface));
    return true;
}

static void answer_packet(struct queue *queue, const struct queued_packet *packet)
{
    struct answering *answering = container_of(queue, struct answering, queue);
    uint32_t mark = packet->mark & ~answering->options->marks.mask;
    struct lesson lesson = {.packets = {.items = {{packet->id, mark}}, .count = 1}};
    counter_add(&answering->counters->packets, 1);
    if (!read_flow(answering, &lesson.flow, packet)) {
        counter_add(&answering->counters->unreadable, 1);
        if (answering->options->fail_closed)
            queue_drop(queue, packet->id);
        else
            queue_accept(queue, packet->id, mark);
        return;
    }
    answering_see(answering, &lesson.flow);
    if (lesson.flow.protocol == IPPROTO_UDP)
        answer_datagram(answering, packet, &lesson.flow);
    else
        decide(answering, &lesson);
}

static void queue_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct answering *answering = container_of(watch, struct answering, watch);
    const bool flooded = queue_read(&answering->queue, READS_A_TURN);
    finish_turn(answering);
    if (flooded)
        (void)nanosleep(&(struct timespec){.tv_nsec = BREATH_NS}, NULL);
}

/* ---- life ---- */

bool answering_init(struct answering *answering, struct loop *loop)
{
    answering->loop = loop;
    timeout_class_init(&answering->gathering, &loop->timeouts, GATHERING_MS);
    return beginnings_init(&answering->beginnings, loop, beginning_expired);
}

void answering_fini(struct answering *answering, struct loop *loop)
{
    answering_close(answering, loop);
    beginnings_fini(&answering->beginnings);
    arena_fini(&answering->arena);
}

bool answering_open(struct answering *answering)
{
    const struct gate_options *options = answering->options;
    return queue_open(&answering->queue, options->queue, QUEUE_COPY_USUAL, !options->fail_closed,
                      answer_packet);
}

bool answering_start(struct answering *answering, struct loop *loop)
{
    return answering->queue.netlink.socket == NULL ||
           loop_add(loop, &answering->watch, queue_fd(&answering->queue), EPOLLIN, queue_ready);
}

void answering_close(struct answering *answering, struct loop *loop)
{
    loop_remove(loop, &answering->watch);
    queue_close(&answering->queue);
}

/* ---- what others know ---- */

void answering_forget(struct answering *answering, bool devices_only)
{
    answering_teach(answering);
    beginnings_forget(&answering->beginnings);
    device_rules_flushed(&answering->device_rules);
    decided_room_reset(&answering->room, devices_only);
}

void answering_set_policy(struct answering *answering, void *policy)
{
    answering_forget(answering, false);
    answering->options->judge.release(answering->policy);
    answering->policy = policy;
}

void answering_remember(struct answering *answering, const struct decided *decided)
{
    const bool is_true =
        decided->device.family == 0 || device_rules_add(&answering->device_rules, decided);
    if (!answering->ending && is_true)
        add_to_kernel(answering, decided, 1);
}

void answering_news(struct answering *answering, const struct device_key *device,
                    const struct address *address)
{
    if (device_rules_news(&answering->device_rules, device, address))
        flush_device_rules(answering);
}
