/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * netlink.h - requests to the kernel over a netlink socket of our own, answered at once.
 *
 * One thread at a time. All functions that return bool leave the kernel's answer in errno. */
#ifndef GATE_NETLINK_H
#define GATE_NETLINK_H

#include "core/macros.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

struct netlink {
    struct mnl_socket *socket;
    uint32_t port; /* our address on the bus */
    uint32_t sequence;
};

/* A request that fits one page: enough for everything but batches. */
#define NETLINK_REQUEST_SIZE 4096

/* `bus` is NETLINK_ROUTE or NETLINK_NETFILTER; `groups` as in mnl_socket_bind(). */
bool netlink_open(struct netlink *netlink, int bus, unsigned groups) must_check;
void netlink_close(struct netlink *netlink);

/* Starts a message in `buffer`, with the next sequence number and NLM_F_REQUEST. */
struct nlmsghdr *netlink_request(struct netlink *netlink, void *buffer, uint16_t type,
                                 uint16_t flags);

/* Sends one request and waits for all of its answer, handing each message to `each` (may be NULL).
 * The request should ask for NLM_F_ACK or NLM_F_DUMP. */
bool netlink_talk(struct netlink *netlink, const struct nlmsghdr *request, mnl_cb_t each,
                  void *context) must_check;

/* A transaction of nf_tables: all of it happens, or nothing. */
struct netlink_batch {
    struct netlink *netlink;
    struct mnl_nlmsg_batch *messages;
    char *buffer;
    bool overflow;
};

/* Starts a batch of at most `size` bytes, in memory that is freed by netlink_batch_commit(). What
 * is larger than USUAL takes a right that we have, CAP_NET_ADMIN. */
#define NETLINK_BATCH_USUAL ((size_t)200 << 10)
#define NETLINK_BATCH_LARGE ((size_t)2 << 20)
void netlink_batch_begin(struct netlink_batch *batch, struct netlink *netlink, size_t size);

/* Where the next message goes: a buffer with room for NETLINK_REQUEST_SIZE bytes. The header is
 * built by libnftnl, with the sequence number that is returned in *sequence. */
void *netlink_batch_next(struct netlink_batch *batch, uint32_t *sequence);

/* The message at netlink_batch_next() is complete. */
void netlink_batch_added(struct netlink_batch *batch);

/* Sends it. False if the kernel refused: errno says why, and *refused (unless NULL) is the sequence
 * number of the first message that it refused, or 0. */
bool netlink_batch_commit(struct netlink_batch *batch, uint32_t *refused) must_check;

#endif
