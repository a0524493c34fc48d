/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/netlink.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <time.h>

bool netlink_open(struct netlink *netlink, int bus, unsigned groups)
{
    netlink->sequence = (uint32_t)time(NULL);
    netlink->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (netlink->socket == NULL)
        return false;
    if (mnl_socket_bind(netlink->socket, groups, MNL_SOCKET_AUTOPID) != 0) {
        int error = errno;
        netlink_close(netlink);
        errno = error;
        return false;
    }
    netlink->port = mnl_socket_get_portid(netlink->socket);
    return true;
}

void netlink_close(struct netlink *netlink)
{
    if (netlink->socket != NULL)
        mnl_socket_close(netlink->socket);
    netlink->socket = NULL;
}

struct nlmsghdr *netlink_request(struct netlink *netlink, void *buffer, uint16_t type,
                                 uint16_t flags)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | flags;
    header->nlmsg_seq = ++netlink->sequence;
    return header;
}

bool netlink_talk(struct netlink *netlink, const struct nlmsghdr *request, mnl_cb_t each,
                  void *context)
{
    if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
        return false;
    char buffer[32768]; /* what the kernel fills at most for one read of a dump */
    int more;
    do {
        ssize_t length = mnl_socket_recvfrom(netlink->socket, buffer, sizeof(buffer));
        if (length < 0 && errno == EINTR) {
            more = MNL_CB_OK;
            continue;
        }
        if (length < 0)
            return false;
        more = mnl_cb_run(buffer, (size_t)length, request->nlmsg_seq, netlink->port, each, context);
        /* An answer to an earlier request that was given up: not ours. */
        if (more < 0 && (errno == ESRCH || errno == EPROTO) &&
            ((struct nlmsghdr *)buffer)->nlmsg_seq != request->nlmsg_seq)
            more = MNL_CB_OK;
    } while (more > MNL_CB_STOP);
    return more == MNL_CB_STOP;
}

/* The usual size is less than what a socket sends in one piece, unless it is told otherwise
 * (net.core.wmem_default). */
void netlink_batch_begin(struct netlink_batch *batch, struct netlink *netlink, size_t size)
{
    *batch = (struct netlink_batch){.netlink = netlink};
    const int room = (int)size;
    if (size > NETLINK_BATCH_USUAL)
        (void)setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_SNDBUFFORCE, &room,
                         sizeof(room));
    /* mnl asks for room behind the limit, for the one message that crosses it */
    batch->buffer = malloc(size + NETLINK_REQUEST_SIZE);
    CHECK(batch->buffer != NULL);
    batch->messages = mnl_nlmsg_batch_start(batch->buffer, size);
    CHECK(batch->messages != NULL);
    nftnl_batch_begin(mnl_nlmsg_batch_current(batch->messages), ++netlink->sequence);
    netlink_batch_added(batch);
}

void *netlink_batch_next(struct netlink_batch *batch, uint32_t *sequence)
{
    *sequence = ++batch->netlink->sequence;
    return mnl_nlmsg_batch_current(batch->messages);
}

void netlink_batch_added(struct netlink_batch *batch)
{
    if (!mnl_nlmsg_batch_next(batch->messages))
        batch->overflow = true;
}

/* The kernel has worked a batch off when sending returns, so its complaints are all there. */
static bool read_complaints(struct netlink *netlink, uint32_t *refused)
{
    char buffer[32768];
    int first_error = 0;
    for (;;) {
        ssize_t length =
            recv(mnl_socket_get_fd(netlink->socket), buffer, sizeof(buffer), MSG_DONTWAIT);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (length < 0)
            return false;
        int left = (int)length;
        for (const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
             mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
            const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
            if (header->nlmsg_type != NLMSG_ERROR || answer->error == 0 || first_error != 0)
                continue;
            first_error = -answer->error;
            if (refused != NULL)
                *refused = header->nlmsg_seq;
        }
    }
    errno = first_error;
    return first_error == 0;
}

bool netlink_batch_commit(struct netlink_batch *batch, uint32_t *refused)
{
    struct netlink *netlink = batch->netlink;
    nftnl_batch_end(mnl_nlmsg_batch_current(batch->messages), ++netlink->sequence);
    netlink_batch_added(batch);
    if (refused != NULL)
        *refused = 0;
    bool done = false;
    errno = ENOBUFS;
    if (!batch->overflow)
        done = mnl_socket_sendto(netlink->socket, mnl_nlmsg_batch_head(batch->messages),
                                 mnl_nlmsg_batch_size(batch->messages)) >= 0 &&
               read_complaints(netlink, refused);
    int error = errno;
    mnl_nlmsg_batch_stop(batch->messages);
    free(batch->buffer);
    errno = error;
    return done;
}
