/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/conntrack.h"

#include "core/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel notices in bursts what is over: ten thousands at once, seconds apart. An event takes
 * so much of the socket's buffer, whatever is in it. */
#define EVENT_SIZE 1280
#define LARGEST_BUFFER (64u << 20)

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#define MEMINFO_DROPS 8 /* SK_MEMINFO_DROPS, of linux/sock_diag.h */

/* ---- reading an entry ---- */

/* By TCP's state; behind them UDP's two. */
enum { UDP_UNREPLIED = TCP_CONNTRACK_MAX, UDP_REPLIED, KINDS };

static const struct {
    const char *state;
    const char *timeout; /* the sysctl, in /proc/sys/net/netfilter/nf_conntrack_ */
} kinds[KINDS] = {
    [TCP_CONNTRACK_NONE] = {"none", NULL},
    [TCP_CONNTRACK_SYN_SENT] = {"syn_sent", "tcp_timeout_syn_sent"},
    [TCP_CONNTRACK_SYN_RECV] = {"syn_recv", "tcp_timeout_syn_recv"},
    [TCP_CONNTRACK_ESTABLISHED] = {"established", "tcp_timeout_established"},
    [TCP_CONNTRACK_FIN_WAIT] = {"fin_wait", "tcp_timeout_fin_wait"},
    [TCP_CONNTRACK_CLOSE_WAIT] = {"close_wait", "tcp_timeout_close_wait"},
    [TCP_CONNTRACK_LAST_ACK] = {"last_ack", "tcp_timeout_last_ack"},
    [TCP_CONNTRACK_TIME_WAIT] = {"time_wait", "tcp_timeout_time_wait"},
    [TCP_CONNTRACK_CLOSE] = {"close", "tcp_timeout_close"},
    [TCP_CONNTRACK_SYN_SENT2] = {"syn_sent2", "tcp_timeout_syn_sent"},
    [UDP_UNREPLIED] = {"unreplied", "udp_timeout"},
    [UDP_REPLIED] = {"replied", "udp_timeout_stream"},
};

/* 0 if there is none of this name. */
static uint32_t read_setting(const char *name)
{
    char path[96];
    uint32_t value = 0;
    snprintf(path, sizeof(path), "/proc/sys/net/netfilter/nf_conntrack_%s", name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu32, &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

static void read_timeouts(struct conntrack *conntrack)
{
    _Static_assert(ARRAY_SIZE(conntrack->timeouts) >= KINDS, "a timeout for each kind");
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].timeout != NULL)
            conntrack->timeouts[i] = read_setting(kinds[i].timeout);
}

static size_t kind_of(const struct nf_conntrack *ct, uint8_t protocol)
{
    uint32_t status = nfct_get_attr_u32(ct, ATTR_STATUS);
    if (protocol == IPPROTO_UDP)
        return (status & IPS_ASSURED) != 0 ? UDP_REPLIED : UDP_UNREPLIED;
    uint8_t state = nfct_get_attr_u8(ct, ATTR_TCP_STATE);
    return state < TCP_CONNTRACK_MAX ? state : TCP_CONNTRACK_NONE;
}

/* An entry lives on for some time after its last packet, and tells what is left of that if it was
 * removed before. What this gives is right to a second. */
static uint64_t last_packet(const struct conntrack *conntrack, const struct nf_conntrack *ct,
                            size_t kind, uint64_t start)
{
    uint64_t stop = nfct_get_attr_u64(ct, ATTR_TIMESTAMP_STOP);
    uint32_t left = nfct_get_attr_u32(ct, ATTR_TIMEOUT), timeout = conntrack->timeouts[kind];
    uint64_t silence = timeout > left ? (timeout - left) * CLOCK_SECOND : 0;
    /* A timeout is another one while data is unacknowledged, or where somebody has set it. */
    return stop > silence && stop - silence >= start ? stop - silence : stop;
}

static void read_address(struct address *address, const struct nf_conntrack *ct,
                         enum nf_conntrack_attr ipv4, enum nf_conntrack_attr ipv6,
                         enum nf_conntrack_attr port)
{
    const void *ip = nfct_get_attr(ct, ipv4);
    address->family = ip != NULL ? AF_INET : AF_INET6;
    if (ip == NULL)
        ip = nfct_get_attr(ct, ipv6);
    if (ip != NULL)
        memcpy(&address->ip, ip, address_ip_size(address));
    address->port = ntohs(nfct_get_attr_u16(ct, port));
}

static void read_counters(struct conntrack_entry *entry, const struct nf_conntrack *ct)
{
    entry->counted = nfct_attr_is_set(ct, ATTR_ORIG_COUNTER_PACKETS) > 0;
    entry->packets_to_server = nfct_get_attr_u64(ct, ATTR_ORIG_COUNTER_PACKETS);
    entry->packets_to_client = nfct_get_attr_u64(ct, ATTR_REPL_COUNTER_PACKETS);
    entry->bytes_to_server = nfct_get_attr_u64(ct, ATTR_ORIG_COUNTER_BYTES);
    entry->bytes_to_client = nfct_get_attr_u64(ct, ATTR_REPL_COUNTER_BYTES);
}

/* False if it is none of those that pass: a policy is asked about TCP and UDP alone. */
static bool read_entry(const struct conntrack *conntrack, struct conntrack_entry *entry,
                       const struct nf_conntrack *ct)
{
    const struct marks *marks = &conntrack->marks;
    uint32_t mark = nfct_get_attr_u32(ct, ATTR_MARK) & marks->mask;
    *entry = (struct conntrack_entry){.protocol = nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO)};
    if ((mark != marks->pass && mark != marks->refuse) ||
        (entry->protocol != IPPROTO_TCP && entry->protocol != IPPROTO_UDP))
        return false;
    size_t kind = kind_of(ct, entry->protocol);
    read_address(&entry->device, ct, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, ATTR_ORIG_PORT_SRC);
    read_address(&entry->origin, ct, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, ATTR_ORIG_PORT_DST);
    entry->zone = nfct_get_attr_u16(ct, ATTR_ZONE);
    entry->cut = mark == marks->refuse;
    entry->closed = kind == TCP_CONNTRACK_TIME_WAIT || kind == TCP_CONNTRACK_CLOSE;
    entry->state = kinds[kind].state;
    entry->start = nfct_get_attr_u64(ct, ATTR_TIMESTAMP_START);
    if (nfct_attr_is_set(ct, ATTR_TIMESTAMP_STOP) > 0)
        entry->last = last_packet(conntrack, ct, kind, entry->start);
    read_counters(entry, ct);
    return true;
}

/* Whom a message is read for. */
struct reading {
    const struct conntrack *conntrack;
    void (*each)(void *context, const struct conntrack_entry *entry);
    void *context;
};

static int read_message(const struct nlmsghdr *message, void *data)
{
    const struct reading *reading = data;
    struct conntrack_entry entry;
    struct nf_conntrack *ct = nfct_new();
    if (ct == NULL)
        return MNL_CB_ERROR;
    if (nfct_nlmsg_parse(message, ct) == 0 && read_entry(reading->conntrack, &entry, ct))
        reading->each(reading->context, &entry);
    nfct_destroy(ct);
    return MNL_CB_OK;
}

/* ---- requests ---- */

static struct nlmsghdr *request(struct conntrack *conntrack, void *buffer, uint8_t type,
                                uint16_t flags, sa_family_t family)
{
    struct nlmsghdr *header = netlink_request(&conntrack->requests, buffer,
                                              (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags);
    struct nfgenmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
    *message = (struct nfgenmsg){.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};
    return header;
}

bool conntrack_open(struct conntrack *conntrack, const struct marks *marks)
{
    char buffer[NETLINK_REQUEST_SIZE];
    *conntrack = (struct conntrack){.marks = *marks};
    if (!netlink_open(&conntrack->requests, NETLINK_NETFILTER, 0))
        return false;
    struct nlmsghdr *message =
        request(conntrack, buffer, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC);
    if (!netlink_talk(&conntrack->requests, message, NULL, NULL)) {
        int error = errno;
        netlink_close(&conntrack->requests);
        errno = error;
        return false;
    }
    read_timeouts(conntrack);
    return true;
}

void conntrack_close(struct conntrack *conntrack)
{
    netlink_close(&conntrack->events);
    netlink_close(&conntrack->requests);
}

bool conntrack_list(struct conntrack *conntrack,
                    void (*each)(void *context, const struct conntrack_entry *entry), void *context)
{
    char buffer[NETLINK_REQUEST_SIZE];
    struct reading reading = {conntrack, each, context};
    const struct marks *marks = &conntrack->marks;
    struct nlmsghdr *message = request(conntrack, buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
    mnl_attr_put_u32(message, CTA_MARK, htonl(marks->pass));
    mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(marks->mask));
    return netlink_talk(&conntrack->requests, message, read_message, &reading);
}

static void set_address(struct nf_conntrack *ct, const struct address *address,
                        enum nf_conntrack_attr ipv4, enum nf_conntrack_attr ipv6,
                        enum nf_conntrack_attr port)
{
    nfct_set_attr(ct, address->family == AF_INET ? ipv4 : ipv6, &address->ip);
    nfct_set_attr_u16(ct, port, htons(address->port));
}

/* The entry stays: without it the kernel would take the next packet for the start of a connection,
 * in mid-stream, and let it go on. */
bool conntrack_cut(struct conntrack *conntrack, const struct conntrack_entry *entry)
{
    char buffer[NETLINK_REQUEST_SIZE];
    struct nf_conntrack *ct = nfct_new();
    if (ct == NULL)
        return false;
    sa_family_t family = entry->device.family;
    nfct_set_attr_u8(ct, ATTR_ORIG_L3PROTO, (uint8_t)family);
    nfct_set_attr_u8(ct, ATTR_ORIG_L4PROTO, entry->protocol);
    set_address(ct, &entry->device, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, ATTR_ORIG_PORT_SRC);
    set_address(ct, &entry->origin, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, ATTR_ORIG_PORT_DST);
    if (entry->zone != 0)
        nfct_set_attr_u16(ct, ATTR_ZONE, entry->zone);
    struct nlmsghdr *message = request(conntrack, buffer, IPCTNL_MSG_CT_NEW, NLM_F_ACK, family);
    bool built = nfct_nlmsg_build(message, ct) == 0;
    nfct_destroy(ct);
    if (!built)
        return false;
    mnl_attr_put_u32(message, CTA_MARK, htonl(conntrack->marks.refuse));
    mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(conntrack->marks.mask));
    return netlink_talk(&conntrack->requests, message, NULL, NULL);
}

/* ---- events ---- */

static bool filter_by_mark(int fd, const struct marks *marks)
{
    struct nfct_filter *filter = nfct_filter_create();
    if (filter == NULL)
        return false;
    const uint32_t wanted[] = {marks->pass, marks->refuse};
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        struct nfct_filter_dump_mark mark = {.val = wanted[i], .mask = marks->mask};
        nfct_filter_add_attr(filter, NFCT_FILTER_MARK, &mark);
    }
    bool done = nfct_filter_attach(fd, filter) == 0;
    nfct_filter_destroy(filter);
    return done;
}

/* For a quarter of all connections that the kernel would track, which it has chosen by its memory.
 * The kernel doubles what it is told. */
static int buffer_size(void)
{
    uint64_t size = (uint64_t)read_setting("max") / 4 * EVENT_SIZE;
    return (int)((size < LARGEST_BUFFER ? size : LARGEST_BUFFER) / 2);
}

/* What does not fit is counted by the kernel (conntrack_lost), and no error has to be read before
 * the next event. */
static bool subscribe(const struct conntrack *conntrack)
{
    struct mnl_socket *socket = conntrack->events.socket;
    int fd = mnl_socket_get_fd(socket), on = 1, size = buffer_size();
    int group = NFNLGRP_CONNTRACK_DESTROY;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    (void)mnl_socket_setsockopt(socket, NETLINK_NO_ENOBUFS, &on, sizeof(on));
    return filter_by_mark(fd, &conntrack->marks) &&
           mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0;
}

bool conntrack_listen(struct conntrack *conntrack,
                      void (*over)(void *context, const struct conntrack_entry *entry),
                      void *context)
{
    netlink_close(&conntrack->events);
    conntrack->over = over;
    conntrack->context = context;
    if (over == NULL)
        return true;
    if (!netlink_open(&conntrack->events, NETLINK_NETFILTER, 0))
        return false;
    if (subscribe(conntrack))
        return true;
    int error = errno;
    netlink_close(&conntrack->events);
    errno = error;
    return false;
}

int conntrack_fd(const struct conntrack *conntrack)
{
    return conntrack->events.socket != NULL ? mnl_socket_get_fd(conntrack->events.socket) : -1;
}

bool conntrack_read(struct conntrack *conntrack, size_t limit)
{
    struct reading reading = {conntrack, conntrack->over, conntrack->context};
    char buffer[8192]; /* one event's message */
    for (size_t i = 0; i < limit; i++) {
        ssize_t length = recv(conntrack_fd(conntrack), buffer, sizeof(buffer), MSG_DONTWAIT);
        if (length <= 0)
            return false;
        (void)mnl_cb_run(buffer, (size_t)length, 0, 0, read_message, &reading);
    }
    return true;
}

uint32_t conntrack_lost(const struct conntrack *conntrack)
{
    uint32_t numbers[16] = {0};
    socklen_t length = sizeof(numbers);
    if (conntrack->events.socket == NULL ||
        getsockopt(conntrack_fd(conntrack), SOL_SOCKET, SO_MEMINFO, numbers, &length) != 0)
        return 0;
    return numbers[MEMINFO_DROPS];
}
