/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/nft_rule.h"

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/rtnetlink.h>
#include <string.h>

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
