/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * streams.h - events for those who follow them: each line of the records as it is written, also
 * where it is written to no file. While nobody follows, nothing is done for it. The control
 * thread's. */
#ifndef CONTROL_STREAMS_H
#define CONTROL_STREAMS_H

#include "control/socket.h"
#include "event/recorder.h"

#include <sys/queue.h>

struct follower;
LIST_HEAD(follower_list, follower);

struct streams {
    struct loop *loop;
    struct recorder *recorder;
    struct watch watch; /* of what the recorder has for us */
    struct follower_list followers;
};

void streams_init(struct streams *streams, struct loop *loop, struct recorder *recorder);

/* When no client is left. */
void streams_fini(struct streams *streams);

/* Answers the request: from now on its client gets the events. */
void streams_follow(struct streams *streams, struct control_request *request);

#endif
