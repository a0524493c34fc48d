/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * answering.h - the packets that wait in the queue for a decision, and what the kernel is taught by
 * it: before datagrams go on, and some milliseconds after a SYN has.
 *
 * A part of the gate; its thread. */
#ifndef GATE_ANSWERING_H
#define GATE_ANSWERING_H

#include "gate/beginnings.h"
#include "gate/device_rules.h"
#include "gate/gate.h"
#include "gate/queue.h"

struct answering {
    /* The gate's, borrowed: */
    const struct gate_options *options;
    struct gate_counters *counters;
    struct netlink *nftables;
    const struct ruleset *ruleset;

    void *policy; /* the judge's */
    bool ending;  /* the kernel is taught nothing any more */
    struct decided_room room;
    struct queue queue;
    struct watch watch;
    struct beginnings beginnings;
    struct device_rules device_rules;
    struct { /* where the last packet came in; 0: not known */
        uint32_t index;
        char name[IF_NAMESIZE];
    } interface;
    struct arena arena; /* of what the judge has added to flows */
    struct lesson {     /* packets, and the decision on them, which the kernel is to know */
        struct waiting_packets packets;
        struct flow flow;
        struct gate_answer answer;
    } lessons[DECIDED_LIMIT];
    struct decided remembered[DECIDED_LIMIT]; /* of the lesson with the same index */
    size_t lesson_count;
    bool datagrams_wait; /* for one of them */
    struct loop *loop;
    struct timeout_class gathering;
    struct timer timer; /* until they are taught */
};

/* All but the gate's members is all-zero before, `watch.fd` is -1. False with errno. */
bool answering_init(struct answering *answering, struct loop *loop) must_check;

/* Also where it was not initialized. */
void answering_fini(struct answering *answering, struct loop *loop);

/* Takes hold of the queue; answering_start() begins to read it. False with errno. */
bool answering_open(struct answering *answering) must_check;
bool answering_start(struct answering *answering, struct loop *loop) must_check;
void answering_close(struct answering *answering, struct loop *loop);

/* Another policy: what was decided by the old one counts no more. The kernel is taught what was on
 * its way, so its rules, or those for single devices, are the caller's to flush afterwards. */
void answering_set_policy(struct answering *answering, void *policy);
void answering_forget(struct answering *answering, bool devices_only);

/* An interface may have another name now. */
void answering_forget_interface(struct answering *answering);

/* Teaches the kernel at once what waits to be taught. */
void answering_teach(struct answering *answering);

/* Teaches the kernel what a worker has decided. */
void answering_remember(struct answering *answering, const struct decided *decided);

/* A packet of a device's: an address that goes over to another device leaves its rules behind. */
void answering_see(struct answering *answering, const struct flow *flow);

/* The device has resolved another name to the address: rules that did not know of it go. */
void answering_news(struct answering *answering, const struct device_key *device,
                    const struct address *address);

#endif
