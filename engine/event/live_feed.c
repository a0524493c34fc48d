/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/live_feed.h"

#include "core/log.h"
#include "event/pcapng.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define WAITING_LIMIT 8

struct live_client {
    struct packet_sink sink;
    struct live_feed *feed;
    int fd;
    struct watch watch;
    char peer[ADDRESS_TEXT_SIZE];
    uint64_t start, end; /* what was sent, and put, of all that ever was; the buffer is a ring */
    LIST_ENTRY(live_client) link;
    unsigned char buffer[LIVE_BUFFER_SIZE];
};

/* ---- what a client has still to take ---- */

static bool has_room(const struct live_client *client, size_t length)
{
    return length <= LIVE_BUFFER_SIZE - (size_t)(client->end - client->start);
}

static size_t to_wrap(uint64_t position)
{
    return LIVE_BUFFER_SIZE - (size_t)(position % LIVE_BUFFER_SIZE);
}

static void store(struct live_client *client, const unsigned char *bytes, size_t length)
{
    const size_t first = length < to_wrap(client->end) ? length : to_wrap(client->end);
    memcpy(client->buffer + client->end % LIVE_BUFFER_SIZE, bytes, first);
    memcpy(client->buffer, bytes + first, length - first);
    client->end += length;
}

/* One try. False if the client is gone. */
static bool send_some(struct live_client *client)
{
    const size_t length = (size_t)(client->end - client->start), wrap = to_wrap(client->start);
    const size_t first = length < wrap ? length : wrap;
    struct iovec parts[2] = {{client->buffer + client->start % LIVE_BUFFER_SIZE, first},
                             {client->buffer, length - first}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        client->start += (uint64_t)sent;
    return sent >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* ---- as a sink ---- */

static void put(struct packet_sink *sink, const struct captured *captured,
                const struct frame *frame)
{
    struct live_client *client = container_of(sink, struct live_client, sink);
    unsigned char packet[PCAP_PACKET_SIZE + TCP_STREAM_FRAME_SIZE];
    const size_t length = PCAP_PACKET_SIZE + frame->head_length + frame->data_length;
    (void)captured;
    if (!has_room(client, length)) {
        sink->lost++;
        return;
    }
    pcap_packet(packet, frame);
    store(client, packet, length);
    sink->packets++;
}

static void flush(struct packet_sink *sink)
{
    struct live_client *client = container_of(sink, struct live_client, sink);
    if (client->start == client->end)
        return;
    sink->over = !send_some(client);
    if (!sink->over)
        loop_change(client->feed->loop, &client->watch,
                    client->start != client->end ? (uint32_t)EPOLLOUT : 0);
}

/* The last word on a client. */
static void removed(struct packet_sink *sink)
{
    struct live_client *client = container_of(sink, struct live_client, sink);
    struct live_feed *feed = client->feed;
    loop_remove(feed->loop, &client->watch);
    close(client->fd);
    LIST_REMOVE(client, link);
    feed->count--;
    feed->lost += sink->lost;
    log_info("live feed: %s has left, after %llu packets; %llu were lost to it", client->peer,
             (unsigned long long)sink->packets, (unsigned long long)sink->lost);
    free(client);
}

static const struct packet_sink_kind kind = {.put = put, .flush = flush, .removed = removed};

static void end_client(struct live_client *client)
{
    packet_sinks_remove(client->feed->sinks, &client->sink);
    removed(&client->sink);
}

/* Nobody has anything to say to us: only errors and hang-ups are looked for, beside room. */
static void client_ready(struct watch *watch, uint32_t events)
{
    struct live_client *client = container_of(watch, struct live_client, watch);
    if ((events & (EPOLLERR | EPOLLHUP)) == 0 && send_some(client))
        loop_change(client->feed->loop, watch,
                    client->start != client->end ? (uint32_t)EPOLLOUT : 0);
    else
        end_client(client);
}

/* ---- arrivals ---- */

static void add_client(struct live_feed *feed, int fd, const struct address *peer)
{
    unsigned char head[PCAP_HEAD_SIZE];
    const int on = 1;
    struct live_client *client = calloc(1, sizeof(*client));
    if (client == NULL || feed->count == LIVE_CLIENTS_LIMIT ||
        !packet_sinks_add(feed->sinks, &client->sink)) {
        feed->refused++;
        close(fd);
        free(client);
        return;
    }
    client->sink.kind = &kind;
    client->feed = feed;
    client->fd = fd;
    client->watch.fd = -1;
    address_text(peer, client->peer);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    pcap_head(head);
    store(client, head, sizeof(head));
    LIST_INSERT_HEAD(&feed->clients, client, link);
    feed->count++;
    if (loop_add(feed->loop, &client->watch, fd, EPOLLOUT, client_ready)) {
        log_info("live feed: %s has come", client->peer);
        return;
    }
    end_client(client);
}

static void listener_ready(struct watch *watch, uint32_t events)
{
    struct live_feed *feed = container_of(watch, struct live_feed, watch);
    struct sockaddr_storage from;
    struct address peer;
    socklen_t length = sizeof(from);
    (void)events;
    int fd = accept4(watch->fd, (struct sockaddr *)&from, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && address_from_sockaddr(&peer, &from))
        add_client(feed, fd, &peer);
    else if (fd >= 0)
        close(fd);
}

void live_feed_init(struct live_feed *feed, struct loop *loop, struct packet_sinks *sinks)
{
    *feed = (struct live_feed){.loop = loop, .sinks = sinks, .watch.fd = -1};
    LIST_INIT(&feed->clients);
}

bool live_feed_open(struct live_feed *feed, const struct address *address)
{
    struct sockaddr_storage local;
    const socklen_t length = address_to_sockaddr(address, &local);
    const int on = 1;
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&local, length) == 0 && listen(fd, WAITING_LIMIT) == 0 &&
        loop_add(feed->loop, &feed->watch, fd, EPOLLIN, listener_ready)) {
        feed->address = *address;
        return true;
    }
    const int error = errno;
    close(fd);
    errno = error;
    return false;
}

void live_feed_close(struct live_feed *feed)
{
    struct live_client *client;
    const int fd = feed->watch.fd;
    if (feed->address.family == 0)
        return;
    while ((client = LIST_FIRST(&feed->clients)) != NULL)
        end_client(client); // NOLINT: LIST_REMOVE is beyond the analyzer
    loop_remove(feed->loop, &feed->watch);
    close(fd);
    feed->address.family = 0;
}

void live_feed_write(const struct live_feed *feed, struct jsonw *json)
{
    const struct live_client *client;
    char text[ADDRESS_TEXT_SIZE];
    if (feed->address.family == 0)
        return;
    jsonw_object(json, "live");
    jsonw_string(json, "address", address_text(&feed->address, text));
    jsonw_uint(json, "lost", feed->lost);
    jsonw_uint(json, "refused", feed->refused);
    jsonw_array(json, "clients");
    LIST_FOREACH (client, &feed->clients, link) {
        jsonw_object(json, NULL);
        jsonw_string(json, "peer", client->peer);
        jsonw_uint(json, "connections", client->sink.flows);
        jsonw_uint(json, "packets", client->sink.packets);
        jsonw_uint(json, "lost", client->sink.lost);
        jsonw_object_end(json);
    }
    jsonw_array_end(json);
    jsonw_object_end(json);
}
