/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/bypassed.h"

#include "core/log.h"
#include "core/mailbox.h"
#include "core/ring.h"
#include "core/thread.h"
#include "event/eve.h"
#include "gate/accounting.h"
#include "gate/conntrack.h"
#include "gate/listener.h"
#include "gate/neighbour.h"
#include "policy/history.h"
#include "policy/outcome.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* Nobody waits for these records, so those of this time (ms) are read and written together. */
#define PAUSE 20
/* The kernel notices ends in bursts, thousands of them: they are read at once, four times as fast
 * as they are written, and take a tenth of the room here that they take in the socket. */
#define WAITING_SIZE ((size_t)4 << 20)
#define READS_A_TURN 1024
#define WRITES_A_TURN 256
/* More than a record takes. */
#define ROOM ((size_t)64 << 10)
/* How often losses are told, in ms. */
#define TELLING_TIME 60000
/* Connections that are cut by one look at all of them. */
#define CUTS_AT_ONCE 4096
/* In policies of the past. */
#define PATTERNS_KEPT 40000

struct bypassed {
    uint8_t ports[8192];
    struct recorder_feed *feed;
    struct bypassed_counters counters;
    bool tracking; /* the kernel tracks connections, and tells us */
    struct conntrack conntrack;
    struct neighbours neighbours;
    struct history history;
    struct arena arena; /* of one flow at a time */

    struct loop loop;
    struct mailbox mailbox;
    struct watch events_watch;
    struct ring waiting; /* connections that are over, and not written down yet */
    struct timeout_class pause_time;
    struct timer pause;
    pthread_t thread;
    bool running;
    uint32_t lost;         /* on the socket that is open */
    uint64_t lost_told_at; /* ms; 0: never */
};

/* What is known of a connection, and why it passed. The text lives until the arena is emptied. */
struct account {
    struct flow flow;
    struct decision decision;
    uint64_t revision;
    char place[RULE_PLACE_SIZE];
};

static void describe(struct bypassed *bypassed, struct flow *flow,
                     const struct conntrack_entry *entry)
{
    *flow = (struct flow){
        .device = entry->device, .origin = entry->origin, .protocol = entry->protocol};
    neighbours_find(&bypassed->neighbours, flow, bypassed->loop.now);
    policy_describe(history_newest(&bypassed->history), flow, &bypassed->arena);
}

static void account_for(struct bypassed *bypassed, struct account *account,
                        const struct conntrack_entry *entry)
{
    describe(bypassed, &account->flow, entry);
    account->decision =
        history_explain(&bypassed->history, &account->flow, entry->start, &account->revision);
    if (account->decision.rule != NULL)
        rule_place(account->decision.rule, account->place);
}

/* ---- records ---- */

static struct timeval timeval_of(uint64_t time)
{
    return (struct timeval){.tv_sec = (time_t)(time / CLOCK_SECOND),
                            .tv_usec = (suseconds_t)(time % CLOCK_SECOND / 1000)};
}

static void write_record(struct bypassed *bypassed, const struct conntrack_entry *entry)
{
    struct account account;
    account_for(bypassed, &account, entry);
    const struct pattern_source *rule = account.decision.rule;
    struct record record = {
        .flow_id = record_flow_id(&account.flow),
        .flow = &account.flow,
        .start = timeval_of(entry->start),
        .end = timeval_of(entry->last != 0 ? entry->last : clock_wall()),
        .action = "bypass",
        .reason = reason_name(account.decision.reason),
        .rule = rule != NULL ? rule->text : NULL,
        .rule_place = rule != NULL ? account.place : NULL,
        .learned = account.decision.learned,
        .evidence = outcome_evidence(history_newest(&bypassed->history), &account.decision,
                                     &bypassed->arena),
        .policy_revision = account.revision,
        .ending = entry->cut ? ENDING_CUT : ENDING_NONE,
        .client = {.alert_in = RECORD_NO_ALERT, .alert_out = RECORD_NO_ALERT},
        .upstream = {.alert_in = RECORD_NO_ALERT, .alert_out = RECORD_NO_ALERT},
        .state = "bypassed",
        .uncounted = !entry->counted,
        .packets_to_server = entry->packets_to_server,
        .packets_to_client = entry->packets_to_client,
        .bytes_to_server = entry->bytes_to_server,
        .bytes_to_client = entry->bytes_to_client,
    };
    counter_add(&bypassed->counters.reasons[account.decision.reason], 1);
    eve_write(bypassed->feed, EVE_FLOW, &record);
    arena_fini(&bypassed->arena);
}

/* There is room for it: that was looked at before it was read. */
static void entry_over(void *context, const struct conntrack_entry *entry)
{
    struct bypassed *bypassed = context;
    counter_add(&bypassed->counters.ended, 1);
    (void)!ring_put(&bypassed->waiting, 0, entry, sizeof(*entry));
}

/* False if there is nothing more to be read, or no room for it. */
static bool read_some(struct bypassed *bypassed)
{
    for (int i = 0; i < READS_A_TURN; i++)
        if (!ring_fits(&bypassed->waiting, sizeof(struct conntrack_entry)) ||
            !conntrack_read(&bypassed->conntrack, 1))
            return false;
    return true;
}

/* False if there is nothing more to be written, or the recorder has no room for it. */
static bool write_some(struct bypassed *bypassed)
{
    uint32_t tag;
    size_t length;
    const struct conntrack_entry *entry;
    for (int i = 0; i < WRITES_A_TURN; i++) {
        entry = ring_peek(&bypassed->waiting, &tag, &length);
        if (entry == NULL || !recorder_has_room(bypassed->feed, ROOM))
            return false;
        write_record(bypassed, entry);
        ring_consume(&bypassed->waiting);
    }
    return true;
}

static void count_losses(struct bypassed *bypassed)
{
    uint32_t lost = conntrack_lost(&bypassed->conntrack);
    if (lost == bypassed->lost)
        return;
    counter_add(&bypassed->counters.lost, lost - bypassed->lost);
    bypassed->lost = lost;
    uint64_t now = bypassed->loop.now;
    if (bypassed->lost_told_at != 0 && now - bypassed->lost_told_at < TELLING_TIME)
        return;
    bypassed->lost_told_at = now;
    log_warning("more ignored connections end than can be recorded: %llu have left no record so "
                "far (ignored = no in [events] records none)",
                (unsigned long long)counter_read(&bypassed->counters.lost));
}

static bool is_listening(const struct bypassed *bypassed)
{
    return bypassed->events_watch.fd >= 0;
}

static void pause_over(struct timer *timer);

static void work(struct bypassed *bypassed)
{
    struct watch *watch = &bypassed->events_watch;
    bool more = is_listening(bypassed) && read_some(bypassed);
    more = write_some(bypassed) || more;
    count_losses(bypassed);
    if (more && is_listening(bypassed)) {
        loop_again(&bypassed->loop, watch);
        return;
    }
    if (is_listening(bypassed))
        loop_change(&bypassed->loop, watch, 0);
    timer_start(&bypassed->pause, &bypassed->pause_time, bypassed->loop.now, pause_over);
}

static void pause_over(struct timer *timer)
{
    struct bypassed *bypassed = container_of(timer, struct bypassed, pause);
    uint32_t tag;
    size_t length;
    if (is_listening(bypassed))
        loop_change(&bypassed->loop, &bypassed->events_watch, EPOLLIN);
    if (ring_peek(&bypassed->waiting, &tag, &length) != NULL)
        work(bypassed);
}

static void events_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    work(container_of(watch, struct bypassed, events_watch));
}

/* As the newest policy says. */
static void listen_or_not(struct bypassed *bypassed)
{
    const struct policy *policy = policy_view_policy(history_newest(&bypassed->history));
    bool wanted = bypassed->tracking && policy_config(policy)->ignored_events;
    if (wanted == is_listening(bypassed))
        return;
    loop_remove(&bypassed->loop, &bypassed->events_watch);
    bypassed->lost = 0;
    if (conntrack_listen(&bypassed->conntrack, wanted ? entry_over : NULL, bypassed) &&
        (!wanted || loop_add(&bypassed->loop, &bypassed->events_watch,
                             conntrack_fd(&bypassed->conntrack), EPOLLIN, events_ready)))
        return;
    log_warning("ignored connections leave no record: the kernel does not tell of them: %m");
}

/* ---- what is open ---- */

struct listing {
    struct bypassed *bypassed;
    struct flow_list *list;
};

static void list_entry(void *context, const struct conntrack_entry *entry)
{
    const struct listing *listing = context;
    struct bypassed *bypassed = listing->bypassed;
    struct account account;
    if (entry->closed)
        return;
    if (!flow_list_has_room(listing->list)) {
        flow_list_count(listing->list, 1);
        return;
    }
    account_for(bypassed, &account, entry);
    const struct pattern_source *rule = account.decision.rule;
    const struct open_flow item = {
        .flow_id = record_flow_id(&account.flow),
        .flow = account.flow,
        .state = entry->state,
        .action = "bypass",
        .reason = reason_name(account.decision.reason),
        .rule = rule != NULL ? rule->text : NULL,
        .rule_place = rule != NULL ? account.place : NULL,
        .policy_revision = account.revision,
        .start = entry->start / (CLOCK_SECOND / 1000),
        .counted = entry->counted,
        .packets_to_server = entry->packets_to_server,
        .packets_to_client = entry->packets_to_client,
        .bytes_to_server = entry->bytes_to_server,
        .bytes_to_client = entry->bytes_to_client,
    };
    flow_list_add(listing->list, &item);
    arena_fini(&bypassed->arena);
}

void bypassed_list(struct bypassed *bypassed, struct flow_list *list)
{
    struct listing listing = {bypassed, list};
    if (bypassed->tracking && !conntrack_list(&bypassed->conntrack, list_entry, &listing))
        log_warning("what passes in the kernel cannot be listed: %m");
}

/* ---- cutting ---- */

struct cutting {
    struct bypassed *bypassed;
    struct conntrack_entry *found;
    size_t count;
};

static bool is_taken_port(const struct bypassed *bypassed, const struct flow *flow)
{
    uint16_t port = flow->origin.port;
    return port_is_in(bypassed->ports, port) && (flow->protocol == IPPROTO_TCP || port == 443);
}

static bool is_to_be_cut(const struct bypassed *bypassed, const struct flow *flow, uint64_t start)
{
    return is_taken_port(bypassed, flow) && history_differs(&bypassed->history, flow, start) &&
           !listener_address_is_ours(&flow->origin);
}

static void find_entry(void *context, const struct conntrack_entry *entry)
{
    struct cutting *cutting = context;
    struct flow flow;
    if (entry->closed || cutting->count == CUTS_AT_ONCE)
        return;
    describe(cutting->bypassed, &flow, entry);
    if (is_to_be_cut(cutting->bypassed, &flow, entry->start))
        cutting->found[cutting->count++] = *entry;
    arena_fini(&cutting->bypassed->arena);
}

static uint64_t cut_found(struct bypassed *bypassed, const struct cutting *cutting)
{
    uint64_t count = 0;
    for (size_t i = 0; i < cutting->count; i++) {
        if (conntrack_cut(&bypassed->conntrack, &cutting->found[i]))
            count++;
        else if (errno != ENOENT)
            log_warning("a connection that passes in the kernel cannot be cut: %m");
    }
    return count;
}

uint64_t bypassed_cut(struct bypassed *bypassed)
{
    struct cutting cutting = {.bypassed = bypassed};
    uint64_t total = 0, count;
    cutting.found = malloc(CUTS_AT_ONCE * sizeof(*cutting.found));
    if (!bypassed->tracking || cutting.found == NULL) {
        free(cutting.found);
        return 0;
    }
    do {
        cutting.count = count = 0;
        if (conntrack_list(&bypassed->conntrack, find_entry, &cutting))
            count = cut_found(bypassed, &cutting);
        else
            log_warning("what passes in the kernel cannot be cut: %m");
        total += count;
    } while (count > 0 && cutting.count == CUTS_AT_ONCE);
    free(cutting.found);
    return total;
}

/* ---- messages ---- */

struct reload_message {
    struct message message;
    struct policy_view *view;
    uint64_t since;
};

static void deliver_reload(struct message *message, void *receiver)
{
    struct bypassed *bypassed = receiver;
    struct reload_message *reload = container_of(message, struct reload_message, message);
    history_add(&bypassed->history, reload->view, reload->since);
    free(reload);
    if (bypassed->running)
        listen_or_not(bypassed);
}

void bypassed_reload(struct bypassed *bypassed, struct policy_view *view, uint64_t since)
{
    struct reload_message *reload = malloc(sizeof(*reload));
    CHECK(reload != NULL);
    *reload = (struct reload_message){{.deliver = deliver_reload}, view, since};
    mailbox_post(&bypassed->mailbox, &reload->message);
}

void bypassed_call(struct bypassed *bypassed, void (*function)(void *context), void *context)
{
    mailbox_call(&bypassed->mailbox, function, context);
}

/* ---- opening and closing ---- */

struct bypassed *bypassed_open(const struct bypassed_options *options, struct policy_view *view)
{
    struct bypassed *bypassed = calloc(1, sizeof(*bypassed));
    CHECK(bypassed != NULL);
    memcpy(bypassed->ports, options->ports, sizeof(bypassed->ports));
    bypassed->feed = options->feed;
    bypassed->events_watch.fd = -1;
    history_init(&bypassed->history, PATTERNS_KEPT);
    history_add(&bypassed->history, view, clock_wall());
    if (!loop_init(&bypassed->loop) ||
        !mailbox_init(&bypassed->mailbox, &bypassed->loop, bypassed) ||
        !neighbours_open(&bypassed->neighbours) || !ring_init(&bypassed->waiting, WAITING_SIZE)) {
        log_error("what passes in the kernel cannot be watched: %m");
        bypassed_close(bypassed);
        return NULL;
    }
    timeout_class_init(&bypassed->pause_time, &bypassed->loop.timeouts, PAUSE);
    bypassed->tracking = conntrack_open(&bypassed->conntrack, &options->marks);
    if (bypassed->tracking)
        accounting_turn_on();
    else
        log_warning(
            "the kernel does not tell of the connections that it tracks (nf_conntrack_netlink"
            "): what is ignored is neither recorded nor listed: %m");
    return bypassed;
}

static void *run(void *context)
{
    struct bypassed *bypassed = context;
    thread_begin("bypassed");
    log_redirect(recorder_log_sink, bypassed->feed);
    loop_run(&bypassed->loop);
    if (is_listening(bypassed))
        (void)read_some(bypassed);
    while (write_some(bypassed))
        ;
    return NULL;
}

bool bypassed_start(struct bypassed *bypassed)
{
    listen_or_not(bypassed);
    bypassed->running = pthread_create(&bypassed->thread, NULL, run, bypassed) == 0;
    if (!bypassed->running)
        log_error("the thread that watches what passes in the kernel could not be started");
    return bypassed->running;
}

void bypassed_close(struct bypassed *bypassed)
{
    if (bypassed == NULL)
        return;
    if (bypassed->running) {
        mailbox_call(&bypassed->mailbox, loop_stop, &bypassed->loop);
        pthread_join(bypassed->thread, NULL);
        bypassed->running = false;
    }
    if (bypassed->mailbox.receiver != NULL)
        mailbox_fini(&bypassed->mailbox);
    timer_stop(&bypassed->pause);
    loop_remove(&bypassed->loop, &bypassed->events_watch);
    conntrack_close(&bypassed->conntrack);
    neighbours_close(&bypassed->neighbours);
    ring_fini(&bypassed->waiting);
    history_fini(&bypassed->history);
    loop_fini(&bypassed->loop);
    free(bypassed);
}

const struct bypassed_counters *bypassed_counters(const struct bypassed *bypassed)
{
    return &bypassed->counters;
}
