/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The comments in here are the rules as nft(8) prints them. */
#include "gate/ruleset.h"

#include "core/log.h"
#include "gate/decided.h"
#include "gate/nft_rule.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>
#include <string.h>

/* NFT_TABLE_F_PERSIST, which Debian 12's headers do not have. */
#define TABLE_F_PERSIST 4u

struct marks marks_choose(uint32_t take, uint32_t mask)
{
    uint32_t others[2] = {0, 0};
    /* (value - mask) & mask walks through the values of a mask, from the lowest on. */
    uint32_t value = 0;
    for (size_t found = 0; found < ARRAY_SIZE(others);) {
        value = (value - mask) & mask;
        if (value != take)
            others[found++] = value;
    }
    return (struct marks){.mask = mask, .take = take, .pass = others[0], .refuse = others[1]};
}

const char *queue_kind_text(enum queue_kind kind)
{
    static const char *const texts[] = {
        [QUEUE_NATIVE] = "nft queue",
        [QUEUE_XTABLES] = "xtables NFQUEUE through nft_compat",
        [QUEUE_NONE] = "none",
    };
    return texts[kind];
}

static void add_lan(struct nft *nft, const char (*lan)[IFNAMSIZ], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[IFNAMSIZ] = "";
        strncpy(name, lan[i], sizeof(name) - 1);
        nft_add_element(nft, "lan", NFT_KEY_INTERFACE, name, NULL, NULL);
    }
}

static void add_ports(struct nft *nft, const uint8_t *ports)
{
    for (uint32_t first = 0; first <= UINT16_MAX; first++) {
        if (!port_is_in(ports, (uint16_t)first))
            continue;
        uint32_t end = first;
        while (end <= UINT16_MAX && port_is_in(ports, (uint16_t)end))
            end++;
        uint16_t wire_first = htons((uint16_t)first), wire_end = htons((uint16_t)end);
        nft_add_element(nft, "ports", NFT_KEY_PORT, &wire_first,
                        end <= UINT16_MAX ? &wire_end : NULL, NULL);
        first = end;
    }
}

static void add_decided_set(struct nft *nft, const struct ruleset *ruleset,
                            const struct decided_set *set)
{
    const struct nft_set options = {.name = set->name,
                                    .key = set->key,
                                    .counter = set->verdict == VERDICT_PASS,
                                    .timeout = ruleset->pass_timeout,
                                    .size_limit = RULESET_SIZE_LIMIT};
    nft_add_set(nft, &options, "sets with timeouts and counters");
}

static void add_sets(struct nft *nft, const struct ruleset *ruleset)
{
    nft_add_set(nft, &(struct nft_set){.name = "lan", .key = NFT_KEY_INTERFACE}, "sets");
    nft_add_set(nft, &(struct nft_set){.name = "ports", .key = NFT_KEY_PORT, .interval = true},
                "sets of intervals");
    for (size_t i = 0; i < DECIDED_SETS; i++)
        add_decided_set(nft, ruleset, &decided_sets[i]);
}

static void add_chains(struct nft *nft)
{
    static const struct nft_base_chain decide = {NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE - 10};
    static const struct nft_base_chain divert = {NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE - 9};
    static const struct nft_base_chain forward = {NF_INET_FORWARD, NF_IP_PRI_FILTER - 10};
    static const struct nft_base_chain input = {NF_INET_LOCAL_IN, NF_IP_PRI_FILTER - 10};
    nft_add_chain(nft, "pass", NULL);
    nft_add_chain(nft, "refuse", NULL);
    nft_add_chain(nft, EXCLUSIONS_CHAIN, NULL);
    nft_add_chain(nft, "enqueue", NULL);
    nft_add_chain(nft, "ask", NULL);
    nft_add_chain(nft, "decide", &decide);
    nft_add_chain(nft, "divert", &divert);
    nft_add_chain(nft, "forward", &forward);
    nft_add_chain(nft, "input", &input);
}

static void add_pass_and_refuse(struct nft *nft, const struct marks *marks)
{
    /* ct mark set ct mark & ~MASK | PASS accept */
    nft_rule(nft, "pass");
    nft_set_ct_mark(nft, marks->mask, marks->pass);
    nft_accept(nft);
    nft_rule_end(nft, "ct mark");

    /* meta mark set meta mark & ~MASK | REFUSE accept */
    nft_rule(nft, "refuse");
    nft_set_mark(nft, marks->mask, marks->refuse);
    nft_accept(nft);
    nft_rule_end(nft, "meta mark");
}

static void queue_to(struct nft *nft, enum queue_kind kind, uint16_t number, bool bypass)
{
    if (kind == QUEUE_NATIVE)
        nft_queue(nft, number, bypass);
    else
        nft_queue_xtables(nft, number, bypass);
    nft_rule_end(nft, "queue");
}

static void add_decide(struct nft *nft, const struct ruleset *ruleset)
{
    const struct marks *marks = &ruleset->marks;
    /* iifname != @lan accept */
    nft_rule(nft, "decide");
    nft_interface_not_in(nft, "lan");
    nft_accept(nft);
    nft_rule_end(nft, "meta iifname");

    /* ct mark & MASK == TAKE ct state established accept */
    nft_rule(nft, "decide");
    nft_ct_mark_is(nft, marks->mask, marks->take, true);
    nft_ct_state(nft, CT_ESTABLISHED);
    nft_accept(nft);
    nft_rule_end(nft, "ct state");

    /* meta l4proto . ip daddr . th dport @passed4 goto pass, and the same for ip6 */
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        if (decided_sets[i].verdict != VERDICT_PASS)
            continue;
        nft_rule(nft, "decide");
        nft_destination_in(nft, decided_sets[i].name, decided_sets[i].key);
        nft_goto(nft, "pass");
        nft_rule_end(nft, "set lookup");
    }

    /* tcp flags & (fin | syn | rst | ack) == syn tcp dport @ports goto ask */
    nft_rule(nft, "decide");
    nft_tcp_flags_syn(nft);
    nft_destination_port_in(nft, "ports");
    nft_goto(nft, "ask");
    nft_rule_end(nft, "tcp flags");

    /* udp dport 443 udp dport @ports ct state new ct mark & MASK != PASS goto ask */
    nft_rule(nft, "decide");
    nft_protocol(nft, IPPROTO_UDP);
    nft_destination_port(nft, 443);
    nft_destination_port_in(nft, "ports");
    nft_ct_state(nft, CT_NEW);
    nft_ct_mark_is(nft, marks->mask, marks->pass, false);
    nft_goto(nft, "ask");
    nft_rule_end(nft, "ct state");
}

static void add_enqueue(struct nft *nft, const struct ruleset *ruleset)
{
    nft_rule(nft, "enqueue");
    switch (ruleset->queue_kind) {
    case QUEUE_NATIVE: /* queue flags bypass to QUEUE */
    case QUEUE_XTABLES:
        queue_to(nft, ruleset->queue_kind, ruleset->queue, !ruleset->fail_closed);
        return;
    case QUEUE_NONE: /* meta l4proto tcp meta mark set meta mark & ~MASK | TAKE accept */
        nft_protocol(nft, IPPROTO_TCP);
        nft_set_mark(nft, ruleset->marks.mask, ruleset->marks.take);
        nft_accept(nft);
        nft_rule_end(nft, "meta mark");
        if (ruleset->pass_quic)
            return;
        /* goto refuse */
        nft_rule(nft, "enqueue");
        nft_goto(nft, "refuse");
        nft_rule_end(nft, "goto");
        return;
    }
}

static void add_ask(struct nft *nft)
{
    /* fib daddr type != unicast accept */
    nft_rule(nft, "ask");
    nft_destination_not_unicast(nft);
    nft_accept(nft);
    nft_rule_end(nft, "fib");

    /* jump exclusions */
    nft_rule(nft, "ask");
    nft_jump(nft, EXCLUSIONS_CHAIN);
    nft_rule_end(nft, "jump");

    /* meta l4proto . ip daddr . th dport @refused4 goto refuse, and the same for ip6 */
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        if (decided_sets[i].verdict != VERDICT_TAKE)
            continue;
        nft_rule(nft, "ask");
        nft_destination_in(nft, decided_sets[i].name, decided_sets[i].key);
        nft_goto(nft, "refuse");
        nft_rule_end(nft, "set lookup");
    }

    /* goto enqueue */
    nft_rule(nft, "ask");
    nft_goto(nft, "enqueue");
    nft_rule_end(nft, "goto");
}

/* ct mark & MASK == PASS accept */
static void accept_passed(struct nft *nft, const char *chain, const struct marks *marks)
{
    nft_rule(nft, chain);
    nft_ct_mark_is(nft, marks->mask, marks->pass, true);
    nft_accept(nft);
    nft_rule_end(nft, "ct mark");
}

static void add_divert(struct nft *nft, const struct ruleset *ruleset)
{
    const struct marks *marks = &ruleset->marks;
    accept_passed(nft, "divert", marks);

    /* meta mark & MASK == TAKE meta l4proto tcp tproxy to :PORT
     *     ct mark set ct mark & ~MASK | TAKE accept */
    nft_rule(nft, "divert");
    nft_mark_is(nft, marks->mask, marks->take, true);
    nft_protocol(nft, IPPROTO_TCP);
    nft_tproxy(nft, ruleset->listen_port);
    nft_set_ct_mark(nft, marks->mask, marks->take);
    nft_accept(nft);
    nft_rule_end(nft, "tproxy");

    /* Nobody listens. meta mark & MASK == TAKE meta mark set meta mark & ~MASK, or else drop */
    nft_rule(nft, "divert");
    nft_mark_is(nft, marks->mask, marks->take, true);
    if (ruleset->fail_closed)
        nft_drop(nft);
    else
        nft_set_mark(nft, marks->mask, 0);
    nft_rule_end(nft, "meta mark");

    /* meta mark & MASK == PASS goto pass */
    nft_rule(nft, "divert");
    nft_mark_is(nft, marks->mask, marks->pass, true);
    nft_goto(nft, "pass");
    nft_rule_end(nft, "meta mark");

    /* ct mark & MASK == TAKE meta mark set meta mark & ~MASK | TAKE accept */
    nft_rule(nft, "divert");
    nft_ct_mark_is(nft, marks->mask, marks->take, true);
    nft_set_mark(nft, marks->mask, marks->take);
    nft_accept(nft);
    nft_rule_end(nft, "ct mark");

    /* meta l4proto tcp socket transparent 1 socket wildcard 0
     *     meta mark set meta mark & ~MASK | TAKE accept */
    if (ruleset->source_device) {
        nft_rule(nft, "divert");
        nft_protocol(nft, IPPROTO_TCP);
        nft_socket_transparent(nft);
        nft_set_mark(nft, marks->mask, marks->take);
        nft_accept(nft);
        nft_rule_end(nft, "socket");
    }
}

static void add_forward_and_input(struct nft *nft, const struct ruleset *ruleset)
{
    const struct marks *marks = &ruleset->marks;
    accept_passed(nft, "forward", marks);

    /* meta mark & MASK == REFUSE reject */
    nft_rule(nft, "forward");
    nft_mark_is(nft, marks->mask, marks->refuse, true);
    nft_reject_icmp(nft);
    nft_rule_end(nft, "reject");

    /* ct mark & MASK == REFUSE ct direction original tcp flags & rst == 0 reject with tcp reset */
    nft_rule(nft, "forward");
    nft_ct_mark_is(nft, marks->mask, marks->refuse, true);
    nft_ct_original(nft);
    nft_tcp_flags_no_rst(nft);
    nft_reject_tcp(nft);
    nft_rule_end(nft, "ct direction");

    /* ct mark & MASK == REFUSE meta l4proto udp reject */
    nft_rule(nft, "forward");
    nft_ct_mark_is(nft, marks->mask, marks->refuse, true);
    nft_protocol(nft, IPPROTO_UDP);
    nft_reject_icmp(nft);
    nft_rule_end(nft, "reject");

    /* tcp dport PORT meta mark & MASK != TAKE reject with tcp reset */
    nft_rule(nft, "input");
    nft_protocol(nft, IPPROTO_TCP);
    nft_destination_port(nft, ruleset->listen_port);
    nft_mark_is(nft, marks->mask, marks->take, false);
    nft_reject_tcp(nft);
    nft_rule_end(nft, "reject");
}

/* Who may change the table, and how long it lives. */
enum owner {
    OWNED,      /* we alone; it goes with our socket */
    PERSISTENT, /* we alone; it stays, for the next of us (Linux 6.9) */
    FREE,       /* everybody; it stays */
};

/* False with errno; *refused then names what the kernel refused, in nft's words, or is NULL. */
static bool try_install(struct netlink *netlink, const struct ruleset *ruleset,
                        const struct ruleset_contents *contents, enum owner owner,
                        const char **refused)
{
    static const uint32_t flags[] = {[OWNED] = NFT_TABLE_F_OWNER,
                                     [PERSISTENT] = NFT_TABLE_F_OWNER | TABLE_F_PERSIST,
                                     [FREE] = 0};
    struct nft nft;
    nft_begin_large(&nft, netlink, RULESET_TABLE);
    /* What an engine that failed closed has left behind goes first. */
    nft_add_table(&nft, 0, "table");
    nft_delete_table(&nft);
    nft_add_table(&nft, flags[owner], "table");
    add_sets(&nft, ruleset);
    add_chains(&nft);
    add_pass_and_refuse(&nft, &ruleset->marks);
    add_decide(&nft, ruleset);
    add_enqueue(&nft, ruleset);
    add_ask(&nft);
    add_divert(&nft, ruleset);
    add_forward_and_input(&nft, ruleset);
    add_ports(&nft, contents->ports);
    exclusions_add(&nft, contents->exclusions);
    add_lan(&nft, contents->lan, contents->lan_count);
    return nft_commit(&nft, refused);
}

static void tell_install_failure(const char *subject)
{
    if (errno == EPERM && subject != NULL && strcmp(subject, "table") == 0)
        log_error("table inet " RULESET_TABLE " belongs to another process: is another interceptd "
                  "running here?");
    else if (subject != NULL && (errno == ENOENT || errno == EOPNOTSUPP || errno == EINVAL))
        log_error("this kernel lacks what `%s` needs in nftables: %m", subject);
    else
        log_error("the ruleset could not be installed%s%s: %m", subject != NULL ? ", at " : "",
                  subject != NULL ? subject : "");
}

/* In an inet table the kernel finds only xtables targets that are loaded already. This question,
 * which iptables asks too, loads the module; nobody minds the answer. */
static void load_xtables_queue(struct netlink *netlink)
{
    char buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_request(
        netlink, buffer, NFNL_SUBSYS_NFT_COMPAT << 8 | NFNL_MSG_COMPAT_GET, NLM_F_ACK);
    struct nfgenmsg *family = mnl_nlmsg_put_extra_header(request, sizeof(*family));
    *family = (struct nfgenmsg){.nfgen_family = AF_INET, .version = NFNETLINK_V0};
    mnl_attr_put_strz(request, NFTA_COMPAT_NAME, "NFQUEUE");
    mnl_attr_put_u32(request, NFTA_COMPAT_REV, htonl(3));
    mnl_attr_put_u32(request, NFTA_COMPAT_TYPE, htonl(1)); /* a target, no match */
    (void)!netlink_talk(netlink, request, NULL, NULL);
}

/* Deals with what the kernel has refused by doing with less. False if there is no less. */
static bool do_with_less(struct netlink *netlink, struct ruleset *ruleset, enum owner *owner,
                         const char *refused)
{
    if (refused == NULL)
        return false;
    if (strcmp(refused, "queue") == 0 && ruleset->queue_kind != QUEUE_NONE) {
        log_info("this kernel lacks %s: using %s instead", queue_kind_text(ruleset->queue_kind),
                 queue_kind_text(ruleset->queue_kind + 1));
        ruleset->queue_kind++;
        if (ruleset->queue_kind == QUEUE_XTABLES)
            load_xtables_queue(netlink);
        return true;
    }
    if (strcmp(refused, "table") == 0 && errno != EPERM && *owner == PERSISTENT) {
        log_warning(
            "this kernel cannot guard a table that stays behind (Linux 6.9 can): `nft flush "
            "ruleset` opens what on-failure = closed closes");
        *owner = FREE;
        return true;
    }
    return false;
}

bool ruleset_install(struct netlink *netlink, struct ruleset *ruleset,
                     const struct ruleset_contents *contents)
{
    enum owner owner = ruleset->fail_closed ? PERSISTENT : OWNED;
    const char *refused = NULL;
    while (!try_install(netlink, ruleset, contents, owner, &refused)) {
        if (!do_with_less(netlink, ruleset, &owner, refused)) {
            tell_install_failure(refused);
            return false;
        }
    }
    return true;
}

void ruleset_remove(struct netlink *netlink)
{
    struct nft nft;
    nft_begin(&nft, netlink, RULESET_TABLE);
    nft_add_table(&nft, 0, "table");
    nft_delete_table(&nft);
    (void)!nft_commit(&nft, NULL);
}

/* ---- DNS ---- */

static const char *const dns_chains[] = {"queries", "answers", "dns"}; /* the others go there */

static void add_dns_chains(struct nft *nft)
{
    static const struct nft_base_chain queries = {NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE - 11};
    static const struct nft_base_chain answers = {NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC + 10};
    nft_add_chain(nft, "dns", NULL);
    nft_add_chain(nft, "queries", &queries);
    nft_add_chain(nft, "answers", &answers);
}

/* udp PORT 53 goto dns, and tcp flags & (syn | ack) == ack tcp PORT 53 goto dns */
static void add_dns_rules(struct nft *nft, const char *chain,
                          void (*port_is)(struct nft *nft, uint16_t port))
{
    nft_rule(nft, chain);
    nft_protocol(nft, IPPROTO_UDP);
    port_is(nft, 53);
    nft_goto(nft, "dns");
    nft_rule_end(nft, "goto");

    nft_rule(nft, chain);
    nft_tcp_flags_ack(nft);
    port_is(nft, 53);
    nft_goto(nft, "dns");
    nft_rule_end(nft, "tcp flags");
}

/* Between a device and its resolver, which may be this box. */
static void add_dns(struct nft *nft, const struct ruleset *ruleset)
{
    add_dns_chains(nft);

    /* queue flags bypass to QUEUE + 1 */
    nft_rule(nft, "dns");
    queue_to(nft, ruleset->queue_kind, dns_queue_number(ruleset->queue), true);

    /* iifname != @lan accept */
    nft_rule(nft, "queries");
    nft_interface_not_in(nft, "lan");
    nft_accept(nft);
    nft_rule_end(nft, "meta iifname");
    add_dns_rules(nft, "queries", nft_destination_port);

    /* oifname != @lan accept */
    nft_rule(nft, "answers");
    nft_output_not_in(nft, "lan");
    nft_accept(nft);
    nft_rule_end(nft, "meta oifname");
    add_dns_rules(nft, "answers", nft_source_port);
}

bool ruleset_set_dns(struct netlink *netlink, const struct ruleset *ruleset, bool watched)
{
    struct nft nft;
    nft_begin_large(&nft, netlink, RULESET_TABLE);
    if (watched) {
        add_dns(&nft, ruleset);
    } else {
        for (size_t i = 0; i < ARRAY_SIZE(dns_chains); i++)
            nft_flush_chain(&nft, dns_chains[i]);
        for (size_t i = 0; i < ARRAY_SIZE(dns_chains); i++)
            nft_delete_chain(&nft, dns_chains[i]);
    }
    return nft_commit(&nft, NULL);
}

/* ---- what changes ---- */

bool ruleset_set_lan(struct netlink *netlink, const char (*lan)[IFNAMSIZ], size_t count)
{
    struct nft nft;
    nft_begin(&nft, netlink, RULESET_TABLE);
    nft_flush_set(&nft, "lan");
    add_lan(&nft, lan, count);
    return nft_commit(&nft, NULL);
}

/* Other sets in the place of those. The kernel frees the old ones, and what is in them, behind the
 * transaction; to flush them it takes every element into it, and SYNs wait for our thread meanwhile
 * (4.4 ms for 15,000 elements, against 0.2). A set can only go together with the rules that refer
 * to it. The rule in `enqueue` must not be among these: before nft_compat takes a target, it waits
 * until the kernel has freed whatever earlier transactions removed, which is what we avoid. */
static void replace_sets(struct nft *nft, const struct ruleset *ruleset, bool devices_only)
{
    nft_flush_chain(nft, "decide");
    if (!devices_only)
        nft_flush_chain(nft, "ask");
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        if (devices_only && !decided_sets[i].by_device)
            continue;
        nft_delete_set(nft, decided_sets[i].name);
        add_decided_set(nft, ruleset, &decided_sets[i]);
    }
    add_decide(nft, ruleset);
    if (!devices_only)
        add_ask(nft);
}

static void flush_sets(struct nft *nft, bool devices_only)
{
    for (size_t i = 0; i < DECIDED_SETS; i++)
        if (decided_sets[i].by_device || !devices_only)
            nft_flush_set(nft, decided_sets[i].name);
}

static bool forget(struct netlink *netlink, const struct ruleset *ruleset, bool devices_only,
                   const struct exclusions *exclusions)
{
    struct nft nft;
    nft_begin_large(&nft, netlink, RULESET_TABLE);
    if (ruleset->external)
        flush_sets(&nft, devices_only);
    else
        replace_sets(&nft, ruleset, devices_only);
    if (exclusions != NULL) {
        nft_flush_chain(&nft, EXCLUSIONS_CHAIN);
        exclusions_add(&nft, exclusions);
    }
    return nft_commit(&nft, NULL);
}

bool ruleset_forget(struct netlink *netlink, const struct ruleset *ruleset, bool devices_only)
{
    return forget(netlink, ruleset, devices_only, NULL);
}

bool ruleset_renew(struct netlink *netlink, const struct ruleset *ruleset,
                   const struct exclusions *exclusions)
{
    return forget(netlink, ruleset, false, exclusions);
}

bool ruleset_exists(struct netlink *netlink)
{
    char buffer[NETLINK_REQUEST_SIZE];
    for (size_t i = 0; i < DECIDED_SETS; i++) {
        struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSET, NFPROTO_INET,
                                                         NLM_F_ACK, ++netlink->sequence);
        mnl_attr_put_strz(request, NFTA_SET_TABLE, RULESET_TABLE);
        mnl_attr_put_strz(request, NFTA_SET_NAME, decided_sets[i].name);
        if (!netlink_talk(netlink, request, NULL, NULL))
            return false;
    }
    return true;
}
