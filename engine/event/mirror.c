/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/mirror.h"

#include "core/log.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Where in a frame the protocol stands, behind two MAC addresses. */
#define TYPE_PLACE ((size_t)2 * MAC_SIZE)

int mirror_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static bool send_frame(const struct mirror *mirror, const struct frame *frame)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)mirror->index};
    struct iovec parts[2] = {{(void *)frame->head, frame->head_length},
                             {(void *)frame->data, frame->data_length}};
    const struct msghdr message = {
        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2};
    memcpy(&to.sll_protocol, frame->head + TYPE_PLACE, sizeof(to.sll_protocol));
    return sendmsg(mirror->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void put(struct packet_sink *sink, const struct captured *captured,
                const struct frame *frame)
{
    struct mirror *mirror = container_of(sink, struct mirror, sink);
    (void)captured;
    if (mirror->index != 0 && send_frame(mirror, frame)) {
        sink->packets++;
        return;
    }
    sink->lost++;
    if (mirror->index == 0 || (errno != ENXIO && errno != ENODEV))
        return;
    log_warning("[capture] mirror = %s: the interface is gone", mirror->interface);
    mirror->index = 0;
}

static bool wants(struct packet_sink *sink, const struct captured *captured)
{
    struct mirror *mirror = container_of(sink, struct mirror, sink);
    (void)captured;
    if (mirror->index == 0)
        mirror->index = if_nametoindex(mirror->interface);
    return mirror->index != 0;
}

static const struct packet_sink_kind kind = {.wants = wants, .put = put};

bool mirror_open(struct mirror *mirror, int fd, const char *interface, struct packet_sinks *sinks)
{
    *mirror = (struct mirror){.sink.kind = &kind, .fd = fd, .index = if_nametoindex(interface)};
    if (!packet_sinks_add(sinks, &mirror->sink))
        return false;
    snprintf(mirror->interface, sizeof(mirror->interface), "%s", interface);
    if (mirror->index == 0)
        log_warning("[capture] mirror = %s: there is no such interface yet", interface);
    return true;
}

void mirror_close(struct mirror *mirror, struct packet_sinks *sinks)
{
    if (mirror->interface[0] == '\0')
        return;
    packet_sinks_remove(sinks, &mirror->sink);
    mirror->interface[0] = '\0';
}

void mirror_write(const struct mirror *mirror, struct jsonw *json)
{
    if (mirror->interface[0] == '\0')
        return;
    jsonw_object(json, "mirror");
    jsonw_string(json, "interface", mirror->interface);
    jsonw_bool(json, "there", mirror->index != 0);
    jsonw_uint(json, "connections", mirror->sink.flows);
    jsonw_uint(json, "packets", mirror->sink.packets);
    jsonw_uint(json, "lost", mirror->sink.lost);
    jsonw_object_end(json);
}
