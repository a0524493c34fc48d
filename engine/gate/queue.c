/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/queue.h"

#include "core/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#define RECEIVE_BUFFER (4 << 20)
/* One packet's message, at most. */
#define MESSAGE_SIZE (QUEUE_COPY_ALL + 4096)

static struct nlmsghdr *config_request(struct queue *queue, char *buffer)
{
    struct nlmsghdr *request = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue->number);
    request->nlmsg_flags |= NLM_F_ACK;
    request->nlmsg_seq = ++queue->netlink.sequence;
    return request;
}

static bool configure(struct queue *queue, bool fail_open)
{
    char buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = config_request(queue, buffer);
    nfq_nlmsg_cfg_put_cmd(request, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
    if (!netlink_talk(&queue->netlink, request, NULL, NULL))
        return false;

    uint32_t flags = NFQA_CFG_F_GSO | (fail_open ? (uint32_t)NFQA_CFG_F_FAIL_OPEN : 0);
    request = config_request(queue, buffer);
    nfq_nlmsg_cfg_put_params(request, NFQNL_COPY_PACKET, (int)queue->copy_range);
    nfq_nlmsg_cfg_put_qmaxlen(request, QUEUE_LENGTH);
    mnl_attr_put_u32(request, NFQA_CFG_FLAGS, htonl(flags));
    mnl_attr_put_u32(request, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
    return netlink_talk(&queue->netlink, request, NULL, NULL);
}

bool queue_open(struct queue *queue, uint16_t number, uint32_t copy_range, bool fail_open,
                void (*packet)(struct queue *queue, const struct queued_packet *packet))
{
    queue->number = number;
    queue->copy_range = copy_range;
    queue->packet = packet;
    if (!netlink_open(&queue->netlink, NETLINK_NETFILTER, 0))
        return false;
    /* A burst that the socket cannot take passes or is dropped (`fail_open`): an error that has to
     * be read before the next packet would only add to it. */
    int on = 1, size = RECEIVE_BUFFER;
    (void)mnl_socket_setsockopt(queue->netlink.socket, NETLINK_NO_ENOBUFS, &on, sizeof(on));
    (void)setsockopt(queue_fd(queue), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (!configure(queue, fail_open)) {
        int error = errno;
        queue_close(queue);
        errno = error;
        return false;
    }
    return true;
}

void queue_close(struct queue *queue)
{
    netlink_close(&queue->netlink);
}

int queue_fd(const struct queue *queue)
{
    return mnl_socket_get_fd(queue->netlink.socket);
}

static int read_message(const struct nlmsghdr *message, void *context)
{
    struct queue *queue = context;
    struct nlattr *attributes[NFQA_MAX + 1] = {NULL};
    if (nfq_nlmsg_parse(message, attributes) < 0 || attributes[NFQA_PACKET_HDR] == NULL)
        return MNL_CB_OK;
    const struct nfqnl_msg_packet_hdr *header = mnl_attr_get_payload(attributes[NFQA_PACKET_HDR]);
    struct queued_packet packet = {.id = ntohl(header->packet_id)};
    if (attributes[NFQA_MARK] != NULL)
        packet.mark = ntohl(mnl_attr_get_u32(attributes[NFQA_MARK]));
    if (attributes[NFQA_IFINDEX_INDEV] != NULL)
        packet.in_ifindex = ntohl(mnl_attr_get_u32(attributes[NFQA_IFINDEX_INDEV]));
    if (attributes[NFQA_HWADDR] != NULL) {
        const struct nfqnl_msg_packet_hw *hardware = mnl_attr_get_payload(attributes[NFQA_HWADDR]);
        if (ntohs(hardware->hw_addrlen) == MAC_SIZE)
            packet.mac = hardware->hw_addr;
    }
    if (attributes[NFQA_PAYLOAD] != NULL) {
        packet.bytes = mnl_attr_get_payload(attributes[NFQA_PAYLOAD]);
        packet.length = mnl_attr_get_payload_len(attributes[NFQA_PAYLOAD]);
    }
    queue->packet(queue, &packet);
    return MNL_CB_OK;
}

bool queue_read(struct queue *queue, size_t limit)
{
    char buffer[MESSAGE_SIZE];
    for (size_t i = 0; i < limit; i++) {
        ssize_t length = recv(queue_fd(queue), buffer, sizeof(buffer), MSG_DONTWAIT);
        if (length <= 0)
            return false;
        (void)mnl_cb_run(buffer, (size_t)length, 0, queue->netlink.port, read_message, queue);
    }
    return true;
}

static struct nlmsghdr *verdict(struct queue *queue, char *buffer, uint32_t id, int answer)
{
    struct nlmsghdr *message = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT, queue->number);
    nfq_nlmsg_verdict_put(message, (int)id, answer);
    return message;
}

/* Only a packet that is gone already can be refused, and then nobody waits for it. */
static void send_verdict(struct queue *queue, const struct nlmsghdr *message)
{
    (void)!mnl_socket_sendto(queue->netlink.socket, message, message->nlmsg_len);
}

void queue_accept(struct queue *queue, uint32_t id, uint32_t mark)
{
    char buffer[256];
    struct nlmsghdr *message = verdict(queue, buffer, id, NF_ACCEPT);
    nfq_nlmsg_verdict_put_mark(message, mark);
    send_verdict(queue, message);
}

void queue_drop(struct queue *queue, uint32_t id)
{
    char buffer[256];
    send_verdict(queue, verdict(queue, buffer, id, NF_DROP));
}
