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
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
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

void nft_delete_set(struct nft *nft, const char *name)
{
    struct nftnl_set *set = named_set(nft, name);
    nftnl_set_nlmsg_build_payload(message(nft, NFT_MSG_DELSET, 0, "sets"), set);
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
    nftnl_set_elems_nlmsg_build_payload(message(nft, NFT_MSG_NEWSETELEM, NLM_F_CREATE, name), set);
    message_end(nft);
    nftnl_set_free(set);
}

/* ---- rules ---- */

void nft_delete_chain(struct nft *nft, const char *name)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();
    CHECK(chain != NULL);
    nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, nft->table);
    nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
    nftnl_chain_nlmsg_build_payload(message(nft, NFT_MSG_DELCHAIN, 0, "chains"), chain);
    message_end(nft);
    nftnl_chain_free(chain);
}

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
