/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * nft.h - a thin layer over libnftnl: tables, sets and chains, in one transaction.
 *
 * Everything goes into the transaction that nft_begin() starts; it is for one thread. A rule is
 * begun, its expressions (nft_rule.h) are appended in the order in which the kernel evaluates them,
 * and it is ended. */
#ifndef GATE_NFT_H
#define GATE_NFT_H

#include "gate/netlink.h"

struct nftnl_rule;

struct nft {
    struct netlink_batch batch;
    const char *table; /* in family inet */
    struct nftnl_rule *rule;
    /* What each message is about, by sequence number: names the culprit when the kernel refuses. */
    uint32_t first_sequence;
    const char *subjects[96];
};

/* What the elements of a set are. */
enum nft_key {
    NFT_KEY_INTERFACE,        /* ifname */
    NFT_KEY_PORT,             /* inet_service */
    NFT_KEY_PROTO_ADDR4_PORT, /* inet_proto . ipv4_addr . inet_service */
    NFT_KEY_PROTO_ADDR6_PORT, /* inet_proto . ipv6_addr . inet_service */
    /* The same, and the sender's address in front. */
    NFT_KEY_DEVICE4_PROTO_ADDR4_PORT,
    NFT_KEY_DEVICE6_PROTO_ADDR6_PORT,
};
#define NFT_KEY_MAX_SIZE 40
size_t nft_key_size(enum nft_key key);

void nft_begin(struct nft *nft, struct netlink *netlink, const char *table);
/* The same for a transaction of thousands of rules. */
void nft_begin_large(struct nft *nft, struct netlink *netlink, const char *table);
/* False with errno; *subject (unless NULL) then names what the kernel refused, or is NULL. */
bool nft_commit(struct nft *nft, const char **subject) must_check;

/* `subject` is what a refusal is blamed on: a string that outlives the transaction. */
void nft_add_table(struct nft *nft, uint32_t flags, const char *subject);
void nft_delete_table(struct nft *nft);

struct nft_set {
    const char *name;
    enum nft_key key;
    bool interval;
    bool counter;        /* count what each element matches */
    uint32_t timeout;    /* seconds that an element lives; 0: for ever */
    uint32_t size_limit; /* elements; 0: none */
};
void nft_add_set(struct nft *nft, const struct nft_set *set, const char *subject);
void nft_flush_set(struct nft *nft, const char *name);
void nft_delete_set(struct nft *nft, const char *name); /* no rule refers to it */

/* One element; `comment` (or NULL) is shown by nft list. For an interval the key is its first
 * member, and `end` (or NULL) the first one behind it. */
void nft_add_element(struct nft *nft, const char *set, enum nft_key key, const void *value,
                     const void *end, const char *comment);

/* The same, of a set with timeouts: it lives for so many seconds, or 0: as long as others. A
 * refusal is blamed on `set`, which outlives the transaction. */
void nft_add_timed_element(struct nft *nft, const char *set, enum nft_key key, const void *value,
                           const char *comment, uint32_t timeout);

struct nft_base_chain {
    uint32_t hook; /* NF_INET_... */
    int32_t priority;
};
/* `base` is NULL for a chain that others go to. */
void nft_add_chain(struct nft *nft, const char *name, const struct nft_base_chain *base);

void nft_flush_chain(struct nft *nft, const char *name);
void nft_delete_chain(struct nft *nft, const char *name); /* an empty one */

void nft_rule(struct nft *nft, const char *chain);
void nft_rule_end(struct nft *nft, const char *subject);

#endif
