/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/neighbour.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MS 30000

static int note_interface(const struct nlattr *attribute, void *context)
{
    if (mnl_attr_get_type(attribute) == RTA_OIF)
        *(uint32_t *)context = mnl_attr_get_u32(attribute);
    return MNL_CB_OK;
}

static int read_route(const struct nlmsghdr *message, void *context)
{
    return mnl_attr_parse(message, sizeof(struct rtmsg), note_interface, context);
}

/* The index of the interface that leads to the device; 0 if there is none. */
static uint32_t find_interface(struct netlink *netlink, const struct address *device)
{
    char buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_request(netlink, buffer, RTM_GETROUTE, NLM_F_ACK);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
    size_t size = address_ip_size(device);
    route->rtm_family = (unsigned char)device->family;
    route->rtm_dst_len = (unsigned char)(size * 8);
    mnl_attr_put(request, RTA_DST, size, &device->ip);
    uint32_t index = 0;
    return netlink_talk(netlink, request, read_route, &index) ? index : 0;
}

static int note_mac(const struct nlattr *attribute, void *context)
{
    struct neighbour *neighbour = context;
    if (mnl_attr_get_type(attribute) == NDA_LLADDR &&
        mnl_attr_get_payload_len(attribute) == MAC_SIZE) {
        memcpy(neighbour->mac, mnl_attr_get_payload(attribute), MAC_SIZE);
        neighbour->has_mac = true;
    }
    return MNL_CB_OK;
}

static int read_neighbour(const struct nlmsghdr *message, void *context)
{
    return mnl_attr_parse(message, sizeof(struct ndmsg), note_mac, context);
}

static void ask_mac(struct netlink *netlink, struct neighbour *neighbour, uint32_t index)
{
    char buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_request(netlink, buffer, RTM_GETNEIGH, NLM_F_ACK);
    struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    header->ndm_family = (uint8_t)neighbour->device.family;
    header->ndm_ifindex = (int)index;
    mnl_attr_put(request, NDA_DST, address_ip_size(&neighbour->device), &neighbour->device.ip);
    (void)!netlink_talk(netlink, request, read_neighbour, neighbour);
}

static void ask_kernel(struct netlink *netlink, struct neighbour *neighbour)
{
    uint32_t index = find_interface(netlink, &neighbour->device);
    if (index != 0 && if_indextoname(index, neighbour->interface) != NULL)
        ask_mac(netlink, neighbour, index);
}

bool neighbour_mac(struct netlink *netlink, const struct address *address, uint32_t index,
                   uint8_t mac[static MAC_SIZE])
{
    struct neighbour neighbour = {.device = *address};
    ask_mac(netlink, &neighbour, index);
    memcpy(mac, neighbour.mac, MAC_SIZE);
    return neighbour.has_mac;
}

/* ---- listing ---- */

struct listing {
    void (*each)(const struct flow *seen, uint64_t ago_ms, void *context);
    void *context;
    struct flow seen;
    uint64_t ago_ms;
};

static int note_entry(const struct nlattr *attribute, void *context)
{
    struct listing *listing = context;
    struct flow *seen = &listing->seen;
    size_t size = mnl_attr_get_payload_len(attribute);
    const void *payload = mnl_attr_get_payload(attribute);
    switch (mnl_attr_get_type(attribute)) {
    case NDA_DST:
        if (size == address_ip_size(&seen->device))
            memcpy(&seen->device.ip, payload, size);
        break;
    case NDA_LLADDR:
        seen->has_mac = size == MAC_SIZE;
        if (seen->has_mac)
            memcpy(seen->mac, payload, MAC_SIZE);
        break;
    case NDA_CACHEINFO:
        if (size >= sizeof(struct nda_cacheinfo)) {
            const struct nda_cacheinfo *times = payload;
            listing->ago_ms =
                (uint64_t)times->ndm_confirmed * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
        }
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static int list_entry(const struct nlmsghdr *message, void *context)
{
    const uint16_t known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);
    struct listing *listing = context;
    listing->seen = (struct flow){.device.family = header->ndm_family};
    listing->ago_ms = 0;
    if ((header->ndm_state & known) == 0 ||
        (header->ndm_family != AF_INET && header->ndm_family != AF_INET6) ||
        if_indextoname((unsigned)header->ndm_ifindex, listing->seen.interface) == NULL)
        return MNL_CB_OK;
    mnl_attr_parse(message, sizeof(*header), note_entry, listing);
    const struct address *address = &listing->seen.device;
    bool link_local = address->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&address->ip.v6);
    if (listing->seen.has_mac && !link_local)
        listing->each(&listing->seen, listing->ago_ms, listing->context);
    return MNL_CB_OK;
}

bool neighbours_list(struct netlink *netlink,
                     void (*each)(const struct flow *seen, uint64_t ago_ms, void *context),
                     void *context)
{
    struct listing listing = {.each = each, .context = context};
    char buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_request(netlink, buffer, RTM_GETNEIGH, NLM_F_DUMP);
    struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    header->ndm_family = AF_UNSPEC;
    return netlink_talk(netlink, request, list_entry, &listing);
}

/* ---- one at a time ---- */

bool neighbours_open(struct neighbours *neighbours)
{
    memset(neighbours->kept, 0, sizeof(neighbours->kept));
    return netlink_open(&neighbours->netlink, NETLINK_ROUTE, 0);
}

void neighbours_close(struct neighbours *neighbours)
{
    netlink_close(&neighbours->netlink);
}

static struct neighbour *slot_for(struct neighbours *neighbours, const struct address *device)
{
    const uint8_t *bytes = (const uint8_t *)&device->ip;
    uint32_t hash = 0;
    for (size_t i = 0; i < address_ip_size(device); i++)
        hash = hash * 31 + bytes[i];
    return &neighbours->kept[hash % NEIGHBOURS_KEPT];
}

void neighbours_find(struct neighbours *neighbours, struct flow *flow, uint64_t now)
{
    struct neighbour *neighbour = slot_for(neighbours, &flow->device);
    if (!address_same_ip(&neighbour->device, &flow->device) || neighbour->until <= now) {
        *neighbour = (struct neighbour){.device = flow->device, .until = now + KEPT_MS};
        ask_kernel(&neighbours->netlink, neighbour);
    }
    flow->has_mac = neighbour->has_mac;
    memcpy(flow->mac, neighbour->mac, MAC_SIZE);
    memcpy(flow->interface, neighbour->interface, IFNAMSIZ);
}
