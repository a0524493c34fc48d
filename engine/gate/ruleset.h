/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ruleset.h - our table in the kernel: `inet interceptd`.
 *
 * nft/interceptd.nft is the same ruleset as text, with the reasons; read that first. This builds it
 * in one transaction. With the owner flag the kernel removes the table when our netlink socket
 * closes, however we end, and keeps everybody else's hands off it: a router without us is a plain
 * router.
 *
 * One thread at a time: the one that holds the netlink socket. */
#ifndef GATE_RULESET_H
#define GATE_RULESET_H

#include "core/flow.h"
#include "gate/exclusions.h"
#include "gate/netlink.h"

#define RULESET_TABLE "interceptd"
/* The queue of DNS messages, by the other one's number. */
static inline uint16_t dns_queue_number(uint16_t queue)
{
    return (uint16_t)(queue + 1);
}

/* Elements that each of the sets of decisions takes. */
#define RULESET_SIZE_LIMIT 131072

/* How a new connection's first packet comes to us. */
enum queue_kind {
    QUEUE_NATIVE,  /* the queue statement of nftables */
    QUEUE_XTABLES, /* the NFQUEUE target of xtables, through nft_compat */
    QUEUE_NONE,    /* not at all: every connection is taken, and decided by a worker */
};
const char *queue_kind_text(enum queue_kind kind);

/* The values of the packet mark, within `mask`; other bits belong to others. They are the ct
 * mark's, too, once a connection is decided. */
struct marks {
    uint32_t mask;
    uint32_t take;   /* for the local listener */
    uint32_t pass;   /* decided: goes through */
    uint32_t refuse; /* is answered with an ICMP error; as a ct mark: has passed, and was cut */
};

/* `take` is the operator's; the other two are the lowest values left in the mask. */
struct marks marks_choose(uint32_t take, uint32_t mask);

struct ruleset {
    bool external; /* somebody else's: only its elements are ours to change */
    struct marks marks;
    uint16_t listen_port;
    uint16_t queue;
    enum queue_kind queue_kind;
    bool source_device;    /* origins see the device's address: their answers come to us */
    bool pass_quic;        /* QUIC flows, where there is no queue to ask of it */
    bool fail_closed;      /* stays behind when we end, and lets nothing new through */
    uint32_t pass_timeout; /* seconds */
};

/* What it is filled with at first. */
struct ruleset_contents {
    const uint8_t *ports;        /* 65536 bits: the TCP ports that are taken */
    const char (*lan)[IFNAMSIZ]; /* the devices' interfaces */
    size_t lan_count;
    const struct exclusions *exclusions;
};

/* The bit of a port in such a map. */
static inline bool port_is_in(const uint8_t *ports, uint16_t port)
{
    return (ports[port >> 3] >> (port & 7) & 1) != 0;
}

/* Replaces the table, atomically, by what `ruleset` says, or by the best of it that this kernel
 * can, and fills it with the contents: `queue_kind` is changed to what is used, and what is done
 * without is logged. False with errno after the reason was logged; EPERM if the table is owned by
 * another process. */
bool ruleset_install(struct netlink *netlink, struct ruleset *ruleset,
                     const struct ruleset_contents *contents) must_check;

/* Removes a table that would stay. */
void ruleset_remove(struct netlink *netlink);

/* From now on the DNS messages of devices go to the queue behind this one; or they do no more. */
bool ruleset_set_dns(struct netlink *netlink, const struct ruleset *ruleset,
                     bool watched) must_check;

/* Says which interfaces are the devices'. */
bool ruleset_set_lan(struct netlink *netlink, const char (*lan)[IFNAMSIZ], size_t count) must_check;

/* Forgets every decision, or those that hold for single devices only: in one transaction, which
 * takes as long for a hundred thousand of them as for one. In a ruleset of somebody else's it takes
 * as long as there are many: each is deleted. */
bool ruleset_forget(struct netlink *netlink, const struct ruleset *ruleset,
                    bool devices_only) must_check;

/* Forgets every decision and says anew which devices are excluded, in one transaction. */
bool ruleset_renew(struct netlink *netlink, const struct ruleset *ruleset,
                   const struct exclusions *exclusions) must_check;

/* True if a table of this name, with our sets, is there: for `ruleset = external`. */
bool ruleset_exists(struct netlink *netlink);

#endif
