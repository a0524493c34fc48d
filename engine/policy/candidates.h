/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * candidates.h - the texts that patterns are tried against: host:port, for each host that a flow is
 * known by.
 *
 * An IPv6 address is tried as mitmproxy writes it (2001:db8::1:443) and with brackets. */
#ifndef POLICY_CANDIDATES_H
#define POLICY_CANDIDATES_H

#include "core/flow.h"
#include "policy/patterns.h"

/* The first pattern that is found in any of the flow's texts; NULL if none is. `match` is of enum
 * match. Of several names from DNS only the first is tried. A flow without an address is an
 * operator's question about its `sni`: that is then tried whatever `match` says. */
const struct pattern_source *candidates_find(const struct patterns *patterns,
                                             struct pattern_scratch *scratch,
                                             const struct flow *flow, unsigned match);

#endif
