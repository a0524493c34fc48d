/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/mdns_listeners.h"

#include "core/log.h"
#include "gate/neighbour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MDNS_PORT 5353
#define READS_A_TURN 32
#define PACKETS_A_SECOND 100
#define PACKETS_AT_ONCE 400
/* IPV6_MULTICAST_ALL, which not all headers have. */
#define MULTICAST_ALL_IPV6 29

static bool set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* ---- hearing ---- */

static void take_packet(struct mdns_listener *listener, size_t length,
                        const struct sockaddr_storage *from)
{
    struct mdns_listeners *all = listener->all;
    struct flow flow = {0};
    char name[MDNS_NAME_SIZE];
    /* RFC 6762, section 6: what comes from another port is no response of multicast DNS. */
    if (!address_from_sockaddr(&flow.device, from) || flow.device.port != MDNS_PORT ||
        !bucket_take(&listener->packets, all->loop->now, PACKETS_A_SECOND, PACKETS_AT_ONCE) ||
        !mdns_read(all->packet, length, &flow.device, name))
        return;
    flow.has_mac = neighbour_mac(&all->netlink, &flow.device, listener->index, flow.mac);
    devices_set_name(all->devices, &flow, name);
}

static void read_packets(struct mdns_listener *listener, int fd)
{
    struct mdns_listeners *all = listener->all;
    for (int i = 0; i < READS_A_TURN; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof(from);
        ssize_t length =
            recvfrom(fd, all->packet, sizeof(all->packet), 0, (struct sockaddr *)&from, &size);
        if (length < 0)
            return;
        take_packet(listener, (size_t)length, &from);
    }
}

static void ipv4_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    read_packets(container_of(watch, struct mdns_listener, ipv4), watch->fd);
}

static void ipv6_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    read_packets(container_of(watch, struct mdns_listener, ipv6), watch->fd);
}

/* ---- sockets ---- */

/* -1 with errno. */
static int open_ipv4(uint32_t index)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(MDNS_PORT)};
    struct ip_mreqn group = {.imr_ifindex = (int)index};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = group.imr_multiaddr.s_addr = inet_addr("224.0.0.251");
    if (fd < 0)
        return -1;
    if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) &&
        bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int open_ipv6(uint32_t index)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(MDNS_PORT), .sin6_scope_id = index};
    struct ipv6_mreq group = {.ipv6mr_interface = index};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    inet_pton(AF_INET6, "ff02::fb", &address.sin6_addr);
    group.ipv6mr_multiaddr = address.sin6_addr;
    if (fd < 0)
        return -1;
    (void)set(fd, IPPROTO_IPV6, MULTICAST_ALL_IPV6, 0);
    if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
        bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* An interface may have no address of a family yet: it is tried again. */
static void open_socket(struct mdns_listener *listener, struct watch *watch,
                        int (*open)(uint32_t index),
                        void (*ready)(struct watch *watch, uint32_t events))
{
    struct mdns_listeners *all = listener->all;
    if (watch->fd >= 0)
        return;
    int fd = open(listener->index);
    if (fd < 0) {
        if (errno == EADDRINUSE && !all->taken_told)
            log_warning("UDP port 5353 is taken by a program that shares it with nobody: devices' "
                        "own names (multicast DNS) are not heard");
        all->taken_told = all->taken_told || errno == EADDRINUSE;
        return;
    }
    if (!loop_add(all->loop, watch, fd, EPOLLIN, ready))
        close(fd);
}

static void close_socket(struct mdns_listener *listener, struct watch *watch)
{
    int fd = watch->fd;
    if (fd < 0)
        return;
    loop_remove(listener->all->loop, watch);
    close(fd);
    watch->fd = -1;
}

static void stop_listening(struct mdns_listener *listener)
{
    close_socket(listener, &listener->ipv4);
    close_socket(listener, &listener->ipv6);
    listener->index = 0;
}

/* ---- interfaces ---- */

static bool is_wanted(const struct mdns_listener *listener, const struct interfaces *lan)
{
    for (size_t i = 0; lan != NULL && i < lan->count; i++)
        if (strcmp(lan->names[i], listener->interface) == 0)
            return if_nametoindex(listener->interface) == listener->index;
    return false;
}

/* The one on this interface, or one that is not in use; NULL if there is none. */
static struct mdns_listener *listener_for(struct mdns_listeners *listeners, const char *interface)
{
    struct mdns_listener *unused = NULL;
    for (size_t i = 0; i < MDNS_INTERFACES_LIMIT; i++) {
        struct mdns_listener *listener = &listeners->items[i];
        if (listener->index == 0)
            unused = listener;
        else if (strcmp(listener->interface, interface) == 0)
            return listener;
    }
    return unused;
}

static void listen_on(struct mdns_listeners *listeners, const char *interface)
{
    struct mdns_listener *mine = listener_for(listeners, interface);
    if (mine == NULL)
        return;
    if (mine->index == 0) {
        snprintf(mine->interface, IFNAMSIZ, "%s", interface);
        mine->index = if_nametoindex(interface);
    }
    if (mine->index == 0)
        return;
    open_socket(mine, &mine->ipv4, open_ipv4, ipv4_ready);
    open_socket(mine, &mine->ipv6, open_ipv6, ipv6_ready);
}

bool mdns_listeners_init(struct mdns_listeners *listeners, struct loop *loop,
                         struct devices *devices)
{
    *listeners = (struct mdns_listeners){.loop = loop, .devices = devices};
    for (size_t i = 0; i < MDNS_INTERFACES_LIMIT; i++) {
        listeners->items[i].all = listeners;
        listeners->items[i].ipv4.fd = listeners->items[i].ipv6.fd = -1;
    }
    return netlink_open(&listeners->netlink, NETLINK_ROUTE, 0);
}

void mdns_listeners_fini(struct mdns_listeners *listeners)
{
    mdns_listeners_follow(listeners, NULL);
    netlink_close(&listeners->netlink);
}

void mdns_listeners_follow(struct mdns_listeners *listeners, const struct interfaces *lan)
{
    for (size_t i = 0; i < MDNS_INTERFACES_LIMIT; i++) {
        struct mdns_listener *listener = &listeners->items[i];
        if (listener->index != 0 && !is_wanted(listener, lan))
            stop_listening(listener);
    }
    for (size_t i = 0; lan != NULL && i < lan->count; i++)
        listen_on(listeners, lan->names[i]);
}
