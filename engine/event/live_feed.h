/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * live_feed.h - packets for whoever connects: classic pcap over TCP, as Wireshark, Arkime and
 * NetworkMiner read it ("PCAP-over-IP", port 57012).
 *
 * Each client has a buffer of its own. What does not fit is lost to that client, and counted; it
 * holds up nobody. The capturing thread's. */
#ifndef EVENT_LIVE_FEED_H
#define EVENT_LIVE_FEED_H

#include "core/jsonw.h"
#include "core/loop.h"
#include "event/packet_sinks.h"

#define LIVE_CLIENTS_LIMIT 16
/* What a client has still to take at most. */
#define LIVE_BUFFER_SIZE ((size_t)4 << 20)

struct live_client;

struct live_feed {
    struct loop *loop;
    struct packet_sinks *sinks;
    struct address address; /* family 0: it is closed */
    struct watch watch;     /* of the listening socket */
    LIST_HEAD(live_clients, live_client) clients;
    size_t count;
    uint64_t lost; /* packets, to clients that are gone */
    uint64_t refused;
};

void live_feed_init(struct live_feed *feed, struct loop *loop, struct packet_sinks *sinks);

/* False with errno. */
bool live_feed_open(struct live_feed *feed, const struct address *address) must_check;

/* Also closes its clients. Harmless if it is closed. */
void live_feed_close(struct live_feed *feed);

/* {"address": …, "clients": […], …}; nothing if it is closed. */
void live_feed_write(const struct live_feed *feed, struct jsonw *json);

#endif
