/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * explain.h - an operator asks what would happen to a destination, and why. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "core/jsonw.h"
#include "policy/policy.h"

#define EXPLAIN_TARGET_LIMIT 300
#define EXPLAIN_LEARNED_LIMIT 8

struct explanation {
    const struct policy_view *view; /* it is borrowed from */
    struct decision decision;
    struct tls_rules
        rules; /* for what is intercepted, as far as they do not depend on the device */
    /* The target is a name, and the patterns were tried against it; but in operation only addresses
     * are looked at (match = address), so they would not be asked about a name. */
    bool name_unseen;
    /* Devices for which it passes all the same, since their apps are pinned there; or, by that, for
     * the one that was asked about. */
    struct learned_finding learned[EXPLAIN_LEARNED_LIMIT];
    size_t learned_count;
};

/* Answers for "address:port" or "name:port". False if the target is neither. */
bool explain_target(struct explanation *explanation, const struct policy_view *view,
                    const char *target) must_check;

/* "ignore" or "intercept". */
const char *explanation_verdict(const struct explanation *explanation);

/* Writes it as one JSON object. */
void explanation_write(struct jsonw *json, const char *target,
                       const struct explanation *explanation);

#endif
