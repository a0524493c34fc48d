/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/routes.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

static const uint8_t families[] = {AF_INET, AF_INET6};

static bool change_rule(struct netlink *netlink, bool add, uint8_t family,
                        const struct marks *marks, uint32_t table)
{
    char buffer[NETLINK_REQUEST_SIZE];
    uint16_t flags = add ? NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL : NLM_F_ACK;
    struct nlmsghdr *request =
        netlink_request(netlink, buffer, add ? RTM_NEWRULE : RTM_DELRULE, flags);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(request, sizeof(*rule));
    rule->family = family;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(request, FRA_PRIORITY, table);
    mnl_attr_put_u32(request, FRA_FWMARK, marks->take);
    mnl_attr_put_u32(request, FRA_FWMASK, marks->mask);
    mnl_attr_put_u32(request, FRA_TABLE, table);
    return netlink_talk(netlink, request, NULL, NULL);
}

static bool change_route(struct netlink *netlink, bool add, uint8_t family, uint32_t table)
{
    const uint32_t loopback = 1; /* lo, in every network namespace */
    char buffer[NETLINK_REQUEST_SIZE];
    uint16_t flags = add ? NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL : NLM_F_ACK;
    struct nlmsghdr *request =
        netlink_request(netlink, buffer, add ? RTM_NEWROUTE : RTM_DELROUTE, flags);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
    route->rtm_family = family;
    route->rtm_type = RTN_LOCAL;
    route->rtm_scope = RT_SCOPE_HOST;
    route->rtm_protocol = RTPROT_STATIC;
    mnl_attr_put_u32(request, RTA_TABLE, table);
    mnl_attr_put_u32(request, RTA_OIF, loopback);
    return netlink_talk(netlink, request, NULL, NULL);
}

static bool add_family(struct netlink *netlink, uint8_t family, const struct marks *marks,
                       uint32_t table, bool *missing)
{
    bool route = change_route(netlink, true, family, table);
    if (route)
        *missing = true;
    if (!route && errno != EEXIST)
        return false;
    bool rule = change_rule(netlink, true, family, marks, table);
    if (rule)
        *missing = true;
    return rule || errno == EEXIST;
}

bool routes_add(const struct marks *marks, uint32_t table, bool *missing)
{
    struct netlink netlink;
    *missing = false;
    if (!netlink_open(&netlink, NETLINK_ROUTE, 0))
        return false;
    bool done = true;
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (!add_family(&netlink, families[i], marks, table, missing) && families[i] == AF_INET)
            done = false;
    int error = errno;
    netlink_close(&netlink);
    errno = error;
    return done;
}

void routes_remove(const struct marks *marks, uint32_t table)
{
    struct netlink netlink;
    if (!netlink_open(&netlink, NETLINK_ROUTE, 0))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        (void)!change_rule(&netlink, false, families[i], marks, table);
        (void)!change_route(&netlink, false, families[i], table);
    }
    netlink_close(&netlink);
}
