/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rules.h - how TLS is spoken on one connection, in both directions.
 *
 * Each key is what the first scope says that sets it, of the destinations that are meant, in the
 * order of the file, then the device, then [tls]. */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy/config.h"

/* Lives as long as the policy that it comes from. */
struct tls_rules {
    enum upstream_mode upstream;
    const struct tls_scope *upstream_from;
    int min_version;                       /* towards the device, as OpenSSL numbers it */
    enum answer legacy_server;             /* the origin may be old: TLS 1.0, no RFC 5746 */
    struct client_choice client;           /* when the origin asks for a certificate */
    const struct credentials *certificate; /* for the device; NULL: forged ones */
    enum quic quic;                        /* what becomes of it beside TCP */
    bool uninterpreted;                    /* what is in TLS is relayed as it comes ([tcp]) */
};

/* Takes from the destination what no earlier one has set. */
void rules_add_destination(struct tls_rules *rules, const struct destination_config *destination);

/* Takes from the scope what no earlier one has set. */
void rules_add(struct tls_rules *rules, const struct tls_scope *scope);

/* "mirror", "verify", "ignore". */
const char *upstream_mode_name(enum upstream_mode mode);

#endif
