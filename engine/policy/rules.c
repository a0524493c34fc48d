/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/rules.h"

void rules_add(struct tls_rules *rules, const struct tls_scope *scope)
{
    if (rules->upstream == UPSTREAM_UNSET && scope->upstream != UPSTREAM_UNSET) {
        rules->upstream = scope->upstream;
        rules->upstream_from = scope;
    }
    if (rules->min_version == 0)
        rules->min_version = scope->min_version;
    if (rules->legacy_server == ANSWER_UNSET)
        rules->legacy_server = scope->legacy_server;
    if (rules->client.mode == CLIENT_UNSET)
        rules->client = scope->client;
}

void rules_add_destination(struct tls_rules *rules, const struct destination_config *destination)
{
    rules_add(rules, &destination->scope);
    if (rules->certificate == NULL)
        rules->certificate = destination->certificate;
}

const char *upstream_mode_name(enum upstream_mode mode)
{
    static const char *const names[] = {[UPSTREAM_UNSET] = "",
                                        [UPSTREAM_MIRROR] = "mirror",
                                        [UPSTREAM_VERIFY] = "verify",
                                        [UPSTREAM_IGNORE] = "ignore"};
    return names[mode];
}
