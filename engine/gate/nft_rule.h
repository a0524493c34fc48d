/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * nft_rule.h - what is in a rule, written almost as nft(8) writes it, between nft_rule() and
 * nft_rule_end().
 *
 * Register 1 carries what the last load read. */
#ifndef GATE_NFT_RULE_H
#define GATE_NFT_RULE_H

#include "core/address.h"
#include "gate/nft.h"

#include <net/if.h>

/* Conditions: the rule goes on only if they hold. */
void nft_family(struct nft *nft, uint8_t family);     /* meta nfproto */
void nft_protocol(struct nft *nft, uint8_t protocol); /* meta l4proto */
void nft_mark_is(struct nft *nft, uint32_t mask, uint32_t value, bool equal);
void nft_ct_mark_is(struct nft *nft, uint32_t mask, uint32_t value, bool equal);
/* Bits as in the kernel's NF_CT_STATE_BIT(), which no header for us has. */
enum ct_state { CT_ESTABLISHED = 2, CT_NEW = 8 };
void nft_ct_state(struct nft *nft, enum ct_state state);
void nft_ct_original(struct nft *nft);      /* ct direction original */
void nft_tcp_flags_syn(struct nft *nft);    /* tcp flags & (fin|syn|rst|ack) == syn */
void nft_tcp_flags_no_rst(struct nft *nft); /* tcp flags & rst == 0 */
void nft_destination_port(struct nft *nft, uint16_t port);
void nft_destination_port_in(struct nft *nft, const char *set);
void nft_destination_not_unicast(struct nft *nft); /* fib daddr type != unicast */
void nft_interface_not_in(struct nft *nft, const char *set);
void nft_interface_is(struct nft *nft, const char name[static IFNAMSIZ]);
void nft_source_mac(struct nft *nft, const uint8_t mac[static 6]); /* ether saddr */
/* ip saddr NETWORK/PREFIX, or ip6: so many bits of the address count. */
void nft_source_in_network(struct nft *nft, const struct address *network, uint8_t prefix);
void nft_output_not_in(struct nft *nft, const char *set); /* oifname != @SET */
void nft_source_port(struct nft *nft, uint16_t port);
void nft_tcp_flags_ack(struct nft *nft); /* tcp flags & (syn|ack) == ack */
/* Protocol, destination address and port (and sender) are in the set, whose key must be one of
 * those. */
void nft_destination_in(struct nft *nft, const char *set, enum nft_key key);
void nft_socket_transparent(struct nft *nft); /* socket transparent 1 socket wildcard 0 */

/* Actions. */
void nft_set_mark(struct nft *nft, uint32_t mask, uint32_t value);    /* the other bits stay */
void nft_set_ct_mark(struct nft *nft, uint32_t mask, uint32_t value); /* the other bits stay */
void nft_accept(struct nft *nft);
void nft_drop(struct nft *nft);
void nft_goto(struct nft *nft, const char *chain);
void nft_jump(struct nft *nft, const char *chain);
void nft_return(struct nft *nft);
void nft_tproxy(struct nft *nft, uint16_t port);
void nft_reject_icmp(struct nft *nft); /* icmpx port-unreachable */
void nft_reject_tcp(struct nft *nft);  /* tcp reset */
void nft_queue(struct nft *nft, uint16_t number, bool bypass);
/* The same by the xtables target, for kernels without nft_queue. */
void nft_queue_xtables(struct nft *nft, uint16_t number, bool bypass);

#endif
