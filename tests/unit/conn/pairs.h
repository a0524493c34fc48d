/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pairs.h - what stands between a peer and us in these tests: a socket pair, of Unix sockets or
 * over loopback; bytes that tell by their value which they are; and what is open. */
#ifndef TESTS_CONN_PAIRS_H
#define TESTS_CONN_PAIRS_H

#include "core/macros.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    int ours, peer; /* the peer's is -1 once it is gone */
};

static inline bool pair_make(struct pair *pair)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    *pair = (struct pair){ends[0], ends[1]};
    return true;
}

/* For what only TCP does. What is sent may be a moment on its way. */
static inline bool pair_make_tcp(struct pair *pair)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *pair = (struct pair){-1, -1};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 &&
        listen(listener, 1) == 0 &&
        getsockname(listener, (struct sockaddr *)&address, &length) == 0) {
        pair->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(pair->peer, (struct sockaddr *)&address, length) == 0)
            pair->ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    close(listener);
    return pair->ours >= 0 && fcntl(pair->peer, F_SETFL, O_NONBLOCK) == 0;
}

/* Waits for this of poll(2)'s events on a socket: false if it does not come. */
static inline bool comes_in_time(int socket, short events)
{
    struct pollfd awaited = {.fd = socket, .events = events};
    return poll(&awaited, 1, 10000) == 1;
}

static inline void pair_close_peer(struct pair *pair)
{
    if (pair->peer >= 0)
        close(pair->peer);
    pair->peer = -1;
}

/* How many bytes of ours can wait for the peer: as few as the kernel lets us ask for. */
static inline void pair_narrow(const struct pair *pair)
{
    int least = 1;
    CHECK(setsockopt(pair->ours, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
}

/* Bytes that we have not read yet. */
static inline size_t pair_unread(const struct pair *pair)
{
    int count = 0;
    CHECK(ioctl(pair->ours, FIONREAD, &count) == 0);
    return (size_t)count;
}

/* The byte at this position of a stream: neighbours, blocks and streams all differ. */
static inline unsigned char pattern_at(uint32_t stream, size_t position)
{
    uint32_t mixed = ((uint32_t)position + stream * 0x9e3779b9U) * 2654435761U;
    return (unsigned char)(mixed >> 24);
}

static inline void pattern_fill(uint32_t stream, size_t position, unsigned char *bytes,
                                size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = pattern_at(stream, position + i);
}

static inline bool pattern_matches(uint32_t stream, size_t position, const unsigned char *bytes,
                                   size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != pattern_at(stream, position + i))
            return false;
    return true;
}

/* The news of two sockets, of what is asked for: hang-ups and errors count where anything is. */
static inline bool pairs_have_news(int device, short device_events, int origin, short origin_events,
                                   bool *device_news, bool *origin_news)
{
    const short always = POLLHUP | POLLERR;
    struct pollfd sockets[] = {{.fd = device, .events = device_events},
                               {.fd = origin, .events = origin_events}};
    CHECK(poll(sockets, 2, 0) >= 0);
    *device_news = device_events != 0 && (sockets[0].revents & (device_events | always)) != 0;
    *origin_news = origin_events != 0 && (sockets[1].revents & (origin_events | always)) != 0;
    return *device_news || *origin_news;
}

/* How many descriptors this process has, and some more: to be compared with itself. */
static inline size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *entries = opendir("/proc/self/fd");
    CHECK(entries != NULL);
    while (readdir(entries) != NULL)
        count++;
    closedir(entries);
    return count;
}

#endif
