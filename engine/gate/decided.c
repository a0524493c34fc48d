/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/decided.h"

#include "core/log.h"
#include "gate/ruleset.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

const struct decided_set decided_sets[DECIDED_SETS] = {
    {"passed4", NFT_KEY_PROTO_ADDR4_PORT, VERDICT_PASS, AF_INET, false},
    {"passed6", NFT_KEY_PROTO_ADDR6_PORT, VERDICT_PASS, AF_INET6, false},
    {"refused4", NFT_KEY_PROTO_ADDR4_PORT, VERDICT_TAKE, AF_INET, false},
    {"refused6", NFT_KEY_PROTO_ADDR6_PORT, VERDICT_TAKE, AF_INET6, false},
    /* The last, and so they are also when only they were replaced: the kernel appends sets. */
    {"device_passed4", NFT_KEY_DEVICE4_PROTO_ADDR4_PORT, VERDICT_PASS, AF_INET, true},
    {"device_passed6", NFT_KEY_DEVICE6_PROTO_ADDR6_PORT, VERDICT_PASS, AF_INET6, true},
};

static const struct decided_set *set_for(const struct decided *decided)
{
    for (size_t i = 0; i < DECIDED_SETS; i++)
        if (decided_sets[i].verdict == decided->verdict &&
            decided_sets[i].family == decided->origin.family &&
            decided_sets[i].by_device == (decided->device.family != 0))
            return &decided_sets[i];
    return NULL;
}

/* A key is its parts, each padded to 32 bits: the device, if it is for one; protocol, address,
 * port. */
static void encode_key(const struct decided *decided, unsigned char key[static NFT_KEY_MAX_SIZE])
{
    size_t ip_size = address_ip_size(&decided->origin);
    uint16_t wire_port = htons(decided->origin.port);
    memset(key, 0, NFT_KEY_MAX_SIZE);
    if (decided->device.family != 0) {
        memcpy(key, &decided->device.ip, ip_size);
        key += ip_size;
    }
    key[0] = decided->protocol;
    memcpy(key + 4, &decided->origin.ip, ip_size);
    memcpy(key + 4 + ip_size, &wire_port, sizeof(wire_port));
}

static void decode_key(struct decided *decided, const unsigned char *key, bool by_device)
{
    size_t ip_size = address_ip_size(&decided->origin);
    uint16_t wire_port;
    if (by_device) {
        decided->device.family = decided->origin.family;
        memcpy(&decided->device.ip, key, ip_size);
        key += ip_size;
    }
    decided->protocol = key[0];
    memcpy(&decided->origin.ip, key + 4, ip_size);
    memcpy(&wire_port, key + 4 + ip_size, sizeof(wire_port));
    decided->origin.port = ntohs(wire_port);
}

void decided_for_device(struct decided *decided, const struct flow *flow, uint32_t timeout,
                        uint64_t now)
{
    decided->device = flow->device;
    decided->device_key = flow_device_key(flow);
    decided->names_version = flow->names_version;
    decided->timeout = timeout;
    if (flow->name_count == 0)
        return;
    const uint64_t left = flow->names_until > now ? (flow->names_until - now) / 1000 : 0;
    if (left < timeout)
        decided->timeout = left > 0 ? (uint32_t)left : 1;
}

static void add(struct nft *nft, const struct decided_set *set, const struct decided *decided)
{
    unsigned char key[NFT_KEY_MAX_SIZE];
    encode_key(decided, key);
    const char *comment = decided->comment[0] != '\0' ? decided->comment : NULL;
    nft_add_timed_element(nft, set->name, set->key, key, comment, decided->timeout);
}

static bool has_room(const struct decided_room *room, const struct decided *decided, uint64_t now)
{
    const struct decided_set *set = set_for(decided);
    CHECK(set != NULL);
    return room->full_until[set - decided_sets] <= now;
}

/* False if the refusal was about something else. */
static bool note_full(struct decided_room *room, const char *refused, uint64_t now)
{
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        if (refused != decided_sets[i].name)
            continue;
        if (!room->told[i])
            log_warning(
                "the kernel's set %s is full: connections to destinations that are not in it "
                "are decided one by one",
                refused);
        room->told[i] = true;
        room->full_until[i] = now + DECIDED_FULL_MS;
        return true;
    }
    return false;
}

void decided_room_reset(struct decided_room *room, bool devices_only)
{
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        if (devices_only && !decided_sets[i].by_device)
            continue;
        room->full_until[i] = 0;
        room->told[i] = false;
    }
}

static bool try_add(struct netlink *netlink, const struct decided *const *items, size_t count,
                    const char **refused)
{
    struct nft nft;
    nft_begin(&nft, netlink, RULESET_TABLE);
    for (size_t i = 0; i < count; i++)
        add(&nft, set_for(items[i]), items[i]);
    return nft_commit(&nft, refused);
}

size_t decided_add(struct netlink *netlink, struct decided_room *room, const struct decided *items,
                   size_t count, uint64_t now)
{
    const struct decided *fitting[DECIDED_LIMIT];
    const char *refused;
    size_t fit;
    CHECK(count <= DECIDED_LIMIT);
    do { /* each time one set less has room */
        fit = 0;
        for (size_t i = 0; i < count; i++)
            if (has_room(room, &items[i], now))
                fitting[fit++] = &items[i];
        if (fit == 0) {
            errno = ENFILE;
            return 0;
        }
        if (try_add(netlink, fitting, fit, &refused))
            return fit;
    } while (errno == ENFILE && note_full(room, refused, now));
    return 0;
}

/* ---- listing ---- */

struct listing {
    const struct decided_set *set;
    uint32_t default_timeout;
    void (*each)(const struct decided_entry *entry, void *context);
    void *context;
};

static int read_comment(const struct nftnl_udata *attribute, void *data)
{
    if (nftnl_udata_type(attribute) == NFTNL_UDATA_SET_ELEM_COMMENT)
        snprintf(data, DECIDED_COMMENT_SIZE, "%.*s", (int)nftnl_udata_len(attribute),
                 (const char *)nftnl_udata_get(attribute));
    return 0;
}

static void read_counter(struct nftnl_set_elem *element, struct decided_entry *entry)
{
    const struct nftnl_expr *counter = nftnl_set_elem_get(element, NFTNL_SET_ELEM_EXPR, NULL);
    if (counter == NULL)
        return;
    entry->packets = nftnl_expr_get_u64(counter, NFTNL_EXPR_CTR_PACKETS);
    entry->bytes = nftnl_expr_get_u64(counter, NFTNL_EXPR_CTR_BYTES);
}

static int list_element(struct nftnl_set_elem *element, void *data)
{
    const struct listing *listing = data;
    struct decided_entry entry = {.decided.verdict = listing->set->verdict,
                                  .decided.origin.family = listing->set->family};
    uint32_t size;
    const unsigned char *key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size);
    if (key == NULL || size < nft_key_size(listing->set->key))
        return 0;
    decode_key(&entry.decided, key, listing->set->by_device);
    entry.timeout_ms = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_TIMEOUT)
                           ? nftnl_set_elem_get_u64(element, NFTNL_SET_ELEM_TIMEOUT)
                           : (uint64_t)listing->default_timeout * 1000;
    entry.expires_ms = nftnl_set_elem_get_u64(element, NFTNL_SET_ELEM_EXPIRATION);
    const void *user_data = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &size);
    if (user_data != NULL)
        nftnl_udata_parse(user_data, size, read_comment, entry.decided.comment);
    read_counter(element, &entry);
    listing->each(&entry, listing->context);
    return 0;
}

static int list_message(const struct nlmsghdr *message, void *data)
{
    struct nftnl_set *set = nftnl_set_alloc();
    if (set == NULL)
        return MNL_CB_ERROR;
    if (nftnl_set_elems_nlmsg_parse(message, set) == 0)
        nftnl_set_elem_foreach(set, list_element, data);
    nftnl_set_free(set);
    return MNL_CB_OK;
}

bool decided_list(struct netlink *netlink, uint32_t default_timeout,
                  void (*each)(const struct decided_entry *entry, void *context), void *context)
{
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        if (decided_sets[i].verdict != VERDICT_PASS)
            continue;
        struct listing listing = {&decided_sets[i], default_timeout, each, context};
        char buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM, NFPROTO_INET,
                                                         NLM_F_DUMP, ++netlink->sequence);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, decided_sets[i].name);
        if (!netlink_talk(netlink, request, list_message, &listing))
            return false;
    }
    return true;
}
