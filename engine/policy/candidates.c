/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/candidates.h"

#define CANDIDATE_SIZE 320 /* a name of 255 bytes, a colon, a port */

/* The texts that patterns are tried against. */
#define CANDIDATES 5
struct candidates {
    const char *texts[CANDIDATES];
    size_t count;
    char storage[CANDIDATES][CANDIDATE_SIZE];
};

static void add_candidate(struct candidates *candidates, const char *format, const char *host,
                          uint16_t port)
{
    char *text = candidates->storage[candidates->count];
    snprintf(text, CANDIDATE_SIZE, format, host, (unsigned)port);
    candidates->texts[candidates->count++] = text;
}

/* A flow without an address is an operator's question about a name: that is then all there is. Of
 * several names from DNS the first counts. */
static void find_candidates(struct candidates *candidates, const struct flow *flow, unsigned match)
{
    const struct address *origin = &flow->origin;
    bool has_address = origin->family != 0;
    candidates->count = 0;
    if (has_address && (match & MATCH_ADDRESS) != 0) {
        char ip[INET6_ADDRSTRLEN];
        address_ip_text(origin, ip);
        add_candidate(candidates, "%s:%u", ip, origin->port);
        if (origin->family == AF_INET6)
            add_candidate(candidates, "[%s]:%u", ip, origin->port);
    }
    if ((match & MATCH_DNS) != 0 && flow->name_count > 0)
        add_candidate(candidates, "%s:%u", flow->names[0], origin->port);
    if (flow->sni != NULL && (!has_address || (match & MATCH_SNI) != 0))
        add_candidate(candidates, "%s:%u", flow->sni, origin->port);
    if (flow->host != NULL && (match & MATCH_HOST) != 0)
        add_candidate(candidates, "%s:%u", flow->host, origin->port);
}

const struct pattern_source *candidates_find(const struct patterns *patterns,
                                             struct pattern_scratch *scratch,
                                             const struct flow *flow, unsigned match)
{
    if (patterns_count(patterns) == 0)
        return NULL;
    struct candidates candidates;
    find_candidates(&candidates, flow, match);
    return patterns_match(patterns, scratch, candidates.texts, candidates.count);
}
