/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* nft(8)'s own numbers for the types of keys, from its datatype.h: the kernel only keeps them, but
 * without them `nft list` could not print an element. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_INET_PROTOCOL = 12, TYPE_INET_SERVICE = 13 };
enum { TYPE_IFNAME = 41 };
#define THEN(types, next) ((types) << 6 | (next))

static const struct {
    uint32_t type;
    uint32_t size;
} keys[] = {
    [NFT_KEY_INTERFACE] = {TYPE_IFNAME, 16},
    [NFT_KEY_PORT] = {TYPE_INET_SERVICE, 2},
    [NFT_KEY_PROTO_ADDR4_PORT] = {THEN(THEN(TYPE_INET_PROTOCOL, TYPE_IPADDR), TYPE_INET_SERVICE),
                                  12},
    [NFT_KEY_PROTO_ADDR6_PORT] = {THEN(THEN(TYPE_INET_PROTOCOL, TYPE_IP6ADDR), TYPE_INET_SERVICE),
                                  24},
    [NFT_KEY_DEVICE4_PROTO_ADDR4_PORT] =
        {THEN(THEN(THEN(TYPE_IPADDR, TYPE_INET_PROTOCOL), TYPE_IPADDR), TYPE_INET_SERVICE), 16},
    [NFT_KEY_DEVICE6_PROTO_ADDR6_PORT] =
        {THEN(THEN(THEN(TYPE_IP6ADDR, TYPE_INET_PROTOCOL), TYPE_IP6ADDR), TYPE_INET_SERVICE), 40},
};

/* And its byte orders, of the user data of sets. */
enum { BYTEORDER_HOST = 1, BYTEORDER_NETWORK = 2 };

size_t nft_key_size(enum nft_key key)
{
    return keys[key].size;
}

/* ---- the transaction ---- */

static void begin(struct nft *nft, struct netlink *netlink, const char *table, size_t size)
{
    *nft = (struct nft){.table = table};
    netlink_batch_begin(&nft->batch, netlink, size);
    nft->first_sequence = netlink->sequence;
}

void nft_begin(struct nft *nft, struct netlink *netlink, const char *table)
{
    begin(nft, netlink, table, NETLINK_BATCH_USUAL);
}

void nft_begin_large(struct nft *nft, struct netlink *netlink, const char *table)
{
    begin(nft, netlink, table, NETLINK_BATCH_LARGE);
}

static struct nlmsghdr *message(struct nft *nft, uint16_t type, uint16_t flags, const char *subject)
{
    uint32_t sequence;
    void *buffer = netlink_batch_next(&nft->batch, &sequence);
    if (sequence - nft->first_sequence < ARRAY_SIZE(nft->subjects))
        nft->subjects[sequence - nft->first_sequence] = subject;
    return nftnl_nlmsg_build_hdr(buffer, type, NFPROTO_INET, flags, sequence);
}

static void message_end(struct nft *nft)
{
    netlink_batch_added(&nft->batch);
}

bool nft_commit(struct nft *nft, const char **subject)
{
    uint32_t refused;
    bool done = netlink_batch_commit(&nft->batch, &refused);
    if (subject != NULL) {
        uint32_t index = refused - nft->first_sequence;
        *subject = refused != 0 && index < ARRAY_SIZE(nft->subjects) ? nft->subjects[index] : NULL;
    }
    return done;
}

static void table_message(struct nft *nft, uint16_t type, uint16_t message_flags, uint32_t flags,
                          const char *subject)
{
    struct nftnl_table *table = nftnl_table_alloc();
    CHECK(table != NULL);
    nftnl_table_set_str(table, NFTNL_TABLE_NAME, nft->table);
    if (flags != 0)
        nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
    nftnl_table_nlmsg_build_payload(message(nft, type, message_flags, subject), table);
    message_end(nft);
    nftnl_table_free(table);
}

void nft_add_table(struct nft *nft, uint32_t flags, const char *subject)
{
    table_message(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE, flags, subject);
}

void nft_delete_table(struct nft *nft)
{
    table_message(nft, NFT_MSG_DELTABLE, 0, 0, "table");
}

void nft_add_chain(struct nft *nft, const char *name, const struct nft_base_chain *base)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();
    CHECK(chain != NULL);
    nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, nft->table);
    nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
    if (base != NULL) {
        nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, base->hook);
        nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, base->priority);
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
    }
    nftnl_chain_nlmsg_build_payload(message(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chains"), chain);
    message_end(nft);
    nftnl_chain_free(chain);
}

/* ---- sets ---- */

static void describe_byteorder(struct nftnl_set *set, enum nft_key key)
{
    struct nftnl_udata_buf *user_data = nftnl_udata_buf_alloc(64);
    CHECK(user_data != NULL);
    nftnl_udata_put_u32(user_data, NFTNL_UDATA_SET_KEYBYTEORDER,
                        key == NFT_KEY_INTERFACE ? BYTEORDER_HOST : BYTEORDER_NETWORK);
    nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(user_data),
                       nftnl_udata_buf_len(user_data));
    nftnl_udata_buf_free(user_data);
}

void nft_add_set(struct nft *nft, const struct nft_set *options, const char *subject)
{
    struct nftnl_set *set = nftnl_set_alloc();
    CHECK(set != NULL);
    uint32_t flags = (options->interval ? (uint32_t)NFT_SET_INTERVAL : 0) |
                     (options->timeout > 0 ? (uint32_t)NFT_SET_TIMEOUT : 0);
    nftnl_set_set_str(set, NFTNL_SET_TABLE, nft->table);
    nftnl_set_set_str(set, NFTNL_SET_NAME, options->name);
    nftnl_set_set_u32(set, NFTNL_SET_ID, nft->batch.netlink->sequence);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, keys[options->key].type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, keys[options->key].size);
    nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags);
    if (options->timeout > 0)
        nftnl_set_set_u64(set, NFTNL_SET_TIMEOUT, (uint64_t)options->timeout * 1000);
    if (options->size_limit > 0)
        nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, options->size_limit);
    if (options->counter) {
        struct nftnl_expr *counter = nftnl_expr_alloc("counter");
        CHECK(counter != NULL);
        nftnl_set_add_expr(set, counter);
    }
    describe_byteorder(set, options->key);
    nftnl_set_nlmsg_build_payload(message(nft, NFT_MSG_NEWSET, NLM_F_CREATE, subject), set);
    message_end(nft);
    nftnl_set_free(set);
}

static struct nftnl_set *named_set(const struct nft *nft, const char *name)
{
    struct nftnl_set *set = nftnl_set_alloc();
    CHECK(set != NULL);
    nftnl_set_set_str(set, NFTNL_SET_TABLE, nft->table);
    nftnl_set_set_str(set, NFTNL_SET_NAME, name);
    return set;
}

void nft_flush_set(struct nft *nft, const char *name)
{
    struct nftnl_set *set = named_set(nft, name);
    nftnl_set_elems_nlmsg_build_payload(message(nft, NFT_MSG_DELSETELEM, 0, "sets"), set);
    message_end(nft);
    nftnl_set_free(set);
}

static void comment_element(struct nftnl_set_elem *element, const char *comment)
{
    struct nftnl_udata_buf *user_data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    CHECK(user_data != NULL);
    /* nft(8) prints it in double quotes, and knows no way to write one inside. */
    char quotable[NFT_USERDATA_MAXLEN / 2];
    snprintf(quotable, sizeof(quotable), "%s", comment);
    for (char *quote = quotable; (quote = strchr(quote, '"')) != NULL;)
        *quote = '\'';
    nftnl_udata_put_strz(user_data, NFTNL_UDATA_SET_ELEM_COMMENT, quotable);
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, nftnl_udata_buf_data(user_data),
                       nftnl_udata_buf_len(user_data));
    nftnl_udata_buf_free(user_data);
}

static struct nftnl_set_elem *append_element(struct nftnl_set *set, enum nft_key key,
                                             const void *value, uint32_t flags, const char *comment)
{
    struct nftnl_set_elem *element = nftnl_set_elem_alloc();
    CHECK(element != NULL);
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, value, keys[key].size);
    if (flags != 0)
        nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, flags);
    if (comment != NULL)
        comment_element(element, comment);
    nftnl_set_elem_add(set, element);
    return element;
}

void nft_add_element(struct nft *nft, const char *name, enum nft_key key, const void *value,
                     const void *end, const char *comment)
{
    struct nftnl_set *set = named_set(nft, name);
    (void)append_element(set, key, value, 0, comment);
    if (end != NULL)
        (void)append_element(set, key, end, NFT_SET_ELEM_INTERVAL_END, NULL);
    nftnl_set_elems_nlmsg_build_payload(message(nft, NFT_MSG_NEWSETELEM, NLM_F_CREATE, "sets"),
                                        set);
    message_end(nft);
    nftnl_set_free(set);
}

void nft_add_timed_element(struct nft *nft, const char *name, enum nft_key key, const void *value,
                           const char *comment, uint32_t timeout)
{
    struct nftnl_set *set = named_set(nft, name);
    struct nftnl_set_elem *element = append_element(set, key, value, 0, comment);
    if (timeout > 0)
        nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, (uint64_t)timeout * 1000);
    nftnl_set_elems_nlmsg_build_payload(message(nft, NFT_MSG_NEWSETELEM, NLM_F_CREATE, "sets"),
                                        set);
    message_end(nft);
    nftnl_set_free(set);
}

/* ---- rules ---- */

void nft_flush_chain(struct nft *nft, const char *name)
{
    struct nftnl_rule *all = nftnl_rule_alloc();
    CHECK(all != NULL);
    nftnl_rule_set_str(all, NFTNL_RULE_TABLE, nft->table);
    nftnl_rule_set_str(all, NFTNL_RULE_CHAIN, name);
    nftnl_rule_nlmsg_build_payload(message(nft, NFT_MSG_DELRULE, 0, "chains"), all);
    message_end(nft);
    nftnl_rule_free(all);
}

void nft_rule(struct nft *nft, const char *chain)
{
    CHECK(nft->rule == NULL);
    nft->rule = nftnl_rule_alloc();
    CHECK(nft->rule != NULL);
    nftnl_rule_set_str(nft->rule, NFTNL_RULE_TABLE, nft->table);
    nftnl_rule_set_str(nft->rule, NFTNL_RULE_CHAIN, chain);
}

void nft_rule_end(struct nft *nft, const char *subject)
{
    nftnl_rule_nlmsg_build_payload(
        message(nft, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, subject), nft->rule);
    message_end(nft);
    nftnl_rule_free(nft->rule);
    nft->rule = NULL;
}

static struct nftnl_expr *append(struct nft *nft, const char *name)
{
    struct nftnl_expr *expression = nftnl_expr_alloc(name);
    CHECK(expression != NULL);
    nftnl_rule_add_expr(nft->rule, expression);
    return expression;
}

static void load_meta(struct nft *nft, uint32_t key, uint32_t target)
{
    struct nftnl_expr *meta = append(nft, "meta");
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, target);
}

static void load_ct(struct nft *nft, uint32_t key)
{
    struct nftnl_expr *ct = append(nft, "ct");
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

static void load_payload(struct nft *nft, uint32_t base, uint32_t offset, uint32_t length,
                         uint32_t target)
{
    struct nftnl_expr *payload = append(nft, "payload");
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, length);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, target);
}

/* register 1 = (register 1 & mask) ^ flip */
static void combine(struct nft *nft, const void *mask, const void *flip, uint32_t length)
{
    struct nftnl_expr *bitwise = append(nft, "bitwise");
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, length);
    nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, mask, length);
    nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, flip, length);
}

static void compare(struct nft *nft, uint32_t operation, const void *value, uint32_t length)
{
    struct nftnl_expr *cmp = append(nft, "cmp");
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, value, length);
}

static void look_up(struct nft *nft, const char *set, uint32_t flags)
{
    struct nftnl_expr *lookup = append(nft, "lookup");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set);
    if (flags != 0)
        nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, flags);
}

static void masked_is(struct nft *nft, uint32_t mask, uint32_t value, bool equal)
{
    combine(nft, &mask, &(uint32_t){0}, sizeof(mask));
    compare(nft, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, &value, sizeof(value));
}

void nft_family(struct nft *nft, uint8_t family)
{
    load_meta(nft, NFT_META_NFPROTO, NFT_REG_1);
    compare(nft, NFT_CMP_EQ, &family, sizeof(family));
}

void nft_protocol(struct nft *nft, uint8_t protocol)
{
    load_meta(nft, NFT_META_L4PROTO, NFT_REG_1);
    compare(nft, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void nft_mark_is(struct nft *nft, uint32_t mask, uint32_t value, bool equal)
{
    load_meta(nft, NFT_META_MARK, NFT_REG_1);
    masked_is(nft, mask, value, equal);
}

void nft_ct_mark_is(struct nft *nft, uint32_t mask, uint32_t value, bool equal)
{
    load_ct(nft, NFT_CT_MARK);
    masked_is(nft, mask, value, equal);
}

void nft_ct_state(struct nft *nft, enum ct_state state)
{
    load_ct(nft, NFT_CT_STATE);
    masked_is(nft, (uint32_t)state, 0, false);
}

void nft_ct_original(struct nft *nft)
{
    const uint8_t original = 0;
    load_ct(nft, NFT_CT_DIRECTION);
    compare(nft, NFT_CMP_EQ, &original, sizeof(original));
}

static void tcp_flags_are(struct nft *nft, uint8_t mask, uint8_t value)
{
    nft_protocol(nft, IPPROTO_TCP);
    load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, 13, sizeof(value), NFT_REG_1);
    combine(nft, &mask, &(uint8_t){0}, sizeof(value));
    compare(nft, NFT_CMP_EQ, &value, sizeof(value));
}

void nft_tcp_flags_syn(struct nft *nft)
{
    const uint8_t fin_syn_rst_ack = 0x17, syn = 0x02;
    tcp_flags_are(nft, fin_syn_rst_ack, syn);
}

void nft_tcp_flags_no_rst(struct nft *nft)
{
    const uint8_t rst = 0x04;
    tcp_flags_are(nft, rst, 0);
}

/* All but the first of a connection. */
void nft_tcp_flags_ack(struct nft *nft)
{
    const uint8_t syn_ack = 0x12, ack = 0x10;
    nft_protocol(nft, IPPROTO_TCP);
    load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, 13, sizeof(ack), NFT_REG_1);
    combine(nft, &syn_ack, &(uint8_t){0}, sizeof(ack));
    compare(nft, NFT_CMP_EQ, &ack, sizeof(ack));
}

void nft_source_port(struct nft *nft, uint16_t port)
{
    uint16_t wire_port = htons(port);
    load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, NFT_REG_1);
    compare(nft, NFT_CMP_EQ, &wire_port, sizeof(wire_port));
}

#define DESTINATION_PORT_OFFSET 2 /* of TCP's and UDP's headers alike */

void nft_destination_port(struct nft *nft, uint16_t port)
{
    uint16_t wire_port = htons(port);
    load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, 2, NFT_REG_1);
    compare(nft, NFT_CMP_EQ, &wire_port, sizeof(wire_port));
}

void nft_destination_port_in(struct nft *nft, const char *set)
{
    load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, 2, NFT_REG_1);
    look_up(nft, set, 0);
}

void nft_destination_not_unicast(struct nft *nft)
{
    const uint32_t unicast = RTN_UNICAST;
    struct nftnl_expr *fib = append(nft, "fib");
    nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
    nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
    compare(nft, NFT_CMP_NEQ, &unicast, sizeof(unicast));
}

/* The first of the 32-bit registers is what everybody else calls register 1. */
static uint32_t first_register(uint32_t number)
{
    return number == NFT_REG32_00 ? (uint32_t)NFT_REG_1 : number;
}

void nft_interface_not_in(struct nft *nft, const char *set)
{
    load_meta(nft, NFT_META_IIFNAME, NFT_REG_1);
    look_up(nft, set, NFT_LOOKUP_F_INV);
}

void nft_interface_is(struct nft *nft, const char name[static IFNAMSIZ])
{
    char padded[IFNAMSIZ] = "";
    strncpy(padded, name, sizeof(padded) - 1);
    load_meta(nft, NFT_META_IIFNAME, NFT_REG_1);
    compare(nft, NFT_CMP_EQ, padded, sizeof(padded));
}

void nft_source_mac(struct nft *nft, const uint8_t mac[static 6])
{
    const uint16_t ethernet = ARPHRD_ETHER;
    load_meta(nft, NFT_META_IIFTYPE, NFT_REG_1);
    compare(nft, NFT_CMP_EQ, &ethernet, sizeof(ethernet));
    load_payload(nft, NFT_PAYLOAD_LL_HEADER, 6, 6, NFT_REG_1);
    compare(nft, NFT_CMP_EQ, mac, 6);
}

void nft_source_in_network(struct nft *nft, const struct address *network, uint8_t prefix)
{
    bool ipv4 = network->family == AF_INET;
    const uint32_t length = (uint32_t)address_ip_size(network);
    uint8_t mask[16] = {0}, base[16] = {0};
    nft_family(nft, ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    if (prefix == 0)
        return;
    for (uint32_t i = 0; i < length; i++) {
        uint8_t bits = prefix >= (i + 1) * 8 ? 8 : prefix > i * 8 ? (uint8_t)(prefix - i * 8) : 0;
        mask[i] = (uint8_t)(0xff00 >> bits);
        base[i] = ((const uint8_t *)&network->ip)[i] & mask[i];
    }
    load_payload(nft, NFT_PAYLOAD_NETWORK_HEADER, ipv4 ? 12 : 8, length, NFT_REG_1);
    if (prefix < length * 8)
        combine(nft, mask, (const uint8_t[16]){0}, length);
    compare(nft, NFT_CMP_EQ, base, length);
}

void nft_output_not_in(struct nft *nft, const char *set)
{
    load_meta(nft, NFT_META_OIFNAME, NFT_REG_1);
    look_up(nft, set, NFT_LOOKUP_F_INV);
}

/* The parts of a key lie in 32-bit registers, one behind the other. */
void nft_destination_in(struct nft *nft, const char *set, enum nft_key key)
{
    const bool by_device =
        key == NFT_KEY_DEVICE4_PROTO_ADDR4_PORT || key == NFT_KEY_DEVICE6_PROTO_ADDR6_PORT;
    const bool ipv4 = key == NFT_KEY_PROTO_ADDR4_PORT || key == NFT_KEY_DEVICE4_PROTO_ADDR4_PORT;
    const uint32_t length = ipv4 ? 4 : 16;
    uint32_t next = NFT_REG32_00;
    nft_family(nft, ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
    if (by_device) {
        load_payload(nft, NFT_PAYLOAD_NETWORK_HEADER, ipv4 ? 12 : 8, length, first_register(next));
        next += length / 4;
    }
    load_meta(nft, NFT_META_L4PROTO, first_register(next));
    load_payload(nft, NFT_PAYLOAD_NETWORK_HEADER, ipv4 ? 16 : 24, length, next + 1);
    load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, 2,
                 next + 1 + length / 4);
    look_up(nft, set, 0);
}

void nft_socket_transparent(struct nft *nft)
{
    static const struct {
        uint32_t key;
        uint8_t value;
    } wanted[] = {{NFT_SOCKET_TRANSPARENT, 1}, {NFT_SOCKET_WILDCARD, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        struct nftnl_expr *socket = append(nft, "socket");
        nftnl_expr_set_u32(socket, NFTNL_EXPR_SOCKET_KEY, wanted[i].key);
        nftnl_expr_set_u32(socket, NFTNL_EXPR_SOCKET_DREG, NFT_REG_1);
        compare(nft, NFT_CMP_EQ, &wanted[i].value, sizeof(wanted[i].value));
    }
}

void nft_set_mark(struct nft *nft, uint32_t mask, uint32_t value)
{
    uint32_t keep = ~mask;
    load_meta(nft, NFT_META_MARK, NFT_REG_1);
    combine(nft, &keep, &value, sizeof(keep));
    struct nftnl_expr *meta = append(nft, "meta");
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_MARK);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

void nft_set_ct_mark(struct nft *nft, uint32_t mask, uint32_t value)
{
    uint32_t keep = ~mask;
    load_ct(nft, NFT_CT_MARK);
    combine(nft, &keep, &value, sizeof(keep));
    struct nftnl_expr *ct = append(nft, "ct");
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

static void verdict(struct nft *nft, uint32_t code, const char *chain)
{
    struct nftnl_expr *immediate = append(nft, "immediate");
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, code);
    if (chain != NULL)
        nftnl_expr_set_str(immediate, NFTNL_EXPR_IMM_CHAIN, chain);
}

void nft_accept(struct nft *nft)
{
    verdict(nft, NF_ACCEPT, NULL);
}

void nft_drop(struct nft *nft)
{
    verdict(nft, NF_DROP, NULL);
}

void nft_goto(struct nft *nft, const char *chain)
{
    verdict(nft, (uint32_t)NFT_GOTO, chain);
}

void nft_jump(struct nft *nft, const char *chain)
{
    verdict(nft, (uint32_t)NFT_JUMP, chain);
}

void nft_return(struct nft *nft)
{
    verdict(nft, (uint32_t)NFT_RETURN, NULL);
}

void nft_tproxy(struct nft *nft, uint16_t port)
{
    uint16_t wire_port = htons(port);
    struct nftnl_expr *immediate = append(nft, "immediate");
    nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    nftnl_expr_set(immediate, NFTNL_EXPR_IMM_DATA, &wire_port, sizeof(wire_port));
    struct nftnl_expr *tproxy = append(nft, "tproxy");
    nftnl_expr_set_u32(tproxy, NFTNL_EXPR_TPROXY_FAMILY, NFPROTO_UNSPEC);
    nftnl_expr_set_u32(tproxy, NFTNL_EXPR_TPROXY_REG_PORT, NFT_REG_1);
}

void nft_reject_icmp(struct nft *nft)
{
    struct nftnl_expr *reject = append(nft, "reject");
    nftnl_expr_set_u32(reject, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
    nftnl_expr_set_u8(reject, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
}

void nft_reject_tcp(struct nft *nft)
{
    struct nftnl_expr *reject = append(nft, "reject");
    nftnl_expr_set_u32(reject, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
    nftnl_expr_set_u8(reject, NFTNL_EXPR_REJECT_CODE, 0);
}

void nft_queue(struct nft *nft, uint16_t number, bool bypass)
{
    struct nftnl_expr *queue = append(nft, "queue");
    nftnl_expr_set_u16(queue, NFTNL_EXPR_QUEUE_NUM, number);
    nftnl_expr_set_u16(queue, NFTNL_EXPR_QUEUE_TOTAL, 1);
    nftnl_expr_set_u16(queue, NFTNL_EXPR_QUEUE_FLAGS, bypass ? NFT_QUEUE_FLAG_BYPASS : 0);
}

void nft_queue_xtables(struct nft *nft, uint16_t number, bool bypass)
{
    struct xt_NFQ_info_v3 *info = calloc(1, sizeof(*info)); /* libnftnl frees it */
    CHECK(info != NULL);
    info->queuenum = number;
    info->queues_total = 1;
    info->flags = bypass ? NFQ_FLAG_BYPASS : 0;
    struct nftnl_expr *target = append(nft, "target");
    nftnl_expr_set_str(target, NFTNL_EXPR_TG_NAME, "NFQUEUE");
    nftnl_expr_set_u32(target, NFTNL_EXPR_TG_REV, 3);
    nftnl_expr_set(target, NFTNL_EXPR_TG_INFO, info, sizeof(*info));
} // NOLINT(clang-analyzer-unix.Malloc): `info` is libnftnl's now
