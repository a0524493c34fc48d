/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/interfaces.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* The interfaces that have a default route. */
struct uplinks {
    size_t count;
    uint32_t indices[INTERFACES_LIMIT];
};

static void add_uplink(struct uplinks *uplinks, uint32_t index)
{
    if (uplinks->count < ARRAY_SIZE(uplinks->indices))
        uplinks->indices[uplinks->count++] = index;
}

static bool has_uplink(const struct uplinks *uplinks, uint32_t index)
{
    for (size_t i = 0; i < uplinks->count; i++)
        if (uplinks->indices[i] == index)
            return true;
    return false;
}

static int note_hops(const struct nlattr *attribute, void *context)
{
    if (mnl_attr_get_type(attribute) == RTA_OIF) {
        add_uplink(context, mnl_attr_get_u32(attribute));
    } else if (mnl_attr_get_type(attribute) == RTA_MULTIPATH) {
        const struct rtnexthop *hop = mnl_attr_get_payload(attribute);
        int left = mnl_attr_get_payload_len(attribute);
        while (RTNH_OK(hop, left)) {
            add_uplink(context, (uint32_t)hop->rtnh_ifindex);
            left -= (int)RTNH_ALIGN(hop->rtnh_len);
            hop = RTNH_NEXT(hop);
        }
    }
    return MNL_CB_OK;
}

static bool is_default_route(const struct nlmsghdr *message)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    return route->rtm_dst_len == 0 && route->rtm_type == RTN_UNICAST;
}

static int note_route(const struct nlmsghdr *message, void *context)
{
    if (is_default_route(message))
        mnl_attr_parse(message, sizeof(struct rtmsg), note_hops, context);
    return MNL_CB_OK;
}

struct link_search {
    const struct uplinks *uplinks;
    struct interfaces *lan;
};

static int note_name(const struct nlattr *attribute, void *context)
{
    struct interfaces *lan = context;
    if (mnl_attr_get_type(attribute) == IFLA_IFNAME)
        snprintf(lan->names[lan->count], IFNAMSIZ, "%s", mnl_attr_get_str(attribute));
    return MNL_CB_OK;
}

static int note_link(const struct nlmsghdr *message, void *context)
{
    struct link_search *search = context;
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
    if ((link->ifi_flags & IFF_LOOPBACK) != 0 ||
        has_uplink(search->uplinks, (uint32_t)link->ifi_index))
        return MNL_CB_OK;
    if (search->lan->count == INTERFACES_LIMIT) {
        search->lan->left_out++;
        return MNL_CB_OK;
    }
    search->lan->names[search->lan->count][0] = '\0';
    mnl_attr_parse(message, sizeof(*link), note_name, search->lan);
    if (search->lan->names[search->lan->count][0] != '\0')
        search->lan->count++;
    return MNL_CB_OK;
}

static bool dump(struct netlink *netlink, uint16_t type, uint8_t family, mnl_cb_t each,
                 void *context)
{
    char buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_request(netlink, buffer, type, NLM_F_DUMP);
    if (type == RTM_GETROUTE) {
        struct rtmsg *route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
        route->rtm_family = family;
    } else {
        struct ifinfomsg *link = mnl_nlmsg_put_extra_header(request, sizeof(*link));
        link->ifi_family = family;
    }
    return netlink_talk(netlink, request, each, context);
}

bool interfaces_find_lan(struct interfaces *lan)
{
    struct netlink netlink;
    struct uplinks uplinks = {0};
    struct link_search search = {&uplinks, lan};
    lan->count = lan->left_out = 0;
    if (!netlink_open(&netlink, NETLINK_ROUTE, 0))
        return false;
    bool done = dump(&netlink, RTM_GETROUTE, AF_INET, note_route, &uplinks);
    /* A kernel without IPv6 has no such routes. */
    (void)!dump(&netlink, RTM_GETROUTE, AF_INET6, note_route, &uplinks);
    done = done && dump(&netlink, RTM_GETLINK, AF_UNSPEC, note_link, &search);
    int error = errno;
    netlink_close(&netlink);
    errno = error;
    return done;
}

bool interfaces_watch(struct netlink *netlink)
{
    /* RTMGRP_IPV6_RULE is missing in the headers. */
    const unsigned ipv6_rule = 1u << (RTNLGRP_IPV6_RULE - 1);
    return netlink_open(netlink, NETLINK_ROUTE,
                        RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
                            ipv6_rule);
}

static int note_change(const struct nlmsghdr *message, void *context)
{
    struct network_changes *changes = context;
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        changes->interfaces = true;
        break;
    case RTM_DELROUTE:
        changes->routing = changes->routing || route->rtm_type == RTN_LOCAL;
        changes->interfaces = changes->interfaces || is_default_route(message);
        break;
    case RTM_NEWROUTE:
        changes->interfaces = changes->interfaces || is_default_route(message);
        break;
    case RTM_DELRULE:
        changes->routing = true;
        break;
    }
    return MNL_CB_OK;
}

struct network_changes interfaces_read(struct netlink *netlink)
{
    char buffer[32768];
    struct network_changes changes = {0};
    for (;;) {
        ssize_t length =
            recv(mnl_socket_get_fd(netlink->socket), buffer, sizeof(buffer), MSG_DONTWAIT);
        if (length < 0 && errno == ENOBUFS) { /* messages were lost */
            changes.interfaces = changes.routing = true;
            continue;
        }
        if (length <= 0)
            return changes;
        (void)mnl_cb_run(buffer, (size_t)length, 0, 0, note_change, &changes);
    }
}
