/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/streams.h"

#include <errno.h>
#include <string.h>

/* Then others have their turn. */
#define LINES_A_TURN 1024

struct follower {
    struct control_stream stream;
    struct streams *streams;
    LIST_ENTRY(follower) link;
};

void streams_init(struct streams *streams, struct loop *loop, struct recorder *recorder)
{
    *streams = (struct streams){.loop = loop, .recorder = recorder, .watch.fd = -1};
    LIST_INIT(&streams->followers);
}

static void stop_following(struct streams *streams)
{
    if (streams->watch.fd < 0)
        return;
    recorder_unfollow(streams->recorder);
    loop_remove(streams->loop, &streams->watch);
}

void streams_fini(struct streams *streams)
{
    stop_following(streams);
}

/* ---- lines ---- */

static void send_to_all(struct streams *streams, const char *line, size_t length)
{
    struct follower *follower;
    LIST_FOREACH (follower, &streams->followers, link)
        control_stream_send(&follower->stream, line, length);
}

static void end_turn(struct streams *streams, uint64_t lost)
{
    struct follower *follower;
    LIST_FOREACH (follower, &streams->followers, link) {
        control_stream_lose(&follower->stream, lost);
        control_stream_flush(&follower->stream);
    }
}

static void lines_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct streams *streams = container_of(watch, struct streams, watch);
    uint64_t lost = 0;
    for (size_t i = 0; i < LINES_A_TURN; i++) {
        size_t length;
        const char *line = recorder_next(streams->recorder, &length, &lost);
        if (line == NULL) {
            end_turn(streams, lost);
            return;
        }
        send_to_all(streams, line, length);
        recorder_followed(streams->recorder);
    }
    end_turn(streams, 0);
    loop_again(streams->loop, watch);
}

/* ---- followers ---- */

static void follower_gone(struct control_stream *stream)
{
    struct follower *follower = container_of(stream, struct follower, stream);
    struct streams *streams = follower->streams;
    LIST_REMOVE(follower, link);
    free(follower);
    if (LIST_EMPTY(&streams->followers))
        stop_following(streams);
}

static bool start_following(struct streams *streams)
{
    if (streams->watch.fd >= 0)
        return true;
    int news = recorder_follow(streams->recorder);
    if (news >= 0 && loop_add(streams->loop, &streams->watch, news, EPOLLIN, lines_ready))
        return true;
    recorder_unfollow(streams->recorder);
    return false;
}

void streams_follow(struct streams *streams, struct control_request *request)
{
    if (!start_following(streams)) {
        control_refuse(request, "failed", NULL, "the events cannot be followed: %s",
                       strerror(errno));
        return;
    }
    struct follower *follower = calloc(1, sizeof(*follower));
    CHECK(follower != NULL);
    follower->streams = streams;
    follower->stream.gone = follower_gone;
    LIST_INSERT_HEAD(&streams->followers, follower, link);
    if (!control_stream_open(&follower->stream, request))
        follower_gone(&follower->stream);
}
