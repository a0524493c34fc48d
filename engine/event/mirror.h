/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mirror.h - packets sent out on an interface, for an IDS that listens there.
 *
 * The socket is opened while there is the right to (CAP_NET_RAW); to send needs none. The capturing
 * thread's. */
#ifndef EVENT_MIRROR_H
#define EVENT_MIRROR_H

#include "core/jsonw.h"
#include "event/packet_sinks.h"

#include <net/if.h>

struct mirror {
    struct packet_sink sink;
    int fd;                   /* borrowed */
    char interface[IFNAMSIZ]; /* empty: it is closed */
    unsigned index;           /* 0: there is no such interface now */
};

/* A raw socket that receives nothing; -1 with errno. */
int mirror_socket(void) must_check;

/* From now on it is a sink of `sinks`. An interface that is not there may come. False if there is
 * no slot for it. */
bool mirror_open(struct mirror *mirror, int fd, const char *interface,
                 struct packet_sinks *sinks) must_check;
void mirror_close(struct mirror *mirror, struct packet_sinks *sinks);

/* {"interface": …, …}; nothing if it is closed. */
void mirror_write(const struct mirror *mirror, struct jsonw *json);

#endif
