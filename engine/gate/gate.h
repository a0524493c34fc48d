/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gate.h - the kernel's door: the thread that answers for each new connection before its first
 * packet goes on, and keeps our table in the kernel.
 *
 * Nothing slow happens in this thread, ever: a SYN waits for it. It knows no policy; it asks the
 * judge that it was given. Functions may be called from the thread that opened the gate, unless
 * they say otherwise. */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "core/arena.h"
#include "core/counter.h"
#include "core/flow.h"
#include "core/log.h"
#include "core/reader.h"
#include "gate/decided.h"
#include "gate/exclusions.h"
#include "gate/interfaces.h"
#include "gate/ruleset.h"

/* What the judge says of a connection. */
struct gate_answer {
    enum verdict verdict;
    enum holds holds; /* for so many connections the kernel may remember it */
    int reason;       /* the judge's own: why, */
    uint64_t number;  /* and by what */
    const void *rule;
};

typedef void gate_dns_news(void *gate, const struct device_key *device,
                           const struct address *address);

/* Who decides. `policy` is what gate_open() or gate_reload() was given last; all calls come from
 * the gate's thread, and those about an answer before the policy changes. */
struct gate_judge {
    /* The first datagrams of a UDP flow, one after another, before it is decided: what they tell is
     * added to the flow. `*reading` is the judge's own, NULL before the first one; it lives in the
     * arena, as all that the flow points to. True: the next datagram would tell more, and this one
     * may wait for it. */
    bool (*read)(void *policy, struct flow *flow, void **reading, struct reader datagram,
                 struct arena *arena);
    /* DNS messages between a device and its resolver, where they are watched: they wait for this.
     * In the flow `device` is the device, whose MAC address is known in a query. `news` is called,
     * with `gate`, for each address that the device learns another name of. */
    void (*dns_query)(void *policy, const struct flow *flow, const uint8_t *bytes, size_t length);
    void (*dns_answer)(void *policy, const struct flow *flow, const uint8_t *bytes, size_t length,
                       gate_dns_news *news, void *gate);
    /* The packet waits for this. What else is known of the flow is added to it, and lives in the
     * arena, which is emptied when the packet was noted: some milliseconds later. */
    struct gate_answer (*decide)(void *policy, struct flow *flow, struct arena *arena);
    /* Why, for whoever lists the kernel's rules. */
    void (*explain)(const struct gate_answer *answer, char comment[static DECIDED_COMMENT_SIZE]);
    /* The packet has gone on: the time to write it down. */
    void (*note)(void *policy, const struct flow *flow, const struct gate_answer *answer);
    void (*release)(void *policy);
};

struct gate_options {
    struct marks marks;
    uint16_t listen_port;
    bool use_queue;
    uint16_t queue;
    bool watch_dns; /* by the queue behind that one */
    bool fail_closed;
    bool source_device;
    bool external_ruleset;
    bool pass_quic;        /* as in struct ruleset */
    uint32_t pass_timeout; /* seconds */
    uint32_t route_table;
    const uint8_t *ports;          /* as in struct ruleset_contents; borrowed in gate_open() */
    const char *const *lan;        /* names of interfaces, borrowed for the gate's life; */
    size_t lan_count;              /* none: found, and followed as they change */
    struct exclusions *exclusions; /* goes over to the gate */
    struct gate_judge judge;
    log_sink *log; /* where the gate's thread logs to; NULL: to standard error */
    void *log_context;
};

/* Written by the gate's thread, read by any. */
struct gate_counters {
    struct counter packets;    /* that came through the queue */
    struct counter passed;     /* answered with PASS */
    struct counter taken;      /* answered with TAKE */
    struct counter unreadable; /* of no use to us: passed, or dropped where we fail closed */
    struct counter remembered; /* kernel rules added */
    struct counter forgotten;  /* kernel rules that could not be added: a set was full, or gone */
};

struct gate;

/* Takes hold of everything in the kernel that others could have (queue, table), and starts nothing.
 * `policy` and the exclusions go over to the gate, also on failure. NULL after the reason was
 * logged. */
struct gate *gate_open(const struct gate_options *options, void *policy) must_check;

/* Starts the thread and, last of all, puts the ruleset in force. False after the reason was logged.
 */
bool gate_start(struct gate *gate) must_check;

/* A new policy, who is excluded by it, and whether it needs DNS to be watched; the gate takes the
 * first two over. From one moment on every new connection is decided by it, and what the kernel
 * remembered of the old one is gone. Any thread. */
void gate_reload(struct gate *gate, void *policy, struct exclusions *exclusions, bool watch_dns);

/* Since when the policy is in force, in ns since 1970: what began before has passed by another one.
 * The gate's thread: gate_ping() leads there. */
uint64_t gate_in_force_since(const struct gate *gate);

/* A worker has decided a connection that the kernel may decide by itself from now on; unless, for a
 * device, something was learned meanwhile that it did not know. Any thread. */
void gate_remember(struct gate *gate, const struct decided *decided);

/* What the kernel remembers is gone when `done` is called, in the gate's thread, with whether it
 * worked; NULL: nobody wants to know. Any thread. */
void gate_flush(struct gate *gate, void (*done)(void *context, bool flushed), void *context);

/* The same of what holds for single devices only. */
void gate_flush_devices(struct gate *gate, void (*done)(void *context, bool flushed),
                        void *context);

/* Calls `pong(context)` from the gate's thread: it is alive. Any thread. */
void gate_ping(struct gate *gate, void (*pong)(void *context), void *context);

/* From now on nothing new is to be taken: where there is no queue, nobody asks. Any thread. */
void gate_drain(struct gate *gate);

/* Ends the thread, and takes the ruleset and the routes away. Where they fail closed only an
 * `orderly` end opens. The gate may still be given messages, to no effect. */
void gate_stop(struct gate *gate, bool orderly);
void gate_free(struct gate *gate);

const struct gate_counters *gate_counters(const struct gate *gate);
uint32_t gate_pass_timeout(const struct gate *gate); /* seconds; as it was when the gate opened */
enum queue_kind gate_queue_kind(const struct gate *gate);
bool gate_watches_dns(const struct gate *gate);      /* any thread */
uint16_t gate_queue_number(const struct gate *gate); /* if there is a queue */

/* The devices' interfaces, as they are now, separated by blanks; or that we do not know them. Any
 * thread. */
void gate_lan_text(struct gate *gate, char *text, size_t size);

/* The same as a list; where the ruleset is another's, the interfaces without a default route. False
 * if they cannot be found. Any thread. */
bool gate_lan(struct gate *gate, struct interfaces *lan) must_check;

#endif
