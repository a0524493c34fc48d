/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/listener.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

static bool set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

int listener_open(sa_family_t family, uint16_t port)
{
    struct sockaddr_storage any;
    socklen_t length = address_to_sockaddr(&(struct address){.family = family, .port = port}, &any);
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool transparent = family == AF_INET ? set_on(fd, SOL_IP, IP_TRANSPARENT)
                                         : set_on(fd, SOL_IPV6, IPV6_TRANSPARENT) &&
                                               set_on(fd, SOL_IPV6, IPV6_V6ONLY);
    if (transparent && set_on(fd, SOL_SOCKET, SO_REUSEADDR) &&
        set_on(fd, SOL_SOCKET, SO_REUSEPORT) && bind(fd, (struct sockaddr *)&any, length) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int listener_accept(int listener, struct address *device, struct address *origin)
{
    struct sockaddr_storage peer, local;
    socklen_t peer_length = sizeof(peer), local_length = sizeof(local);
    int fd =
        accept4(listener, (struct sockaddr *)&peer, &peer_length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -1;
    if (getsockname(fd, (struct sockaddr *)&local, &local_length) == 0 &&
        address_from_sockaddr(device, &peer) && address_from_sockaddr(origin, &local))
        return fd;
    close(fd);
    errno = ECONNABORTED;
    return -1;
}

/* Only an address of our own can be bound to. */
bool listener_address_is_ours(const struct address *address)
{
    struct sockaddr_storage local;
    struct address any_port = *address;
    any_port.port = 0;
    socklen_t length = address_to_sockaddr(&any_port, &local);
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool ours = bind(fd, (struct sockaddr *)&local, length) == 0;
    close(fd);
    return ours;
}
